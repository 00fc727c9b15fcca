"""Maps URLs to paths of the folder served."""
import os

from isapi import isapicon
from isapi.simple import SimpleExtension


class Extension(SimpleExtension):
    "Maps"

    def HttpExtensionProc(self, ecb):
        root = os.path.dirname(os.path.abspath(__file__)).encode()
        path = ecb.MapURLToPath("/sub/page.html")
        ecb.SendResponseHeaders("200 OK", "Content-type: text/plain\r\n\r\n", 0)
        print(type(path).__name__, path == root + b"/sub/page.html", ecb.PathTranslated == root + b"/asked", file=ecb)
        ecb.close()
        return isapicon.HSE_STATUS_SUCCESS


def __ExtensionFactory__():
    return Extension()
