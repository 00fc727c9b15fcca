"""Lies in a folder whose name is not ASCII, which is on sys.path."""
import os
import sys

from isapi.simple import SimpleExtension


class Extension(SimpleExtension):
    "Any folder"

    def HttpExtensionProc(self, ecb):
        folder = os.path.dirname(os.path.abspath(__file__))
        ecb.SendResponseHeaders("200 OK", "Content-type: text/plain; charset=utf-8\r\n\r\n")
        print(os.path.basename(folder), folder in sys.path, file=ecb)
        return 1


def __ExtensionFactory__():
    return Extension()
