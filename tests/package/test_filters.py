"""The base class of filters and its events, over stand-ins for the server's objects."""

from __future__ import annotations

from typing import Any

import pytest

from pyisapi import filters, isapicon
from pyisapi.filters import Filter


class Version:
    """HTTP_FILTER_VERSION."""

    Flags = 0
    FilterDesc: object = None


class Headers:
    """HTTP_FILTER_PREPROC_HEADERS and its like, with the server's rules."""

    HttpStatus = 404

    def __init__(self, **values: bytes) -> None:
        self.values: dict[str, bytes] = dict(values)
        self.added: list[tuple[str, bytes]] = []
        self.ResetAuth = False

    def GetHeader(self, name: str, default: object) -> object:
        return self.values.get(name.lower(), default)

    def SetHeader(self, name: str, value: bytes) -> None:
        self.values.pop(name.lower(), None)
        if value:
            self.values[name.lower()] = value

    def AddHeader(self, name: str, value: bytes) -> None:
        self.added.append((name, value))

    def GetUserToken(self) -> int:
        return 77


class Data:
    """Any of the structs with members."""

    def __init__(self, **members: object) -> None:
        vars(self).update(members)


class Context:
    """HTTP_FILTER_CONTEXT; `calls` has what the filter called."""

    fIsSecurePort = 1

    def __init__(self, kind: int, data: object = None, **variables: object) -> None:
        self.NotificationType, self.data, self.variables = kind, data, variables
        self.FilterContext: object = None
        self.calls: list[tuple[object, ...]] = []

    def GetData(self) -> object:
        return self.data

    def GetServerVariable(self, name: str, default: object) -> object:
        return self.variables.get(name, default)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return lambda *arguments: self.calls.append((name, *arguments))


def flags_of(handler: Filter) -> int:
    version: Any = Version()
    handler.GetFilterVersion(version)
    return int(version.Flags)


def send(handler: Filter, context: Context) -> int | None:
    given: Any = context
    return handler.HttpFilterProc(given)


EVENTS = {
    "on_receive": isapicon.SF_NOTIFY_READ_RAW_DATA,
    "on_request": isapicon.SF_NOTIFY_PREPROC_HEADERS,
    "on_map_url": isapicon.SF_NOTIFY_URL_MAP,
    "on_authenticate": isapicon.SF_NOTIFY_AUTHENTICATION,
    "on_authenticated": isapicon.SF_NOTIFY_AUTH_COMPLETE,
    "on_denied": isapicon.SF_NOTIFY_ACCESS_DENIED,
    "on_response": isapicon.SF_NOTIFY_SEND_RESPONSE,
    "on_send": isapicon.SF_NOTIFY_SEND_RAW_DATA,
    "on_request_end": isapicon.SF_NOTIFY_END_OF_REQUEST,
    "on_log": isapicon.SF_NOTIFY_LOG,
    "on_connection_end": isapicon.SF_NOTIFY_END_OF_NET_SESSION,
}


@pytest.mark.parametrize(("method", "flag"), EVENTS.items())
def test_only_overridden_events_are_asked_for_and_called(method: str, flag: int) -> None:
    seen: list[Any] = []

    def handle(self: Filter, event: filters.Event) -> int:
        seen.append(event)
        return 5

    kind = type("Own", (Filter,), {method: handle})
    assert flags_of(kind()) == flag | isapicon.SF_NOTIFY_ORDER_LOW | 3
    context: Any = Context(flag)
    assert send(kind(), context) == 5
    [event] = seen
    assert isinstance(event, filters.Event) and event.context is context


def test_event_of_a_base_class_counts() -> None:
    class Base(Filter):
        def on_log(self, entry: filters.LogEntry) -> None: ...

    class Own(Base):
        def on_request(self, request: filters.Request) -> None: ...

    assert flags_of(Own()) & 0xFFFF & ~3 == isapicon.SF_NOTIFY_LOG | isapicon.SF_NOTIFY_PREPROC_HEADERS


def test_priority_and_ports_are_class_attributes() -> None:
    class Own(Filter):
        priority = "high"
        nonsecure = False

        def on_log(self, entry: filters.LogEntry) -> None: ...

    assert flags_of(Own()) == 0x200 | isapicon.SF_NOTIFY_ORDER_HIGH | isapicon.SF_NOTIFY_SECURE_PORT


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"on_log": lambda self, entry: None, "priority": "highest"},
        {"on_log": lambda self, entry: None, "secure": False, "nonsecure": False},
    ],
)
def test_filter_that_can_never_work_does_not_load(members: dict[str, object]) -> None:
    with pytest.raises(RuntimeError, match="Own"):
        type("Own", (Filter,), members)().GetFilterVersion(None)


def test_event_that_was_not_asked_for_is_let_pass() -> None:
    assert send(Filter(), Context(isapicon.SF_NOTIFY_END_OF_NET_SESSION)) is None


# Events


def test_request_is_read_and_changed() -> None:
    data = Headers(url=b"/\xc3\xa9\xff?a=b", method=b"GET", version=b"HTTP/1.1")
    request = filters.Request(any_context(data))
    assert (request.url, request.path, request.query) == ("/\u00e9\udcff?a=b", "/\u00e9\udcff", "a=b")
    assert (request.method, request.version, request.is_secure) == ("GET", "HTTP/1.1", True)
    request.url = request.url.replace("a=b", "c")
    request.method = "POST"
    assert (data.values["url"], data.values["method"]) == (b"/\xc3\xa9\xff?c", b"POST")


def any_context(data: object = None, **variables: object) -> Any:
    return Context(0, data, **variables)


def test_headers_are_found_set_added_and_deleted() -> None:
    data = Headers(**{"host:": b"h\xe9", "a:": b"1"})
    headers = filters.Request(any_context(data)).headers
    assert (headers["Host"], headers.get("No"), headers.get("No", "x")) == ("h\u00e9", None, "x")
    assert "A" in headers and "No" not in headers
    headers["B"] = "\u00e9"
    del headers["A"]
    headers.add("C", "2")
    assert (data.values, data.added) == ({"host:": b"h\xe9", "b:": b"\xe9"}, [("C:", b"2")])


@pytest.mark.parametrize("use", [lambda headers: headers["No"], lambda headers: headers.__delitem__("No")])
def test_missing_header_is_a_key_error(use: Any) -> None:
    with pytest.raises(KeyError, match="No"):
        use(filters.Request(any_context(Headers())).headers)


@pytest.mark.parametrize("name", ["", "A:", "url:"])
def test_name_of_a_header_has_no_colon(name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        filters.Request(any_context(Headers())).headers[name] = "x"


def test_headers_cannot_be_listed() -> None:
    headers: Any = filters.Request(any_context(Headers())).headers
    with pytest.raises(TypeError):
        list(headers)


@pytest.mark.parametrize(("method", "sends_body"), [(b"GET", True), (b"HEAD", False)])
def test_answer_is_sent_whole_and_ends_the_request(method: bytes, sends_body: bool) -> None:
    class Own(Filter):
        def on_request(self, request: filters.Request) -> None:
            request.respond(403, "no\u00e9", {"X-Reason": "rule"})

    context = Context(isapicon.SF_NOTIFY_PREPROC_HEADERS, Headers(), REQUEST_METHOD=method)
    assert send(Own(), context) == isapicon.SF_STATUS_REQ_FINISHED_KEEP_CONN
    block = b"X-Reason: rule\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 4\r\n\r\n"
    body = [("WriteClient", b"no\xc3\xa9")] if sends_body else []
    assert context.calls == [("SendResponseHeader", "403 Forbidden", block), *body]


def test_answer_after_the_method_was_changed_closes_the_connection() -> None:
    request = filters.Request(any_context(Headers(), REQUEST_METHOD=b"GET"))
    request.method = "GET"
    request.respond(200, "x")
    assert request.result == isapicon.SF_STATUS_REQ_FINISHED


def test_what_a_method_returns_goes_before_the_answer() -> None:
    class Own(Filter):
        def on_denied(self, denial: filters.Denial) -> int:
            denial.respond(401, "x")
            return isapicon.SF_STATUS_REQ_ERROR

    assert send(Own(), Context(isapicon.SF_NOTIFY_ACCESS_DENIED, Data())) == isapicon.SF_STATUS_REQ_ERROR


@pytest.mark.parametrize("headers", [{"A": "b\r\nC: d"}, {"A\nB": "c"}, {"": "c"}, {"A:": "b"}])
def test_header_with_a_line_break_is_refused_before_anything_is_sent(headers: dict[str, str]) -> None:
    context = any_context(Headers())
    with pytest.raises(ValueError, match="header"):
        filters.Request(context).respond(200, "x", headers)
    [(name, value)] = headers.items()
    with pytest.raises(ValueError, match="header"):
        filters.Event(context).add_response_header(name, value)
    with pytest.raises(ValueError, match="header"):
        filters.Denial(context).add_denial_header(name, value)
    assert context.calls == []


def test_calls_of_any_event() -> None:
    context = any_context(None, A=b"\xc3\xa9", UNICODE_B="\u00e9")
    event = filters.Event(context)
    assert (event.variable("A"), event.variable("UNICODE_B")) == ("\u00e9", "\u00e9")
    assert (event.variable("C"), event.variable("C", "none")) == ("", "none")
    assert event.state is None
    event.state = 5
    assert (event.state, context.FilterContext) == (5, 5)
    event.add_response_header("A", "b")
    event.stop(isapicon.SF_NOTIFY_LOG)
    assert context.calls == [("AddResponseHeaders", b"A: b\r\n"), ("DisableNotifications", 0x200)]


def test_user_of_an_authenticated_request() -> None:
    data = Headers(url=b"/")
    request = filters.AuthenticatedRequest(any_context(data, REMOTE_USER=b"me"))
    request.url = "/other"
    request.authenticate_again()
    assert (request.user, request.token, data.ResetAuth, data.values["url"]) == ("me", 77, True, b"/other")


def test_response_has_its_status_and_headers() -> None:
    data = Headers(status=b"404 Not Found", **{"a:": b"b"})
    response = filters.Response(any_context(data))
    assert (response.status, response.status_line, response.headers["A"]) == (404, "404 Not Found", "b")
    response.status_line = "410 Gone"
    assert data.values["status"] == b"410 Gone"


@pytest.mark.parametrize(
    ("kind", "name", "member", "given", "value", "new"),
    [
        ("UrlMapping", "path", "PhysicalPath", b"/srv/\xff", "/srv/\udcff", "/other/\udcff"),
        ("Login", "user", "User", None, "", "me"),
        ("Login", "password", "Password", b"secret", "secret", "other"),
        ("Chunk", "content", "InData", None, b"", b"new"),
        ("LogEntry", "client", "ClientHostName", b"::1", "::1", "::2"),
        ("LogEntry", "user", "ClientUserName", b"", "", "me"),
        ("LogEntry", "server", "ServerName", b"a", "a", "b"),
        ("LogEntry", "method", "Operation", b"GET", "GET", "PUT"),
        ("LogEntry", "target", "Target", b"/", "/", "/x"),
        ("LogEntry", "query", "Parameters", b"a", "a", "b"),
        ("LogEntry", "status", "HttpStatus", 200, 200, 404),
        ("LogEntry", "win32_status", "Win32Status", 0, 0, 64),
    ],
)
def test_member_is_read_and_set(
    kind: str, name: str, member: str, given: object, value: object, new: Any
) -> None:
    data = Data(**{member: given})
    event = getattr(filters, kind)(any_context(data))
    assert getattr(event, name) == value
    setattr(event, name, new)
    expected = new.encode("utf-8", "surrogateescape") if isinstance(new, str) else new
    assert getattr(data, member) == expected and getattr(event, name) == new


@pytest.mark.parametrize(
    ("kind", "name", "member", "given"),
    [
        ("UrlMapping", "url", "URL", b"x"),
        ("UrlMapping", "flags", "Flags", 1),
        ("Denial", "url", "URL", b"x"),
        ("Denial", "path", "PhysicalPath", b"x"),
        ("Denial", "reason", "Reason", 1),
        ("Response", "status", "HttpStatus", 200),
        ("LogEntry", "bytes_sent", "BytesSent", 1),
        ("LogEntry", "bytes_received", "BytesRecvd", 1),
        ("LogEntry", "milliseconds", "TimeForProcessing", 1),
    ],
)
def test_member_is_read_only(kind: str, name: str, member: str, given: object) -> None:
    event = getattr(filters, kind)(any_context(Data(**{member: given})))
    assert getattr(event, name) == (given.decode() if isinstance(given, bytes) else given)
    with pytest.raises(AttributeError):
        setattr(event, name, given)
    assert getattr(getattr(filters, kind), name).__doc__
