"""Returns what the query says, with or without an answer before."""
from isapi.simple import SimpleExtension


class Extension(SimpleExtension):
    "Returns anything"

    def HttpExtensionProc(self, ecb):
        if ecb.PathInfo == b"/answer":
            ecb.SendResponseHeaders("200 OK", "Content-Length: 4\r\n\r\n", 0)
            ecb.WriteClient("text")
        return int(ecb.QueryString)


def __ExtensionFactory__():
    return Extension()
