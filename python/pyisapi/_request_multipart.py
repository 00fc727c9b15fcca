"""Forms of the type ``multipart/form-data`` (RFC 7578), read block by block within limits.

Memory holds one block and the text fields; a file part goes to a temporary file, which is on disk as soon as
it is longer than ``spool_bytes``. What does not follow the format is a ``RequestError`` with status 400, what
passes a limit one with 413.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import IO, BinaryIO

from pyisapi._request_fields import Headers
from pyisapi._request_parameters import value_and_parameters
from pyisapi._request_source import RequestError

BLOCK_BYTES = 64 * 1024
MAX_PART_HEADER_BYTES = 8 * 1024
MAX_PADDING_BYTES = 256
MAX_BOUNDARY_CHARACTERS = 70  # RFC 2046

# Those that cost no more than their length to decode; browsers send none but UTF-8.
_CHARSETS = frozenset({"utf-8", "us-ascii", "iso-8859-1", "windows-1252"})


@dataclass(frozen=True)
class FormLimits:
    """How much of a form is taken; what is more is refused with status 413.

    ``max_fields`` counts files too, ``max_bytes`` is the whole body, ``max_field_bytes`` the value of one
    field that is no file. A file longer than ``spool_bytes`` is kept on disk and not in memory.
    """

    max_bytes: int = 32 * 1024 * 1024
    max_fields: int = 1000
    max_field_bytes: int = 1024 * 1024
    spool_bytes: int = 256 * 1024


@dataclass(frozen=True)
class UploadedFile:
    """A file of a form. ``filename`` and ``content_type`` are what the client says of it.

    ``filename`` is without folders, but for the rest unchecked: do not use it as a path. ``file`` is at its
    beginning and is deleted when it, or the form, is closed.
    """

    filename: str
    content_type: str
    headers: Headers = field(repr=False)
    file: IO[bytes] = field(repr=False)
    size: int


class _Scanner:
    """The body as pieces between delimiters."""

    def __init__(self, body: BinaryIO) -> None:
        self._body = body
        # As if a line had ended before the body: its first delimiter then is like the others.
        self._buffer = bytearray(b"\r\n")

    def until(self, delimiter: bytes) -> Iterator[bytes]:
        """Yield what stands before a delimiter, in blocks, and go behind it."""
        while (found := self._buffer.find(delimiter)) < 0:
            # A delimiter may have begun at the end of the buffer.
            safe = len(self._buffer) - len(delimiter) + 1
            if safe > 0:
                yield self._take(safe)
            self._fill()
        yield self._take(found)
        self._take(len(delimiter))

    def at_last_boundary(self) -> bool:
        """Read the rest of a boundary's line; after the last boundary there are two hyphens."""
        while len(self._buffer) < 2:
            self._fill()
        if self._buffer.startswith(b"--"):
            return True
        if self.head(b"\r\n", MAX_PADDING_BYTES).strip(b" \t"):
            raise RequestError(400, "a boundary of the form is followed by other text")
        return False

    def head(self, delimiter: bytes, max_bytes: int) -> bytes:
        """Return what stands before a delimiter, which must come soon, and go behind it."""
        while (found := self._buffer.find(delimiter, 0, max_bytes)) < 0:
            if len(self._buffer) >= max_bytes:
                raise RequestError(
                    400, "a part of the form does not begin with headers, or they are too long"
                )
            self._fill()
        head = self._take(found)
        self._take(len(delimiter))
        return head

    def _fill(self) -> None:
        block = self._body.read(BLOCK_BYTES)
        if not block:
            raise RequestError(400, "the form ends before its last boundary")
        self._buffer += block

    def _take(self, size: int) -> bytes:
        taken = bytes(memoryview(self._buffer)[:size])
        del self._buffer[:size]
        return taken


@dataclass(frozen=True)
class _Part:
    name: str
    filename: str | None
    headers: Headers
    content_type: str
    charset: str


def parts(
    body: BinaryIO, boundary: str, limits: FormLimits, keep: Callable[[IO[bytes]], object]
) -> Iterator[tuple[str, str | UploadedFile]]:
    """Yield the fields and files of a form; each file is given to ``keep`` as soon as it is open."""
    scanner, delimiter = _Scanner(body), b"\r\n--" + _checked(boundary)
    for _ in scanner.until(delimiter):
        pass  # what stands before the first boundary is no part of the form
    count = 0
    while not scanner.at_last_boundary():
        count += 1
        if count > limits.max_fields:
            raise RequestError(413, f"the form has more than {limits.max_fields} fields")
        part = _part(scanner.head(b"\r\n\r\n", MAX_PART_HEADER_BYTES))
        blocks = scanner.until(delimiter)
        if part.filename is None:
            yield part.name, _text(part, blocks, limits.max_field_bytes)
            continue
        file = _file(part, part.filename, blocks, limits.spool_bytes, keep)
        # A browser sends an empty part without a name where no file was chosen.
        if file.size or file.filename:
            yield part.name, file


def _checked(boundary: str) -> bytes:
    if (
        not 0 < len(boundary) <= MAX_BOUNDARY_CHARACTERS
        or not boundary.isascii()
        or boundary != boundary.strip()
    ):
        raise RequestError(400, "the form's content type has no usable boundary")
    return boundary.encode()


def _part(block: bytes) -> _Part:
    """Read a part's headers."""
    headers = Headers(lambda: block)
    encoding = headers.get("Content-Transfer-Encoding", "binary").lower()
    if encoding not in ("7bit", "8bit", "binary"):
        raise RequestError(400, "a part of the form has a transfer encoding, which RFC 7578 does not allow")
    # Clients write names as UTF-8.
    disposition = headers.get("Content-Disposition", "").encode("iso-8859-1").decode("utf-8", "replace")
    kind, parameters = value_and_parameters(disposition) or ("", {})
    if kind != "form-data" or "name" not in parameters:
        raise RequestError(400, "a part of the form has no name")
    content_type, type_parameters = value_and_parameters(headers.get("Content-Type", "text/plain")) or (
        "",
        {},
    )
    charset = type_parameters.get("charset", "utf-8").lower()
    return _Part(parameters["name"], parameters.get("filename"), headers, content_type, charset)


def _text(part: _Part, blocks: Iterator[bytes], max_bytes: int) -> str:
    if part.charset not in _CHARSETS:
        raise RequestError(400, "a field of the form has a character set that is not known here")
    value = bytearray()
    for block in blocks:
        value += block
        if len(value) > max_bytes:
            raise RequestError(413, f"a field of the form is longer than {max_bytes} bytes")
    return value.decode(part.charset, "replace")


def _file(
    part: _Part, filename: str, blocks: Iterator[bytes], spool_bytes: int, keep: Callable[[IO[bytes]], object]
) -> UploadedFile:
    # A size of 0 would mean that nothing is ever put on disk.
    file = tempfile.SpooledTemporaryFile(max_size=max(spool_bytes, 1))  # noqa: SIM115 -- the form closes it
    keep(file)
    size = sum(file.write(block) for block in blocks)
    file.seek(0)
    # Some clients send a path; browsers do not.
    return UploadedFile(re.split(r"[/\\]", filename)[-1], part.content_type, part.headers, file, size)
