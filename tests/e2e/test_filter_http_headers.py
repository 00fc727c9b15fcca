"""Filters over HTTP: the objects that have headers, in the request and in the response."""

from __future__ import annotations

import re
from typing import Any

import pytest
from filter_probe_client import FilterProbe, Visit
from probe_client import Raised, Value

REQUEST = ["PREPROC_HEADERS", "AUTH_COMPLETE"]
ALL = [*REQUEST, "SEND_RESPONSE"]
KINDS = {
    "PREPROC_HEADERS": "HTTP_FILTER_PREPROC_HEADERS",
    "AUTH_COMPLETE": "HTTP_FILTER_AUTH_COMPLETE_INFO",
    "SEND_RESPONSE": "HTTP_FILTER_SEND_RESPONSE",
}


def header_lines(visit: Visit) -> list[str]:
    """Return the headers that the extension has seen."""
    return visit.seen["ALL_RAW"].split("\r\n")


@pytest.mark.parametrize("name", ALL)
def test_object_is_of_its_kind(filter_probe: FilterProbe, name: str) -> None:
    source = "[type(data).__name__, data.HttpStatus, fc.GetData() is data]"
    status = 200 if name == "SEND_RESPONSE" else 0
    assert filter_probe.visit({name: source}).value(name) == [KINDS[name], status, False]


@pytest.mark.parametrize("name", REQUEST)
@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("data.GetHeader('url')", b"/a%20b?c=%20d"),
        ("data.GetHeader(b'url')", b"/a%20b?c=%20d"),
        ("data.GetHeader('method')", b"OPTIONS"),
        ("data.GetHeader('version')", b"HTTP/1.1"),
        ("data.GetHeader('X-Test:')", b"caf\xe9"),
        ("data.GetHeader('x-tEST:')", b"caf\xe9"),
        ("data.GetHeader('X-Empty:')", b""),
        ("data.GetHeader('X-None:', None)", None),
        ("data.GetHeader('X-None:', 5)", 5),
    ],
)
def test_request_is_read(filter_probe: FilterProbe, name: str, source: str, value: Any) -> None:
    headers = {"X-Test": "caf\xe9", "X-Empty": ""}
    visit = filter_probe.visit({name: source}, target="/a%20b?c=%20d", method="OPTIONS", headers=headers)
    assert visit.outcome(name) == Value(type(value).__name__, repr(value))


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize(
    ("source", "raised"),
    [
        ("data.GetHeader('X-None:')", Raised("FilterError", "(1413, None, 'GetHeader')")),
        ("data.GetHeader('Host')", Raised("FilterError", "(87, None, 'GetHeader')")),
        ("data.GetHeader('URL')", Raised("FilterError", "(87, None, 'GetHeader')")),
        ("data.SetHeader('X-A', 'b')", Raised("FilterError", "(87, None, 'SetHeader')")),
        ("data.SetHeader('X A:', 'b')", Raised("FilterError", "(87, None, 'SetHeader')")),
        ("data.SetHeader('', 'b')", Raised("FilterError", "(87, None, 'SetHeader')")),
        ("data.AddHeader('url', '/')", Raised("FilterError", "(87, None, 'AddHeader')")),
    ],
)
def test_what_is_no_header_is_refused(
    filter_probe: FilterProbe, name: str, source: str, raised: Raised
) -> None:
    visit = filter_probe.visit({name: source})
    assert (visit.outcome(name), visit.status) == (raised, 200)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize(
    "call",
    ["GetHeader(5)", "GetHeader()", "SetHeader('X-A:', 5)", "SetHeader('X-A:', None)", "AddHeader('X-A:')"],
)
def test_arguments_of_other_types_are_refused(filter_probe: FilterProbe, name: str, call: str) -> None:
    outcome = filter_probe.visit({name: f"data.{call}"}).outcome(name)
    assert isinstance(outcome, Raised) and outcome.name == "TypeError"


@pytest.mark.parametrize("name", REQUEST)
@pytest.mark.parametrize("value", ["'caf\\xe9'", "b'caf\\xc3\\xa9'"], ids=["str", "bytes"])
def test_headers_of_the_request_are_set_added_and_deleted(
    filter_probe: FilterProbe, name: str, value: str
) -> None:
    source = (
        f"[data.SetHeader('X-Set:', {value}), data.AddHeader('X-Add:', 'one'), data.AddHeader(b'X-Add:', b'two'),"
        " data.SetHeader('X-Gone:', ''), data.SetHeader('X-Old:', 'new'),"
        " data.GetHeader('X-Set:'), data.GetHeader('X-Gone:', None)]"
    )
    visit = filter_probe.visit({name: source}, headers={"X-Old": "old", "X-Gone": "gone"})
    assert visit.value(name) == [None] * 5 + [b"caf\xc3\xa9", None]
    lines = [line for line in header_lines(visit) if line.lower().startswith("x-")]
    assert sorted(line.partition(":")[2].strip() for line in lines) == ["caf\xc3\xa9", "new", "one", "two"]


@pytest.mark.parametrize("url", ["/new str?q=caf\xe9", "/new bytes?q=caf\xe9".encode()], ids=["str", "bytes"])
def test_url_is_rewritten(filter_probe: FilterProbe, url: str | bytes) -> None:
    visit = filter_probe.visit({"PREPROC_HEADERS": f"data.SetHeader('url', {url!r})"}, target="/old?o")
    kind = type(url).__name__
    assert (visit.seen["PATH_INFO"], visit.seen["QUERY_STRING"]) == (f"/new {kind}", "q=caf%C3%A9")
    assert filter_probe.log_line(f"/new%20{kind}")["cs-uri-query"] == "q=caf%C3%A9"


def test_url_is_rewritten_when_the_user_is_known(filter_probe: FilterProbe) -> None:
    plan = {
        "AUTH_COMPLETE": "first = not kept\nkept.setdefault('n', 1)\nfirst and data.SetHeader('url', '/second')"
    }
    visit = filter_probe.visit(plan, target="/first")
    assert visit.seen["PATH_INFO"] == "/second"
    assert len(visit.of("AUTH_COMPLETE")) == 1


ANOTHER_URL_EACH_TIME = {
    "AUTH_COMPLETE": "data.ResetAuth = True\ndata.SetHeader('url', data.GetHeader('url') + b'x')"
}


def test_url_that_changes_each_time_is_given_up(filter_probe: FilterProbe) -> None:
    visit = filter_probe.visit(ANOTHER_URL_EACH_TIME)
    assert visit.status == 500 and b"ISAPI0333" in visit.body
    assert 1 < len(visit.of("AUTH_COMPLETE")) < 10


def test_url_that_changes_each_time_is_logged(filter_probe: FilterProbe) -> None:
    assert filter_probe.visit(ANOTHER_URL_EACH_TIME).status == 500
    assert re.search("ISAPI0333 .*AUTH_COMPLETE", filter_probe.server.log())


def test_reset_of_the_authentication(filter_probe: FilterProbe) -> None:
    plan = {
        "AUTHENTICATION": "kept.setdefault('n', []).append(1)",
        "AUTH_COMPLETE": (
            "before = data.ResetAuth\n"
            "first = len(kept['n']) == 1\n"
            "if first:\n data.ResetAuth = 5\n data.SetHeader('url', '/again')\n"
            "[before, data.ResetAuth, first]"
        ),
    }
    visit = filter_probe.visit(plan)
    assert visit.seen["PATH_INFO"] == "/again"
    assert len(visit.of("AUTHENTICATION")) == 2
    assert [outcome.value for outcome in visit.of("AUTH_COMPLETE") if isinstance(outcome, Value)] == [
        [False, True, True],
        [False, False, False],
    ]


def test_there_is_no_token_of_the_user(filter_probe: FilterProbe) -> None:
    visit = filter_probe.visit({"AUTH_COMPLETE": "data.GetUserToken()"})
    assert visit.outcome("AUTH_COMPLETE") == Raised("FilterError", "(50, None, 'GetUserToken')")


def test_method_and_version_are_changed(filter_probe: FilterProbe) -> None:
    plan = {
        "PREPROC_HEADERS": "[data.SetHeader('method', 'PUT'), data.SetHeader(b'version', b'HTTP/1.0')]",
        "AUTH_COMPLETE": "[data.GetHeader('method'), data.GetHeader('version')]",
    }
    visit = filter_probe.visit(plan, method="POST", body=b"body")
    assert visit.value("AUTH_COMPLETE") == [b"PUT", b"HTTP/1.0"]
    assert (visit.seen["METHOD"], visit.seen["BODY"]) == ("PUT", "body")
    assert visit.seen["SERVER_PROTOCOL"] == "HTTP/1.0"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("url", "no-slash"),
        ("url", "http://elsewhere/"),
        ("url", ""),
        ("method", "G T"),
        ("method", ""),
        ("version", "HTTP/2"),
        ("version", "1.1"),
    ],
)
def test_request_line_that_would_be_none_is_refused(filter_probe: FilterProbe, name: str, value: str) -> None:
    visit = filter_probe.visit({"PREPROC_HEADERS": f"data.SetHeader({name!r}, {value!r})"}, target="/kept")
    assert visit.outcome("PREPROC_HEADERS") == Raised("FilterError", "(87, None, 'SetHeader')")
    assert (visit.seen["PATH_INFO"], visit.seen["METHOD"]) == ("/kept", "GET")


def test_length_of_the_body_is_not_the_filters_to_say(filter_probe: FilterProbe) -> None:
    """What follows the body would otherwise be taken for a request, or the other way round."""
    plan = {"PREPROC_HEADERS": "[data.SetHeader('Content-Length:', '2'), data.SetHeader('X-A:', 'a')]"}
    with filter_probe.connect(plan) as connection:
        port = connection.getsockname()[1]
        connection.sendall(
            b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nGET!"
            b"GET /second HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        )
        received = bytearray()
        while chunk := connection.recv(65536):
            received += chunk
    assert received.count(b"HTTP/1.1 200 ") == 2
    assert b'"PATH_INFO": "/second"' in received and b'"BODY": "GET!"' in received
    filter_probe.outcomes(port)


# The response


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("data.GetHeader('status')", b"200 OK"),
        ("data.GetHeader('Content-Type:')", b"application/json"),
        ("data.GetHeader('X-None:', 'default')", "default"),
        ("data.HttpStatus", 200),
    ],
)
def test_response_is_read(filter_probe: FilterProbe, source: str, value: Any) -> None:
    visit = filter_probe.visit({"SEND_RESPONSE": source})
    assert visit.outcome("SEND_RESPONSE") == Value(type(value).__name__, repr(value))


@pytest.mark.parametrize(("value", "sent"), [("'caf\\xe9'", b"caf\xc3\xa9"), ("b'caf\\xe9'", b"caf\xe9")])
def test_headers_of_the_response_are_set_added_and_deleted(
    filter_probe: FilterProbe, value: str, sent: bytes
) -> None:
    source = (
        f"[data.SetHeader('X-Set:', {value}), data.AddHeader('Set-Cookie:', 'one'),"
        " data.AddHeader('Set-Cookie:', 'two'), data.SetHeader('X-By:', ''),"
        " data.SetHeader('Content-Type:', 'text/x-other')]"
    )
    visit = filter_probe.visit({"SEND_RESPONSE": source})
    assert visit.value("SEND_RESPONSE") == [None] * 5
    assert visit.headers("X-Set") == [sent]
    assert visit.headers("Set-Cookie") == [b"one", b"two"]
    assert visit.headers("X-By") == []
    assert visit.headers("Content-Type") == [b"text/x-other"]


@pytest.mark.parametrize("status", ["404 Gone Fishing", b"404 Gone Fishing"], ids=["str", "bytes"])
def test_status_line_is_replaced(filter_probe: FilterProbe, status: str | bytes) -> None:
    source = f"data.SetHeader('status', {status!r})\n[data.GetHeader('status'), data.HttpStatus]"
    target = f"/status-as-{type(status).__name__}"
    visit = filter_probe.visit({"SEND_RESPONSE": source}, target=target)
    assert visit.received.startswith(b"HTTP/1.1 404 Gone Fishing\r\n")
    assert visit.value("SEND_RESPONSE") == [b"404 Gone Fishing", 200]
    assert filter_probe.log_line(target)["sc-status"] == "404"


@pytest.mark.parametrize("status", ["", "abc", "99 Low", "1000 High", "200OK", "100 Continue"])
def test_status_that_is_none_is_refused(filter_probe: FilterProbe, status: str) -> None:
    visit = filter_probe.visit({"SEND_RESPONSE": f"data.SetHeader('status', {status!r})"})
    assert visit.outcome("SEND_RESPONSE") == Raised("FilterError", "(87, None, 'SetHeader')")
    assert visit.received.startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize("header", ["Content-Length:", "Transfer-Encoding:", "Upgrade:", "Connection:"])
@pytest.mark.parametrize("method", ["SetHeader", "AddHeader"])
def test_framing_of_the_response_is_the_servers(filter_probe: FilterProbe, header: str, method: str) -> None:
    visit = filter_probe.visit({"SEND_RESPONSE": f"data.{method}({header!r}, '5')"})
    assert visit.outcome("SEND_RESPONSE") == Raised("FilterError", f"(87, None, '{method}')")
    assert len(visit.seen) > 1


def test_length_may_be_taken_away(filter_probe: FilterProbe) -> None:
    visit = filter_probe.visit({"SEND_RESPONSE": "data.SetHeader('Content-Length:', '')"})
    assert visit.outcome("SEND_RESPONSE") == Value("NoneType", "None")
    assert visit.headers("Content-Length") == [] and b'"PATH_INFO"' in visit.received


# What would split a header is refused before any server sees it

SPLITTING = [
    "a\r\nX-Injected: 1",
    "a\nX-Injected: 1",
    "a\rX-Injected: 1",
    "a\r\n\r\n<html>",
    "a\x00b",
    "\r\n",
]


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("method", ["SetHeader", "AddHeader"])
@pytest.mark.parametrize("value", SPLITTING)
@pytest.mark.parametrize("kind", ["str", "bytes"])
def test_header_value_with_a_line_break_is_refused(
    filter_probe: FilterProbe, name: str, method: str, value: str, kind: str
) -> None:
    given = value if kind == "str" else value.encode()
    visit = filter_probe.visit({name: f"data.{method}('X-Test:', {given!r})"})
    outcome = visit.outcome(name)
    assert isinstance(outcome, Raised) and outcome.name == "ValueError"
    assert visit.status == 200 and visit.headers("X-Injected") == []
    assert "X-Injected" not in visit.seen["ALL_RAW"] and visit.received.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("header", ["X-A: b\r\nX-Injected:", "X-A\r\n:", "X-A\x00:"])
def test_header_name_with_a_line_break_is_refused(filter_probe: FilterProbe, name: str, header: str) -> None:
    visit = filter_probe.visit({name: f"data.SetHeader({header!r}, 'x')"})
    outcome = visit.outcome(name)
    assert isinstance(outcome, Raised) and outcome.name == "ValueError"
    assert visit.headers("X-Injected") == [] and "X-Injected" not in visit.seen["ALL_RAW"]


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("PREPROC_HEADERS", "url"),
        ("AUTH_COMPLETE", "url"),
        ("PREPROC_HEADERS", "method"),
        ("PREPROC_HEADERS", "version"),
        ("SEND_RESPONSE", "status"),
    ],
)
def test_first_line_with_a_line_break_is_refused(filter_probe: FilterProbe, name: str, line: str) -> None:
    value = "200 OK\r\nX-Injected: 1" if line == "status" else "/a\r\nX-Injected: 1"
    visit = filter_probe.visit({name: f"data.SetHeader({line!r}, {value!r})"})
    outcome = visit.outcome(name)
    assert isinstance(outcome, Raised) and outcome.name == "ValueError"
    assert visit.status == 200 and visit.headers("X-Injected") == []


@pytest.mark.parametrize(
    "lines", ["X-A: b\r\n\r\nHTTP/1.1 200 OK\r\n", "X-A b", ": b", "X A: b", "X-A: b\rX-B: c"]
)
@pytest.mark.parametrize("name", [*REQUEST, "URL_MAP", "AUTHENTICATION", "SEND_RESPONSE"])
def test_header_lines_that_would_end_the_head_are_refused(
    filter_probe: FilterProbe, name: str, lines: str
) -> None:
    visit = filter_probe.visit({name: f"fc.AddResponseHeaders({lines!r})"})
    assert visit.outcome(name) == Raised("FilterError", "(87, None, 'AddResponseHeaders')")
    assert visit.received.count(b"HTTP/1.1 ") == 1 and visit.headers("X-A") == []
    assert len(visit.seen) > 1


def test_long_header_goes_through_whole(filter_probe: FilterProbe) -> None:
    """The reference cuts at 8192 bytes."""
    plan = {
        "PREPROC_HEADERS": "value = data.GetHeader('X-Long:')\n[len(value), data.SetHeader('X-Longer:', value * 2)]",
        "SEND_RESPONSE": "data.SetHeader('X-Long:', 'y' * 40000)",
    }
    visit = filter_probe.visit(plan, headers={"X-Long": "x" * 20000})
    assert visit.value("PREPROC_HEADERS") == [20000, None]
    assert "x" * 40000 in visit.seen["ALL_RAW"]
    assert visit.headers("X-Long") == [b"y" * 40000]


@pytest.mark.parametrize("name", ["HttpStatus", "GetHeader", "NewName"])
def test_objects_take_no_other_attributes(filter_probe: FilterProbe, name: str) -> None:
    visit = filter_probe.visit({"SEND_RESPONSE": f"setattr(data, {name!r}, 5)"})
    outcome = visit.outcome("SEND_RESPONSE")
    assert isinstance(outcome, Raised) and outcome.name == "AttributeError"
