"""Wait without holding the server up: each request is handled by a worker of a thread pool.

`?seconds=2` says how long a request takes.
"""

from __future__ import annotations

import threading
import time
from urllib.parse import parse_qs

import isapi
from isapi.threaded_extension import ThreadPoolExtension


class Extension(ThreadPoolExtension):
    """Slow work on a thread pool."""

    max_workers = 8

    def Dispatch(self, ecb: isapi.EXTENSION_CONTROL_BLOCK) -> None:
        """Answer on a worker thread, then finish the request: nobody else does."""
        query = parse_qs(ecb.QueryString.decode("ascii", "replace"))
        seconds = min(float(query.get("seconds", ["1"])[0]), 30.0)
        time.sleep(seconds)
        body = f"{threading.current_thread().name} worked for {seconds:g} s.\n".encode()
        headers = f"Content-Type: text/plain; charset=utf-8\r\nContent-Length: {len(body)}\r\n\r\n"
        ecb.SendResponseHeaders("200 OK", headers, True)
        ecb.WriteClient(body)
        ecb.DoneWithSession()


def __ExtensionFactory__() -> Extension:
    return Extension()
