"""Says that the connection may live on, and gives the length that this needs."""
from isapi import isapicon
from isapi.simple import SimpleExtension


class Extension(SimpleExtension):
    "Keeps connections"

    def HttpExtensionProc(self, ecb):
        body = "keep: %s, alive: %s" % (ecb.IsKeepConn(), ecb.IsKeepAlive())
        headers = "Content-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % len(body)
        ecb.SendResponseHeaders("200 OK", headers, ecb.IsKeepConn())
        ecb.WriteClient(body)
        return isapicon.HSE_STATUS_SUCCESS_AND_KEEP_CONN


def __ExtensionFactory__():
    return Extension()
