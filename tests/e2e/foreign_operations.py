"""The asynchronous operations of the fabricated server: started, looked at while under way, completed.

A server reads what it was given at any time until the completion; `Operation.given` and `Operation.fill` do so
through the addresses that the bridge passed, whatever Python has freed in the meantime.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from ctypes import c_uint32, c_void_p
from dataclasses import dataclass

import foreign_requests

COMPLETION = ctypes.CFUNCTYPE(None, c_void_p, c_void_p, c_uint32, c_uint32)


@dataclass(frozen=True)
class Route:
    """Whom the server calls: a function's address and its context."""

    function: int
    context: int

    def call(self, count: int, error: int, is_inline: bool = False) -> None:
        """Call as a server does: on a thread of its own, unless inline."""
        function, arguments = COMPLETION(self.function), (None, self.context, count, error)
        if is_inline:
            function(*arguments)
            return
        thread = threading.Thread(target=function, args=arguments)
        thread.start()
        thread.join()


@dataclass(frozen=True)
class Operation:
    """One operation that is under way."""

    read: Callable[[], object]
    buffer: int
    own_route: Route | None = None

    @property
    def given(self) -> object:
        """What the memory says now."""
        return self.read()

    def fill(self, data: bytes) -> None:
        """Write to the buffer of a read."""
        ctypes.memmove(self.buffer, data, len(data))


def of_request(request: int, buffer: int, size: int, kind: int) -> Operation:
    """Return the operation of a request."""
    own = None
    if request == foreign_requests.TRANSMIT_FILE:
        info = foreign_requests.TransmitInfo.from_address(buffer)
        own = Route(info.pfnHseIO, info.pContext)
    return Operation(lambda: foreign_requests.given(request, buffer, size, kind), buffer, own)


def of_write(buffer: int, size: int) -> Operation:
    """Return the operation of an asynchronous WriteClient."""
    return Operation(lambda: ctypes.string_at(buffer, size), buffer)
