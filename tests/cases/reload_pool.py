"""A pool that loads itself again from HttpExtensionProc, with an instance of a class of its own."""
from isapi import InternalReloadException
from isapi.threaded_extension import ThreadPoolExtension

generation = globals().get("generation", 0) + 1


class Changed(InternalReloadException):
    pass


class Extension(ThreadPoolExtension):
    "Reloads with workers"

    max_workers = 2
    fresh = True

    def HttpExtensionProc(self, ecb):
        if ecb.QueryString == b"reload" and not self.fresh:
            raise Changed("a file has changed")
        self.fresh = False
        return ThreadPoolExtension.HttpExtensionProc(self, ecb)

    def Dispatch(self, ecb):
        ecb.SendResponseHeaders("200 OK", "Content-type: text/plain\r\n\r\n", False)
        print("generation", generation, "workers", len(self.workers), file=ecb)
        ecb.DoneWithSession()


def __ExtensionFactory__():
    return Extension()
