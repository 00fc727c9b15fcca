"""Sleep for a second on the server's own thread, then answer."""

import time

from answer import BODY

from isapi import isapicon
from isapi.simple import SimpleExtension

HEADERS = b"Content-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % len(BODY)


class Extension(SimpleExtension):
    """A fixed answer, a second late."""

    def HttpExtensionProc(self, ecb):
        time.sleep(1)
        ecb.SendResponseHeaders(b"200 OK", HEADERS, True)
        ecb.WriteClient(BODY)
        return isapicon.HSE_STATUS_SUCCESS


def __ExtensionFactory__():
    return Extension()
