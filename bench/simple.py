"""Answer on the server's own thread."""

from answer import BODY

from isapi import isapicon
from isapi.simple import SimpleExtension

HEADERS = b"Content-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % len(BODY)


class Extension(SimpleExtension):
    """A fixed answer over SimpleExtension."""

    def HttpExtensionProc(self, ecb):
        ecb.SendResponseHeaders(b"200 OK", HEADERS, True)
        ecb.WriteClient(BODY)
        return isapicon.HSE_STATUS_SUCCESS


def __ExtensionFactory__():
    return Extension()
