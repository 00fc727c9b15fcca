"""The body of a request as a file: first what came with its head, then what ``ReadClient`` delivers.

Used on the thread that handles the request, one reader for one request. Nothing is read ahead of what is
asked for but the buffer of the ``io.BufferedReader`` around it.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from pyisapi import ExtensionError
from pyisapi._request_source import RequestError, RequestSource

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

BUFFER_BYTES = 64 * 1024

# What ReadClient reports when chunks outgrow what the server allows (ERROR_INVALID_DATA).
_TOO_LONG_FOR_SERVER = 13


class BodyReader(io.RawIOBase):
    """The unbuffered body, which ends with a ``RequestError`` where it passes the limit or breaks off."""

    def __init__(self, ecb: RequestSource, max_bytes: int | None) -> None:
        super().__init__()
        self._ecb = ecb
        self._total = ecb.TotalBytes
        self._max_bytes = max_bytes
        self._taken = 0
        self._refuse_too_long(self._total)
        self._available = memoryview(ecb.AvailableData)

    def readable(self) -> bool:
        """Say yes."""
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Fill a buffer with what comes next and return how many bytes that is; 0 is the end."""
        target = memoryview(buffer).cast("B")
        block = self._next(self._allowed(len(target)))
        self._taken += len(block)
        self._refuse_too_long(self._taken)
        if target and not block and self._taken < self._total:
            raise RequestError(400, "the body ends early")
        target[: len(block)] = block
        return len(block)

    def _allowed(self, wanted: int) -> int:
        """Return how much may be asked for: of a body of known length no more than is left of it."""
        if self._total >= 0:
            return min(wanted, self._total - self._taken)
        # One byte too many shows that the body is longer than allowed.
        return wanted if self._max_bytes is None else min(wanted, self._max_bytes + 1 - self._taken)

    def _next(self, size: int) -> bytes | memoryview:
        if size <= 0:
            return b""
        if not self._available:
            return self._read(size)
        block, self._available = self._available[:size], self._available[size:]
        return block

    def _read(self, size: int) -> bytes:
        try:
            return self._ecb.ReadClient(size)
        except ExtensionError as error:
            # A body of known length was measured before the script was called.
            if self._total >= 0 or error.errno != _TOO_LONG_FOR_SERVER:
                raise
            reason = "the body is longer than the server allows (maxAllowedContentLength)"
            raise RequestError(413, reason) from None

    def _refuse_too_long(self, length: int) -> None:
        if self._max_bytes is not None and length > self._max_bytes:
            self._taken = self._max_bytes + 1  # a second read is refused as well
            raise RequestError(413, f"the body is longer than {self._max_bytes} bytes")


def body(ecb: RequestSource, max_bytes: int | None = None) -> io.BufferedReader:
    """Return the request's body as a binary file: ``read``, ``readline``, ``readinto``, iteration.

    Once per request, because what has been read is gone. A body that is longer than ``max_bytes`` is a
    ``RequestError`` with status 413: at once if its length is known, else when that much has been read. So is
    a chunked body that outgrows the server's own limit, ``maxAllowedContentLength``, while it is read. A body
    that ends before its length is one with status 400; when the client goes away ``ExtensionError`` is
    raised. Reading blocks until as much has come as was asked for, up to 64 KiB at a time.
    """
    return io.BufferedReader(BodyReader(ecb, max_bytes), BUFFER_BYTES)
