"""Finishes the request itself and still returns success, as the old samples do."""
from isapi import isapicon
from isapi.simple import SimpleExtension

count = 0


class Extension(SimpleExtension):
    "Closes and returns"

    def HttpExtensionProc(self, ecb):
        global count
        count += 1
        ecb.SendResponseHeaders("200 OK", "Content-type: text/html\r\n\r\n", 0)
        print("request", count, file=ecb)
        if ecb.QueryString == b"done":
            ecb.DoneWithSession()
        else:
            ecb.close()
        return isapicon.HSE_STATUS_SUCCESS


def __ExtensionFactory__():
    return Extension()
