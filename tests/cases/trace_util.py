"""Asks whether it runs inside a server, and joins its output to a trace window if so."""
import sys

if hasattr(sys, "isapidllhandle"):
    import win32traceutil

from isapi import isapicon
from isapi.simple import SimpleExtension

print("the module was imported by", __name__)


class Extension(SimpleExtension):
    "Traces"

    def HttpExtensionProc(self, ecb):
        print("a request for", ecb.PathInfo)
        print("a complaint", file=sys.stderr)
        ecb.SendResponseHeaders("200 OK", "Content-type: text/plain\r\n\r\n", 0)
        ecb.WriteClient("handle: %s, frozen: %s" % (type(sys.isapidllhandle).__name__, hasattr(sys, "frozen")))
        ecb.close()
        return isapicon.HSE_STATUS_SUCCESS


def __ExtensionFactory__():
    return Extension()
