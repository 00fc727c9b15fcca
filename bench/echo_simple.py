"""Send the request's body back, on the server's own thread."""

from isapi import isapicon
from isapi.simple import SimpleExtension


class Extension(SimpleExtension):
    """Echo over SimpleExtension."""

    def HttpExtensionProc(self, ecb):
        body = ecb.AvailableData + ecb.ReadClient()
        headers = b"Content-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % len(body)
        ecb.SendResponseHeaders(b"200 OK", headers, True)
        ecb.WriteClient(body)
        return isapicon.HSE_STATUS_SUCCESS


def __ExtensionFactory__():
    return Extension()
