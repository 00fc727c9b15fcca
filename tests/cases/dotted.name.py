"""A file name with a dot: the library is _dotted.name, the module dotted.name."""
from isapi.simple import SimpleExtension


class Extension(SimpleExtension):
    "Dotted"

    def HttpExtensionProc(self, ecb):
        ecb.SendResponseHeaders("200 OK", "Content-type: text/plain\r\n\r\n")
        print(__name__, "dotted.name.py" in __file__, file=ecb)
        return 1


def __ExtensionFactory__():
    return Extension()
