"""Filters in Python's terms: one method for each event, and an object with plain text for what it is about.

A script derives from :class:`Filter`, overrides the events that it wants and returns an instance from
``__FilterFactory__``. It works in any server that has ISAPI filters. Methods are called on the server's own
threads, many at once, and the request waits for them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pyisapi._filter_events import (
    AuthenticatedRequest,
    Chunk,
    Denial,
    Event,
    LogEntry,
    Login,
    Request,
    Response,
    UrlMapping,
)
from pyisapi._filter_members import MessageHeaders
from pyisapi.isapicon import (
    SF_NOTIFY_ACCESS_DENIED,
    SF_NOTIFY_AUTH_COMPLETE,
    SF_NOTIFY_AUTHENTICATION,
    SF_NOTIFY_END_OF_NET_SESSION,
    SF_NOTIFY_END_OF_REQUEST,
    SF_NOTIFY_LOG,
    SF_NOTIFY_NONSECURE_PORT,
    SF_NOTIFY_ORDER_HIGH,
    SF_NOTIFY_ORDER_LOW,
    SF_NOTIFY_ORDER_MEDIUM,
    SF_NOTIFY_PREPROC_HEADERS,
    SF_NOTIFY_READ_RAW_DATA,
    SF_NOTIFY_SECURE_PORT,
    SF_NOTIFY_SEND_RAW_DATA,
    SF_NOTIFY_SEND_RESPONSE,
    SF_NOTIFY_URL_MAP,
)
from pyisapi.simple import SimpleFilter

if TYPE_CHECKING:
    from pyisapi._bridge import HTTP_FILTER_CONTEXT, HTTP_FILTER_VERSION

__all__ = [
    "AuthenticatedRequest",
    "Chunk",
    "Denial",
    "Event",
    "Filter",
    "LogEntry",
    "Login",
    "MessageHeaders",
    "Request",
    "Response",
    "UrlMapping",
]

_ORDERS = {"high": SF_NOTIFY_ORDER_HIGH, "medium": SF_NOTIFY_ORDER_MEDIUM, "low": SF_NOTIFY_ORDER_LOW}

_EVENTS: dict[int, tuple[str, type[Event]]] = {
    SF_NOTIFY_READ_RAW_DATA: ("on_receive", Chunk),
    SF_NOTIFY_PREPROC_HEADERS: ("on_request", Request),
    SF_NOTIFY_URL_MAP: ("on_map_url", UrlMapping),
    SF_NOTIFY_AUTHENTICATION: ("on_authenticate", Login),
    SF_NOTIFY_AUTH_COMPLETE: ("on_authenticated", AuthenticatedRequest),
    SF_NOTIFY_ACCESS_DENIED: ("on_denied", Denial),
    SF_NOTIFY_SEND_RESPONSE: ("on_response", Response),
    SF_NOTIFY_SEND_RAW_DATA: ("on_send", Chunk),
    SF_NOTIFY_END_OF_REQUEST: ("on_request_end", Event),
    SF_NOTIFY_LOG: ("on_log", LogEntry),
    SF_NOTIFY_END_OF_NET_SESSION: ("on_connection_end", Event),
}


class Filter(SimpleFilter):
    """Base class of filters with a method for each event; only those that a class overrides are asked for.

    A method returns nothing, and the request goes on; or an ``SF_STATUS_REQ_*``. After ``respond`` nothing is
    to be returned: the request is answered. An exception is logged, and the server gives up the request.
    """

    priority: ClassVar[Literal["high", "medium", "low"]] = "low"
    """When this filter is called, among several: high ones first, for ``on_send`` last."""
    secure: ClassVar[bool] = True
    """Whether to hear of requests over TLS."""
    nonsecure: ClassVar[bool] = True
    """Whether to hear of requests without TLS."""

    def on_receive(self, chunk: Chunk) -> int | None:
        """Look at bytes from the client. Refused by IIS 6 and later: such a filter does not load."""

    def on_request(self, request: Request) -> int | None:
        """Look at a request whose headers have been read; once for each request."""

    def on_map_url(self, mapping: UrlMapping) -> int | None:
        """Look at where a URL leads; several times for each request."""

    def on_authenticate(self, login: Login) -> int | None:
        """Look at a name and password before the server checks them."""

    def on_authenticated(self, request: AuthenticatedRequest) -> int | None:
        """Look at a request whose user is known."""

    def on_denied(self, denial: Denial) -> int | None:
        """Look at a request that the server is about to answer with 401."""

    def on_response(self, response: Response) -> int | None:
        """Look at a response whose headers are about to be sent."""

    def on_send(self, chunk: Chunk) -> int | None:
        """Look at bytes on their way to the client, headers included; any number of times."""

    def on_request_end(self, event: Event) -> int | None:
        """Hear of the end of a request."""

    def on_log(self, entry: LogEntry) -> int | None:
        """Look at the log entry before it is written."""

    def on_connection_end(self, event: Event) -> int | None:
        """Hear of the end of a connection; afterwards ``state`` is released."""

    def GetFilterVersion(self, fv: HTTP_FILTER_VERSION | None) -> Any:
        """Tell the server which notifications to send; ``fv`` is None after a reload."""
        self.filter_flags = self._flags()
        return super().GetFilterVersion(fv)

    def HttpFilterProc(self, fc: HTTP_FILTER_CONTEXT) -> int | None:
        """Call the method of the event."""
        method, kind = _EVENTS[fc.NotificationType]
        event = kind(fc)
        result: int | None = getattr(self, method)(event)
        return event.result if result is None else result

    def _flags(self) -> int:
        wanted = sum(flag for flag, (method, _) in _EVENTS.items() if self._overrides(method))
        if not wanted:
            raise RuntimeError(f"{type(self).__name__} overrides none of the on_... methods of Filter")
        if self.priority not in _ORDERS:
            raise RuntimeError(f"{type(self).__name__}.priority must be one of {', '.join(_ORDERS)}")
        if not (self.secure or self.nonsecure):
            raise RuntimeError(
                f"{type(self).__name__} excludes all requests: secure and nonsecure are both false"
            )
        ports = self.secure * SF_NOTIFY_SECURE_PORT | self.nonsecure * SF_NOTIFY_NONSECURE_PORT
        return wanted | ports | _ORDERS[self.priority]

    def _overrides(self, method: str) -> bool:
        own = getattr(type(self), method)
        return own is not getattr(Filter, method)
