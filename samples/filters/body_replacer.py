"""Replace a text in all HTML pages, byte for byte, whoever made them: files, extensions, error pages.

The environment variables BODY_REPLACER_SEARCH and BODY_REPLACER_REPLACEMENT are the text and what takes its
place; by default "Hello" becomes "Good day". A raw-data filter sees what goes over the wire, cut anywhere: it
finds the end of the head and takes chunks apart itself, and holds back what may be the beginning of the text.
What is not text/html is left alone, and so are compressed bodies, parts of files (206), HEAD and 304. The
server is not told that clients take compressed bodies: nothing could be replaced in them.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Any

import isapi
from isapi import isapicon
from isapi.simple import SimpleFilter

SEARCH = os.environ.get("BODY_REPLACER_SEARCH", "Hello").encode()
REPLACEMENT = os.environ.get("BODY_REPLACER_REPLACEMENT", "Good day").encode()

# Longer ones are no chunk sizes, heads or trailers: a server that sends them is not helped by waiting.
MAX_LINE_BYTES = 8 * 1024
MAX_HEAD_BYTES = 64 * 1024


class Replacer:
    """Replaces in a stream that comes in pieces, however it is cut."""

    def __init__(self) -> None:
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """Return what is certain by now."""
        # What is behind the last place is all that the next piece could complete a further one with.
        *done, rest = (self._held + data).split(SEARCH)
        certain = len(rest) - possible_beginning(rest)
        self._held = rest[certain:]
        return REPLACEMENT.join([*done, rest[:certain]])

    def end(self) -> bytes:
        """Return what was held back: it has become no text to be replaced."""
        held, self._held = self._held, b""
        return held


class Chunked:
    """A body in chunks: takes them apart, and makes new ones of what comes out of the replacer."""

    def __init__(self) -> None:
        self._replacer = Replacer()
        self._received = b""
        # Bytes missing of a chunk, with the line end behind it; None while the line with a size is to come.
        self._missing: int | None = None
        self._is_trailer = False
        self.is_over = False

    def feed(self, data: bytes) -> bytes:
        """Return the chunks that these bytes become."""
        self._received += data
        payload = b""
        while not self._is_trailer and (part := self._next_part()) is not None:
            payload += part
        changed = self._replacer.feed(payload)
        if not self._is_trailer:
            return chunk(changed)
        return chunk(changed + self._replacer.end()) + self._trailer()

    def end(self) -> bytes:
        """Return what is left of a body that was cut: it has no end then either."""
        return chunk(self._replacer.end())

    def _next_part(self) -> bytes | None:
        """Take the next part of a chunk from what was received; None when there is no more for now."""
        if self._missing is None:
            line, end, rest = self._received.partition(b"\r\n")
            if not end:
                limited(line, MAX_LINE_BYTES)
                return None
            # What follows a semicolon is an extension.
            size = int(line.partition(b";")[0], 16)
            self._received, self._is_trailer = rest, size == 0
            self._missing = size + 2
            return b""
        if not self._received:
            return None
        part, self._received = self._received[: self._missing], self._received[self._missing :]
        payload = part[: max(self._missing - 2, 0)]
        self._missing = self._missing - len(part) or None
        return payload

    def _trailer(self) -> bytes:
        """Return the end of the body, with the trailers as they came, once it is whole."""
        if self._received.startswith(b"\r\n"):
            end = 2
        else:
            end = self._received.find(b"\r\n\r\n") + 4
            if end < 4:
                limited(self._received, MAX_HEAD_BYTES)
                return b""
        trailer, self._received, self.is_over = self._received[:end], self._received[end:], True
        return b"0\r\n" + trailer + self._received


class UntilClosed:
    """A body that the end of the connection delimits."""

    def __init__(self) -> None:
        self._replacer = Replacer()
        self.is_over = False

    def feed(self, data: bytes) -> bytes:
        """Return what these bytes become."""
        return self._replacer.feed(data)

    def end(self) -> bytes:
        """Return what was held back."""
        return self._replacer.end()


class Response:
    """One response on its way: its head first, then a body of one kind or the other."""

    def __init__(self) -> None:
        self._head = b""
        self._body: Chunked | UntilClosed | None = None
        self.is_over = False

    def feed(self, data: bytes) -> bytes:
        """Return what the client is to get for these bytes."""
        head = b""
        if self._body is None:
            head, data = self._feed_head(data)
        if self._body is None:
            return head + data
        body = self._body.feed(data)
        self.is_over = self._body.is_over
        return head + body

    def end(self) -> bytes:
        """Return what was held back, once no more comes."""
        return self._head if self._body is None else self._body.end()

    def _feed_head(self, data: bytes) -> tuple[bytes, bytes]:
        """Return the head as soon as it is complete, and what follows it."""
        self._head += data
        head, end, rest = self._head.partition(b"\r\n\r\n")
        if not end:
            limited(head, MAX_HEAD_BYTES)
            return b"", b""
        self._head = b""
        if head.split(b" ", 2)[1].startswith(b"1"):
            # 100 Continue and the like: the response is yet to come.
            after, rest = self._feed_head(rest)
            return head + end + after, rest
        self._choose_body(fields(head))
        return head + end, rest

    def _choose_body(self, headers: dict[bytes, bytes]) -> None:
        if headers.get(b"transfer-encoding", b"").lower() == b"chunked":
            self._body = Chunked()
        elif b"transfer-encoding" not in headers and b"content-length" not in headers:
            self._body = UntilClosed()
        else:
            # A filter behind this one has said how long it is, and it must not become longer.
            self.is_over = True


class Connection:
    """What is known of a connection: the request's method, and the response that is being changed."""

    def __init__(self) -> None:
        self.method = b""
        self.response: Response | None = None


class BodyReplacer(SimpleFilter):
    """Replaces a text in HTML pages."""

    # Called last for the head of the response, and first for the bytes: others see what the client gets.
    filter_flags = (
        isapicon.SF_NOTIFY_PREPROC_HEADERS
        | isapicon.SF_NOTIFY_SEND_RESPONSE
        | isapicon.SF_NOTIFY_SEND_RAW_DATA
        | isapicon.SF_NOTIFY_END_OF_REQUEST
        | isapicon.SF_NOTIFY_ORDER_LOW
    )

    def HttpFilterProc(self, fc: isapi.HTTP_FILTER_CONTEXT) -> int:
        """Follow a request: its method, the head of its response, the bytes, and the end."""
        if fc.FilterContext is None:
            fc.FilterContext = Connection()
        connection: Connection = fc.FilterContext
        if fc.NotificationType == isapicon.SF_NOTIFY_PREPROC_HEADERS:
            begin(connection, fc)
        elif fc.NotificationType == isapicon.SF_NOTIFY_SEND_RESPONSE:
            prepare(connection, fc)
        elif fc.NotificationType == isapicon.SF_NOTIFY_SEND_RAW_DATA:
            change(connection, fc)
        elif fc.NotificationType == isapicon.SF_NOTIFY_END_OF_REQUEST:
            finish(connection, fc)
        return isapicon.SF_STATUS_REQ_NEXT_NOTIFICATION


def __FilterFactory__() -> BodyReplacer:
    if not SEARCH:
        raise ValueError("BODY_REPLACER_SEARCH is empty: there is nothing to look for")
    return BodyReplacer()


def begin(connection: Connection, fc: isapi.HTTP_FILTER_CONTEXT) -> None:
    """Take note of a request."""
    request = fc.GetData()
    connection.method, connection.response = request.GetHeader("method"), None
    request.SetHeader("Accept-Encoding:", "")


def prepare(connection: Connection, fc: isapi.HTTP_FILTER_CONTEXT) -> None:
    """Decide whether a response is to be changed, and take back what would not be true of it any more."""
    head, connection.response = fc.GetData(), None
    if not is_page(head):
        # What is left alone costs nothing from here on.
        fc.DisableNotifications(isapicon.SF_NOTIFY_SEND_RAW_DATA)
        return
    # Also for HEAD, whose headers are to be those of the page.
    head.SetHeader("Content-Length:", "")
    # Parts of the original would not fit into the page that the client has.
    if head.GetHeader("Accept-Ranges:", b""):
        head.SetHeader("Accept-Ranges:", "none")
    tag = head.GetHeader("ETag:", b"")
    if tag and not tag.startswith(b"W/"):
        head.SetHeader("ETag:", b"W/" + tag)
    if connection.method != b"HEAD" and head.HttpStatus not in (204, 304):
        connection.response = Response()


def is_page(head: Any) -> bool:
    """Tell whether a response has a whole page of HTML, and one that is not compressed."""
    kind = head.GetHeader("Content-Type:", b"").partition(b";")[0].strip().lower()
    encoding = head.GetHeader("Content-Encoding:", b"identity").strip().lower()
    part = head.HttpStatus == 206
    return kind == b"text/html" and encoding == b"identity" and not part


def change(connection: Connection, fc: isapi.HTTP_FILTER_CONTEXT) -> None:
    """Change some bytes of a response."""
    if connection.response is None or connection.response.is_over:
        return
    raw = fc.GetData()
    data = raw.InData or b""
    changed = connection.response.feed(data)
    # The server keeps what is set until the connection ends.
    if changed != data:
        raw.InData = changed


def finish(connection: Connection, fc: isapi.HTTP_FILTER_CONTEXT) -> None:
    """Send what was held back of a body without an end of its own."""
    response, connection.response = connection.response, None
    if response is not None and not response.is_over and (rest := response.end()):
        # A client that has gone does not miss it.
        with suppress(isapi.FilterError):
            fc.WriteClient(rest)


def possible_beginning(data: bytes) -> int:
    """Return how many bytes at the end may be the beginning of the text that is searched for."""
    longest = min(len(data), len(SEARCH) - 1)
    return next((size for size in range(longest, 0, -1) if data.endswith(SEARCH[:size])), 0)


def chunk(data: bytes) -> bytes:
    """Return a chunk; nothing for no data, since an empty one would be the end."""
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""


def fields(head: bytes) -> dict[bytes, bytes]:
    """Return the headers of a head by their names in lower case."""
    pairs = (line.partition(b":") for line in head.split(b"\r\n")[1:])
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def limited(data: bytes, limit: int) -> None:
    """Raise ValueError when so many bytes are still not a whole line, head or trailer."""
    if len(data) > limit:
        raise ValueError(f"no end within {limit} bytes: this is no HTTP response")
