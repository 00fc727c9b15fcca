"""Reads a form: what is available at once and the rest of it."""
from urllib.parse import parse_qsl

from isapi import isapicon
from isapi.simple import SimpleExtension


class Extension(SimpleExtension):
    "Reads forms"

    def HttpExtensionProc(self, ecb):
        body = ecb.AvailableData
        if ecb.AvailableBytes < ecb.TotalBytes:
            body += ecb.ReadClient(ecb.TotalBytes - ecb.AvailableBytes)
        ecb.SendResponseHeaders("200 OK", "Content-type: text/plain; charset=utf-8\r\n\r\n", 0)
        for name, value in parse_qsl(body.decode("ascii")):
            print(name, "=", value, file=ecb)
        ecb.close()
        return isapicon.HSE_STATUS_SUCCESS


def __ExtensionFactory__():
    return Extension()
