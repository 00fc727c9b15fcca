"""Say hello: the smallest extension there is."""

from __future__ import annotations

import isapi
from isapi import isapicon
from isapi.simple import SimpleExtension


class Extension(SimpleExtension):
    """Hello from Python."""

    def HttpExtensionProc(self, control_block: isapi.EXTENSION_CONTROL_BLOCK) -> int:
        """Answer on the server's own thread: good for work that does not wait."""
        body = b"Hello from Python.\n"
        headers = f"Content-Type: text/plain; charset=utf-8\r\nContent-Length: {len(body)}\r\n\r\n"
        control_block.SendResponseHeaders("200 OK", headers, True)
        control_block.WriteClient(body)
        return isapicon.HSE_STATUS_SUCCESS


def __ExtensionFactory__() -> Extension:
    return Extension()
