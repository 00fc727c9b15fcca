"""Let the server send the file BENCH_FILE: no byte of it passes through Python."""

import os

from isapi import isapicon
from isapi.simple import SimpleExtension

FILE = os.environ["BENCH_FILE"]
FLAGS = isapicon.HSE_IO_ASYNC | isapicon.HSE_IO_SEND_HEADERS


class Extension(SimpleExtension):
    """A file over TransmitFile."""

    def HttpExtensionProc(self, ecb):
        file = open(FILE, "rb")  # noqa: SIM115 -- open until the server has sent it
        size = os.fstat(file.fileno()).st_size
        headers = f"Content-Type: application/octet-stream\r\nContent-Length: {size}\r\n\r\n"
        ecb.TransmitFile(sent, file, file.fileno(), "200 OK", 0, 0, headers, None, FLAGS)
        return isapicon.HSE_STATUS_PENDING


def sent(ecb, file, count, error):
    file.close()
    ecb.DoneWithSession(isapicon.HSE_STATUS_ERROR if error else isapicon.HSE_STATUS_SUCCESS)


def __ExtensionFactory__():
    return Extension()
