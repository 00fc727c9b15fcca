"""Let the server send a file: no byte of it passes through Python.

The environment variable TRANSMIT_FILE names the file; unless set, it is this source.
"""

from __future__ import annotations

import os
import sys
from typing import BinaryIO

import isapi
from isapi import isapicon
from isapi.simple import SimpleExtension

FILE = os.environ.get("TRANSMIT_FILE", __file__)


class Extension(SimpleExtension):
    """Sends a file."""

    def HttpExtensionProc(self, control_block: isapi.EXTENSION_CONTROL_BLOCK) -> int:
        """Hand the open file to the server, which sends headers and content while no thread waits."""
        file = open(FILE, "rb")  # noqa: SIM115 -- open until the server has sent it
        try:
            size = os.fstat(file.fileno()).st_size
            headers = f"Content-Type: {content_type()}\r\nContent-Length: {size}\r\n\r\n"
            flags = isapicon.HSE_IO_ASYNC | isapicon.HSE_IO_SEND_HEADERS
            # Size and offset 0: all of it.
            control_block.TransmitFile(sent, file, handle_of(file), "200 OK", 0, 0, headers, None, flags)
        except BaseException:
            file.close()
            raise
        return isapicon.HSE_STATUS_PENDING


def sent(ecb: isapi.EXTENSION_CONTROL_BLOCK, file: BinaryIO, sent_bytes: int, error: int) -> None:
    """Finish the request; the server calls this on one of its threads when the file has gone out."""
    file.close()
    ecb.DoneWithSession(isapicon.HSE_STATUS_ERROR if error else isapicon.HSE_STATUS_SUCCESS)


def content_type() -> str:
    """Name the file's type as far as this sample needs it."""
    return "text/plain; charset=utf-8" if FILE.endswith(".py") else "application/octet-stream"


def handle_of(file: BinaryIO) -> int:
    """Return what the server knows an open file by: its handle on Windows, elsewhere its descriptor."""
    if sys.platform == "win32":
        import msvcrt

        return msvcrt.get_osfhandle(file.fileno())
    return file.fileno()


def __ExtensionFactory__() -> Extension:
    return Extension()
