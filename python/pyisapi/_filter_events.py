"""What the methods of :class:`pyisapi.filters.Filter` are given: one class for each kind of event.

An event lasts until its method returns; then it raises ``RuntimeError``. ``context`` and ``data`` are the
server's own objects, for what is not here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pyisapi._filter_members import (
    LineMember,
    MessageHeaders,
    Number,
    Text,
    WritableNumber,
    WritableText,
    decoded,
    encoded,
)
from pyisapi.isapicon import SF_STATUS_REQ_FINISHED, SF_STATUS_REQ_FINISHED_KEEP_CONN
from pyisapi.response import compose, header_lines

if TYPE_CHECKING:
    from pyisapi._bridge import HTTP_FILTER_CONTEXT


class Event:
    """One notification; by itself the end of a request or of a connection, which come without data."""

    result: int | None = None
    """What the filter returns to the server unless its method returns something itself."""

    def __init__(self, context: HTTP_FILTER_CONTEXT) -> None:
        self.context = context

    @cached_property
    def data(self) -> Any:
        """The server's data object."""
        return self.context.GetData()

    @property
    def is_secure(self) -> bool:
        """Whether the request came over TLS."""
        return bool(self.context.fIsSecurePort)

    @property
    def state(self) -> Any:
        """An object of the filter's own for this connection, ``None`` at first.

        A connection may carry many requests, one after the other.
        """
        return self.context.FilterContext

    @state.setter
    def state(self, value: object) -> None:
        self.context.FilterContext = value

    def variable(self, name: str, default: str = "") -> str:
        """Return a server variable, or the default. Many have no value before ``on_request``."""
        value = self.context.GetServerVariable(name, None)
        if value is None:
            return default
        return value if isinstance(value, str) else decoded(value)

    def add_response_header(self, name: str, value: str) -> None:
        """Have a header added to the response; a line break in it is a ``ValueError``."""
        self.context.AddResponseHeaders(header_lines([(name, value)]))

    def stop(self, notifications: int) -> None:
        """Get none of these ``SF_NOTIFY_*`` for the rest of the request."""
        self.context.DisableNotifications(notifications)


class Answerable(Event):
    """An event at which the filter may answer in place of the server."""

    _keeps_connection = True

    def respond(
        self,
        status: int | str,
        body: str | bytes = b"",
        headers: Mapping[str, str] | Iterable[tuple[str, str]] = (),
    ) -> None:
        """Send a whole answer, as :func:`pyisapi.response.respond` does; the request ends with it."""
        line, block, content = compose(status, body, headers)
        self.context.SendResponseHeader(line, block)
        if content and self.variable("REQUEST_METHOD") != "HEAD":
            self.context.WriteClient(content)
        keep = self._keeps_connection
        self.result = SF_STATUS_REQ_FINISHED_KEEP_CONN if keep else SF_STATUS_REQ_FINISHED


class Request(Answerable):
    """A request whose headers have been read, before the server looks at them."""

    url = LineMember(
        "url", "The URL with its query, as the client sent it; set it to have another one served."
    )
    version = LineMember("version", "The version, such as HTTP/1.1.")

    @property
    def method(self) -> str:
        """The method."""
        return decoded(self.data.GetHeader("method", b""))

    @method.setter
    def method(self, method: str) -> None:
        self.data.SetHeader("method", encoded(method))
        # Nothing tells any more whether the client waits for a body.
        self._keeps_connection = False

    @property
    def path(self) -> str:
        """The URL up to its query, not decoded."""
        return self.url.partition("?")[0]

    @property
    def query(self) -> str:
        """The URL's query, not decoded, without the question mark."""
        return self.url.partition("?")[2]

    @property
    def headers(self) -> MessageHeaders:
        """The request's headers."""
        return MessageHeaders(self.data)


class AuthenticatedRequest(Request):
    """A request whose user is known."""

    @property
    def user(self) -> str:
        """The user's name, empty for nobody."""
        return self.variable("REMOTE_USER")

    @property
    def token(self) -> int:
        """The handle of the user's token, which belongs to the server."""
        token: int = self.data.GetUserToken()
        return token

    def authenticate_again(self) -> None:
        """Have the server authenticate once more, after ``url`` was set."""
        self.data.ResetAuth = True


class UrlMapping(Answerable):
    """Where a URL leads. Asked several times for each request, also when a script maps a path."""

    url = Text("URL", "The URL.")
    path = WritableText(
        "PhysicalPath",
        "The file-system path; ``ValueError`` for one that does not fit the server's buffer.",
    )
    flags = Number("Flags", "The ``HSE_URL_FLAGS_*`` of that place (IIS 7 and later).")


class Login(Answerable):
    """A name and a password, both empty for an anonymous request; ``ValueError`` for more than 256 bytes."""

    user = WritableText("User", "The user's name; an empty one makes the request anonymous.")
    password = WritableText("Password", "The password.")


class Denial(Answerable):
    """A request that is answered with 401."""

    url = Text("URL", "The URL.")
    path = Text("PhysicalPath", "The file-system path it leads to.")
    reason = Number("Reason", "Why, as bits of ``SF_DENIED_*``.")

    def add_denial_header(self, name: str, value: str) -> None:
        """Have a header added to the server's own answer."""
        self.context.AddHeadersOnDenial(header_lines([(name, value)]))


class Response(Event):
    """A response whose headers are about to be sent."""

    status = Number("HttpStatus", "The status as a number; set ``status_line`` to change it.")
    status_line = LineMember("status", 'Status and reason, such as "404 Not Found".')

    @property
    def headers(self) -> MessageHeaders:
        """The response's headers."""
        return MessageHeaders(self.data)


class Chunk(Event):
    """Bytes on their way to or from the client."""

    @property
    def content(self) -> bytes:
        """The bytes; set others to have those sent."""
        return self.data.InData or b""

    @content.setter
    def content(self, content: bytes) -> None:
        self.data.InData = content


class LogEntry(Event):
    """The log entry, before it is written."""

    client = WritableText("ClientHostName", "The client's name or address.")
    user = WritableText("ClientUserName", "The user's name.")
    server = WritableText("ServerName", "The server's name.")
    method = WritableText("Operation", "The method.")
    target = WritableText("Target", "The path of the URL.")
    query = WritableText("Parameters", "The query.")
    status = WritableNumber("HttpStatus", "The HTTP status.")
    win32_status = WritableNumber("Win32Status", "The Win32 code, 0 if all went well.")
    bytes_sent = Number("BytesSent", "How many bytes were sent.")
    bytes_received = Number("BytesRecvd", "How many bytes were received.")
    milliseconds = Number("TimeForProcessing", "How long the request took.")
