"""Sends its own source with TransmitFile and closes the file in the callback."""
import os
import sys

from isapi import isapicon
from isapi.simple import SimpleExtension


class Extension(SimpleExtension):
    "Sends a file"

    def HttpExtensionProc(self, ecb):
        descriptor = os.open(__file__, os.O_RDONLY)
        flags = isapicon.HSE_IO_ASYNC | isapicon.HSE_IO_DISCONNECT_AFTER_SEND | isapicon.HSE_IO_SEND_HEADERS
        ecb.TransmitFile(self.sent, descriptor, descriptor, "200 OK", 0, 0, "Content-type: text/plain\r\n\r\n", "# the tail\n", flags)
        return isapicon.HSE_STATUS_PENDING

    def sent(self, ecb, descriptor, cbIO, dwErrCode):
        os.close(descriptor)
        print("sent with", dwErrCode, file=sys.stderr)
        ecb.DoneWithSession()


def __ExtensionFactory__():
    return Extension()
