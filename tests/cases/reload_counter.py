"""Loads itself again when it is told to; the counter in the module's globals survives."""
from isapi import InternalReloadException, isapicon
from isapi.simple import SimpleExtension

try:
    reload_counter
except NameError:
    reload_counter = 0
else:
    reload_counter += 1

terminated = globals().get("terminated", [])


class Extension(SimpleExtension):
    "Reloads"

    def __init__(self):
        self.reloaded = False
        self.answered = 0

    def GetExtensionVersion(self, vi):
        self.version = vi
        SimpleExtension.GetExtensionVersion(self, vi)

    def HttpExtensionProc(self, ecb):
        if ecb.QueryString == b"reload" and self.answered:
            raise InternalReloadException
        self.answered += 1
        ecb.SendResponseHeaders("200 OK", "Content-type: text/plain\r\n\r\n", 0)
        print("reload %d, answer %d, version info %s, terminated %s"
              % (reload_counter, self.answered, type(self.version).__name__, terminated), file=ecb)
        ecb.close()
        return isapicon.HSE_STATUS_SUCCESS

    def TerminateExtension(self, status):
        terminated.append(status)


def __ExtensionFactory__():
    return Extension()
