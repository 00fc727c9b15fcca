"""The response in Python's terms: a whole answer in one call, and a text file to print to.

Used on the thread that answers the request, while the request is not finished.
"""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, Protocol

__all__ = ["ResponseSink", "TextWriter", "respond"]

# What would end a header's line, and so let a value become further headers.
_LINE_BREAK = re.compile(r"[\r\n\0]")

_NO_BODY = re.compile(r"1..|204|304")


class ResponseSink(Protocol):
    """The part of ``EXTENSION_CONTROL_BLOCK`` that takes the response."""

    @property
    def Method(self) -> bytes:
        """The request's method."""
        ...

    def SendResponseHeaders(self, status: str, headers: bytes, keep_alive: int, /) -> Any:
        """Send the status and the header block."""
        ...

    def WriteClient(self, data: bytes, /) -> int:
        """Send a part of the body and return the bytes written."""
        ...


def respond(
    ecb: ResponseSink,
    status: int | str,
    body: str | bytes = b"",
    headers: Mapping[str, str] | Iterable[tuple[str, str]] = (),
) -> None:
    """Send a whole answer: status (404 or "404 Not Found"), headers and body. The request is not finished.

    Text is sent as UTF-8. ``Content-Length`` is added, so the connection is kept, and ``Content-Type`` unless
    it is given: ``text/plain`` for ``str``, ``application/octet-stream`` for ``bytes``. A line break in a
    header, or a body where the status has none, is a ``ValueError``, a body that is neither text nor bytes a
    ``TypeError``, and nothing has been sent then.
    """
    line, block, data = compose(status, body, headers)
    ecb.SendResponseHeaders(line, block, True)
    if data and ecb.Method != b"HEAD":
        ecb.WriteClient(data)


def compose(
    status: int | str, body: str | bytes, headers: Mapping[str, str] | Iterable[tuple[str, str]]
) -> tuple[str, bytes, bytes]:
    """Return the status line, the header block with its empty line, and the body of a whole answer."""
    line = _status_line(status)
    data = _encoded(body)
    pairs = list(headers.items() if isinstance(headers, Mapping) else headers)
    if not _NO_BODY.match(line):
        text_type = "text/plain; charset=utf-8" if isinstance(body, str) else "application/octet-stream"
        given = {name.lower() for name, _ in pairs}
        added = [("Content-Type", text_type), ("Content-Length", str(len(data)))]
        pairs += [(name, value) for name, value in added if name.lower() not in given]
    elif data:
        raise ValueError(f"an answer with status {line} has no body")
    return line, header_lines(pairs) + b"\r\n", data


def _encoded(body: str | bytes) -> bytes:
    if isinstance(body, str):
        return body.encode()
    # Through a view: bytes() would take a number for a length.
    return body if isinstance(body, bytes) else bytes(memoryview(body))


def _status_line(status: int | str) -> str:
    if isinstance(status, int):
        try:
            return f"{int(status)} {HTTPStatus(status).phrase}"
        except ValueError:
            return f"{status} Unknown"
    if _LINE_BREAK.search(status):
        raise ValueError(f"a status is one line: {status!r}")
    return status


def header_lines(pairs: Iterable[tuple[str, str]]) -> bytes:
    """Return header lines, each with its line end; ``ValueError`` for what would be further lines."""
    lines = []
    for name, value in pairs:
        if not name or ":" in name or _LINE_BREAK.search(name + value):
            raise ValueError(f"not a header: {name!r}: {value!r}")
        lines.append(f"{name}: {value}\r\n")
    return "".join(lines).encode("iso-8859-1")


class TextWriter(io.TextIOBase):
    """A text file whose content is the body of the response: for ``print(..., file=writer)``.

    Send the headers first. Text is encoded as it comes, newlines stay as they are, and ``buffer_bytes`` are
    collected before the client gets them. ``flush`` sends what there is; ``close``, which the end of a
    ``with`` block calls, sends the rest and leaves the request open. Close it before the request is finished:
    what cannot be sent is an exception, or a traceback in the log when the writer was left to the garbage
    collector.

    ``errors`` says what happens to characters that the encoding lacks, as in ``str.encode``; with "strict" a
    ``write`` that raises has written nothing. For one thread at a time.
    """

    def __init__(
        self,
        ecb: ResponseSink,
        encoding: str = "utf-8",
        errors: str = "strict",
        buffer_bytes: int = 16 * 1024,
    ) -> None:
        super().__init__()
        codecs.lookup_error(errors)
        self._ecb = ecb
        self._encoding, self._errors = codecs.lookup(encoding).name, errors
        self._encoder = codecs.getincrementalencoder(encoding)(errors)
        self._buffer_bytes = buffer_bytes
        self._pending = bytearray()

    # typeshed has these as plain attributes.
    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The name of the encoding."""
        return self._encoding

    @property
    def errors(self) -> str:  # type: ignore[override]
        """What happens to characters that the encoding lacks."""
        return self._errors

    def writable(self) -> bool:
        """Say yes."""
        return True

    def write(self, text: str, /) -> int:
        """Take a text and return its length in characters."""
        self._refuse_when_closed()
        if not isinstance(text, str):
            raise TypeError(f"write() takes str, not {type(text).__name__}")
        self._pending += self._encoder.encode(text)
        if len(self._pending) >= self._buffer_bytes:
            self._send()
        return len(text)

    def flush(self) -> None:
        """Send what was collected. Data that could not be sent is gone, and the exception says so."""
        self._refuse_when_closed()
        self._send()

    def close(self) -> None:
        """Send what was collected and take no more; a second call does nothing."""
        if self.closed:
            return
        self._pending += self._encoder.encode("", final=True)
        super().close()  # which flushes, and closes also when that fails

    def __del__(self) -> None:
        # Not left to the base class, which keeps exceptions to itself.
        if not self.closed and hasattr(self, "_pending"):
            self.close()

    def _refuse_when_closed(self) -> None:
        if self.closed:
            raise ValueError("the writer is closed")

    def _send(self) -> None:
        data, self._pending = bytes(self._pending), bytearray()
        while data:
            sent = self._ecb.WriteClient(data)
            if sent <= 0:
                raise OSError(f"the server took none of {len(data)} bytes")
            data = data[sent:]
