"""The smallest extension of all."""
from isapi import isapicon
from isapi.simple import SimpleExtension


class Extension(SimpleExtension):
    "Says hello"

    def HttpExtensionProc(self, ecb):
        ecb.SendResponseHeaders("200 OK", "Content-Type: text/html\r\n\r\n", 0)
        ecb.WriteClient("<h1>Hello</h1>")
        return isapicon.HSE_STATUS_SUCCESS


def __ExtensionFactory__():
    return Extension()
