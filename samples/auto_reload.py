"""Reload this module when its source file has changed: edit the greeting while the server runs."""

from __future__ import annotations

import os

import isapi
from isapi import InternalReloadException, isapicon
from isapi.simple import SimpleExtension

GREETING = "Change this line and ask again."

# A reload executes the module anew in the same namespace, so the old count is still there.
reloads: int = globals().get("reloads", -1) + 1


def source_time() -> int:
    """Return when the source file was last changed."""
    return os.stat(__file__).st_mtime_ns


loaded_time = source_time()


class Extension(SimpleExtension):
    """Reloads itself when its source has changed."""

    def HttpExtensionProc(self, control_block: isapi.EXTENSION_CONTROL_BLOCK) -> int:
        """Ask for the reload if it is due; the server's call is then repeated with the new code."""
        if source_time() != loaded_time:
            raise InternalReloadException
        body = f"{GREETING}\nreloads {reloads}\n".encode()
        headers = f"Content-Type: text/plain; charset=utf-8\r\nContent-Length: {len(body)}\r\n\r\n"
        control_block.SendResponseHeaders("200 OK", headers, True)
        control_block.WriteClient(body)
        return isapicon.HSE_STATUS_SUCCESS


def __ExtensionFactory__() -> Extension:
    return Extension()
