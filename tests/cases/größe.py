"""A module name that is not ASCII."""
from isapi.simple import SimpleExtension


class Extension(SimpleExtension):
    "Größe"

    def HttpExtensionProc(self, ecb):
        ecb.SendResponseHeaders("200 OK", "Content-type: text/plain; charset=utf-8\r\n\r\n")
        ecb.WriteClient(__name__)
        return 1


def __ExtensionFactory__():
    return Extension()
