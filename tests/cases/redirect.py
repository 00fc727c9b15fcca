"""Sends clients elsewhere."""
from isapi import isapicon
from isapi.simple import SimpleExtension


class Extension(SimpleExtension):
    "Redirects"

    def HttpExtensionProc(self, ecb):
        if ecb.PathInfo == b"/old":
            ecb.Redirect("/new?from=old")
            ecb.close()
        else:
            ecb.SendResponseHeaders("200 OK", "Content-type: text/plain\r\n\r\n", 0)
            print("arrived", file=ecb)
        return isapicon.HSE_STATUS_SUCCESS


def __ExtensionFactory__():
    return Extension()
