"""Filters over HTTP: the context, what it calls, and what happens to it when its notification is over."""

from __future__ import annotations

from typing import Any

import pytest
from conftest import Servers
from filter_probe_client import FilterProbe
from probe_client import Raised, Value
from server_process import receive_all, receive_until

EVENTS = [
    "READ_RAW_DATA",
    "PREPROC_HEADERS",
    "URL_MAP",
    "AUTHENTICATION",
    "AUTH_COMPLETE",
    "ACCESS_DENIED",
    "SEND_RESPONSE",
    "SEND_RAW_DATA",
    "END_OF_REQUEST",
    "LOG",
    "END_OF_NET_SESSION",
]
BEFORE_THE_ANSWER = ["PREPROC_HEADERS", "URL_MAP", "AUTHENTICATION", "AUTH_COMPLETE"]
of_every_event = pytest.mark.parametrize("name", EVENTS)


def refused(function: str, code: int = 87) -> Raised:
    return Raised("FilterError", f"({code}, None, {function!r})")


@of_every_event
def test_context_has_its_attributes(filter_probe: FilterProbe, name: str) -> None:
    source = f"[type(fc).__name__, fc.Revision, fc.fIsSecurePort, fc.NotificationType == sf.SF_NOTIFY_{name}, fc.InstanceID]"
    visit = filter_probe.visit({name: source}, target="/denied")
    assert visit.value(name) == ["HTTP_FILTER_CONTEXT", 0xA0000, 0, True, 1]


@pytest.mark.parametrize(
    "attribute", ["Revision", "fIsSecurePort", "NotificationType", "InstanceID", "NewName"]
)
def test_attributes_are_the_servers(filter_probe: FilterProbe, attribute: str) -> None:
    outcome = filter_probe.visit({"URL_MAP": f"setattr(fc, {attribute!r}, 1)"}).outcome("URL_MAP")
    assert isinstance(outcome, Raised) and outcome.name == "AttributeError"


def test_slot_holds_any_object_up_to_the_end_of_the_connection(filter_probe: FilterProbe) -> None:
    plan = {
        "READ_RAW_DATA": "before = fc.FilterContext\nfc.FilterContext = ['an object']\nbefore",
        **dict.fromkeys(EVENTS[1:], "fc.FilterContext.append(len(fc.FilterContext)) or fc.FilterContext[-1]"),
    }
    outcomes = filter_probe.visit(plan, target="/denied").outcomes
    assert [outcome.text for _, outcome in outcomes if isinstance(outcome, Value)] == [
        "None",
        *map(str, range(1, len(outcomes))),
    ]


def test_slot_is_emptied_by_none(filter_probe: FilterProbe) -> None:
    plan = {
        "PREPROC_HEADERS": "fc.FilterContext = 5\nfc.FilterContext = None\nfc.FilterContext",
        "END_OF_NET_SESSION": "fc.FilterContext",
    }
    visit = filter_probe.visit(plan)
    assert (visit.value("PREPROC_HEADERS"), visit.value("END_OF_NET_SESSION")) == (None, None)


# Server variables


@of_every_event
def test_variables_of_the_connection_are_always_there(filter_probe: FilterProbe, name: str) -> None:
    names = ["REMOTE_ADDR", "SERVER_PORT", "HTTPS", "SERVER_SOFTWARE", "INSTANCE_ID"]
    source = f"[fc.GetServerVariable(name) for name in {names}]"
    values = filter_probe.visit({name: source}, target="/denied").value(name)
    assert values[:3] == [b"127.0.0.1", str(filter_probe.server.port).encode(), b"off"]
    assert values[3].startswith(b"pyisapi/") and values[4] == b"1"


@pytest.mark.parametrize(
    "name", [*BEFORE_THE_ANSWER, "SEND_RESPONSE", "SEND_RAW_DATA", "END_OF_REQUEST", "LOG"]
)
@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("'REQUEST_METHOD'", b"POST"),
        ("b'QUERY_STRING'", b"a=b"),
        ("'HTTP_X_TEST'", b"caf\xe9"),
        ("'UNICODE_HTTP_URL'", "/path?a=b"),
        ("'HEADER_X-Test'", b"caf\xe9"),
        ("'CONTENT_LENGTH'", b"4"),
        ("'NO_SUCH', 'default'", "default"),
        ("'NO_SUCH', None", None),
    ],
)
def test_variables_of_the_request(filter_probe: FilterProbe, name: str, variable: str, value: Any) -> None:
    headers = {"X-Test": "caf\xe9"}
    plan = {name: f"fc.GetServerVariable({variable})"}
    visit = filter_probe.visit(plan, target="/path?a=b", method="POST", body=b"body", headers=headers)
    assert visit.outcome(name) == Value(type(value).__name__, repr(value))


@of_every_event
def test_unknown_variable_is_refused(filter_probe: FilterProbe, name: str) -> None:
    visit = filter_probe.visit({name: "fc.GetServerVariable('NO_SUCH')"}, target="/denied")
    assert visit.outcome(name) == refused("GetServerVariable", 1413)


def test_long_variable_comes_whole(filter_probe: FilterProbe) -> None:
    """D24."""
    visit = filter_probe.visit(
        {"PREPROC_HEADERS": "len(fc.GetServerVariable('ALL_RAW', 5))"}, headers={"X-Long": "x" * 50000}
    )
    assert visit.value("PREPROC_HEADERS") > 50000


def test_variables_follow_the_rewritten_request(filter_probe: FilterProbe) -> None:
    plan = {
        "PREPROC_HEADERS": (
            "fc.GetServerVariable('QUERY_STRING')\n"
            "data.SetHeader('url', '/new?new')\ndata.SetHeader('X-New:', 'x')\n"
            "[fc.GetServerVariable(name) for name in ('QUERY_STRING', 'HTTP_X_NEW')]"
        ),
        "LOG": "fc.GetServerVariable('QUERY_STRING')",
    }
    visit = filter_probe.visit(plan, target="/old?old")
    assert (visit.value("PREPROC_HEADERS"), visit.value("LOG")) == ([b"new", b"x"], b"new")


# Answers of the filter's own

ANSWER = (
    "fc.SendResponseHeader({status}, {head})\nfc.WriteClient(b'from ')\nfc.write('the filter')\n"
    "result = sf.{result}\nNone"
)


def answer(
    status: str = "'203 Mine'",
    head: str = "'Content-Type: text/x-own\\r\\n\\r\\n'",
    result: str = "SF_STATUS_REQ_FINISHED",
) -> str:
    return ANSWER.format(status=status, head=head, result=result)


@pytest.mark.parametrize("name", [*BEFORE_THE_ANSWER, "ACCESS_DENIED", "SEND_RESPONSE"])
@pytest.mark.parametrize("kind", ["str", "bytes"])
def test_filter_answers_itself(filter_probe: FilterProbe, name: str, kind: str) -> None:
    prefix = "b" if kind == "bytes" else ""
    source = answer(f"{prefix}'203 Mine'", f"{prefix}'Content-Type: text/x-own\\r\\n\\r\\n'")
    visit = filter_probe.visit({name: source}, target="/denied")
    assert visit.outcome(name) == Value("NoneType", "None")
    assert visit.received.startswith(b"HTTP/1.1 203 Mine\r\n") and visit.body == b"from the filter"
    assert visit.headers("Content-Type") == [b"text/x-own"]


@pytest.mark.parametrize("name", BEFORE_THE_ANSWER)
@pytest.mark.parametrize(
    ("result", "kept"), [("SF_STATUS_REQ_FINISHED", 0), ("SF_STATUS_REQ_FINISHED_KEEP_CONN", 1)]
)
def test_own_answer_closes_the_connection_or_keeps_it(
    filter_probe: FilterProbe, name: str, result: str, kept: int
) -> None:
    source = (
        "result = None\nif not kept:\n " + answer(result=result).replace("\n", "\n ") + "\nkept.update(x=1)"
    )
    with filter_probe.connect({name: source}) as connection:
        port = connection.getsockname()[1]
        connection.sendall(
            b"GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        )
        received = receive_all(connection)
    assert received.count(b"HTTP/1.1 203 Mine\r\n") == 1
    assert received.count(b"HTTP/1.1 200 OK\r\n") == kept
    filter_probe.outcomes(port)


@pytest.mark.parametrize("status", ["None", "''"])
def test_own_answer_without_a_status_is_a_200(filter_probe: FilterProbe, status: str) -> None:
    visit = filter_probe.visit({"PREPROC_HEADERS": answer(status, "None")})
    assert (visit.status, visit.body) == (200, b"from the filter")


def test_own_answer_may_be_written_down_to_the_last_byte(filter_probe: FilterProbe) -> None:
    source = (
        "fc.WriteClient('HTTP/1.1 418 Short\\r\\nContent-Length: 3\\r\\nX-Raw: yes\\r\\n\\r\\ntea')\n"
        "result = sf.SF_STATUS_REQ_FINISHED\nNone"
    )
    visit = filter_probe.visit({"PREPROC_HEADERS": source, "SEND_RESPONSE": "None"})
    assert (visit.status, visit.body, visit.headers("X-Raw")) == (418, b"tea", [b"yes"])
    assert visit.of("SEND_RESPONSE") == []


def test_filter_that_finishes_without_an_answer_closes_the_connection(filter_probe: FilterProbe) -> None:
    visit = filter_probe.visit({"PREPROC_HEADERS": "result = sf.SF_STATUS_REQ_FINISHED\nNone"})
    assert visit.received == b""
    filter_probe.server.wait_for_log(
        "ISAPI0338 the filter filter_probe finished the request in PREPROC_HEADERS"
    )


def test_second_head_is_refused(filter_probe: FilterProbe) -> None:
    source = answer().replace("fc.write('the filter')", "fc.SendResponseHeader('200 OK', None)")
    visit = filter_probe.visit({"PREPROC_HEADERS": source})
    assert visit.outcome("PREPROC_HEADERS") == refused("SendResponseHeader")
    assert visit.received.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize(
    ("status", "head"),
    [
        ("'200 OK\\r\\nX-Injected: 1'", "None"),
        ("'200 OK\\0'", "None"),
        ("'200 OK'", "'X-A: b\\0\\r\\n'"),
        ("5", "None"),
        ("'200 OK'", "5"),
    ],
)
def test_head_with_a_line_break_or_nul_is_refused(filter_probe: FilterProbe, status: str, head: str) -> None:
    visit = filter_probe.visit({"PREPROC_HEADERS": f"fc.SendResponseHeader({status}, {head})"})
    outcome = visit.outcome("PREPROC_HEADERS")
    assert isinstance(outcome, Raised) and outcome.name in ("ValueError", "TypeError")
    assert visit.status == 200 and visit.headers("X-Injected") == []


@pytest.mark.parametrize(
    "call",
    ["SendResponseHeader('hello', None)", "SendResponseHeader('200 OK', 'no header\\r\\n')"],
)
def test_malformed_head_is_refused(filter_probe: FilterProbe, call: str) -> None:
    visit = filter_probe.visit({"PREPROC_HEADERS": f"fc.{call}"})
    assert visit.outcome("PREPROC_HEADERS") == refused("SendResponseHeader") and len(visit.seen) > 1


@pytest.mark.parametrize("name", ["END_OF_REQUEST", "LOG", "END_OF_NET_SESSION"])
def test_nothing_is_answered_behind_the_answer(filter_probe: FilterProbe, name: str) -> None:
    visit = filter_probe.visit({name: "fc.SendResponseHeader('200 OK', None)"})
    assert visit.outcome(name) == refused("SendResponseHeader")
    assert visit.received.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize("name", ["LOG", "END_OF_NET_SESSION"])
def test_nothing_is_written_behind_the_request(filter_probe: FilterProbe, name: str) -> None:
    visit = filter_probe.visit({name: "fc.WriteClient('too late')"})
    assert visit.outcome(name) == refused("WriteClient") and b"too late" not in visit.received


@pytest.mark.parametrize("call", ["WriteClient(5)", "WriteClient()", "WriteClient('x', 'y')", "write(None)"])
def test_what_is_no_data_is_not_written(filter_probe: FilterProbe, call: str) -> None:
    visit = filter_probe.visit({"PREPROC_HEADERS": f"fc.{call}"})
    outcome = visit.outcome("PREPROC_HEADERS")
    assert isinstance(outcome, Raised) and outcome.name == "TypeError" and len(visit.seen) > 1


# Headers for the response


@pytest.mark.parametrize("name", [*BEFORE_THE_ANSWER, "SEND_RESPONSE"])
@pytest.mark.parametrize("lines", ["'X-Added: a\\r\\nX-More: b\\r\\n'", "b'X-Added: a\\r\\nX-More: b'"])
def test_headers_are_added_to_the_response(filter_probe: FilterProbe, name: str, lines: str) -> None:
    visit = filter_probe.visit({name: f"fc.AddResponseHeaders({lines}, 0)"})
    assert visit.outcome(name) == Value("NoneType", "None")
    # Each notification of the kind has added its lines.
    count = len(visit.of(name))
    assert (visit.headers("X-Added"), visit.headers("X-More")) == ([b"a"] * count, [b"b"] * count)


@pytest.mark.parametrize("name", ["SEND_RAW_DATA", "END_OF_REQUEST", "LOG", "END_OF_NET_SESSION"])
def test_headers_are_refused_when_the_head_has_gone(filter_probe: FilterProbe, name: str) -> None:
    visit = filter_probe.visit({name: "fc.AddResponseHeaders('X-Added: a\\r\\n')"})
    assert visit.outcome(name) == refused("AddResponseHeaders") and visit.headers("X-Added") == []


@pytest.mark.parametrize(
    "header", ["Content-Length: 5", "Transfer-Encoding: chunked", "Connection: keep-alive"]
)
def test_framing_of_the_response_is_the_servers(filter_probe: FilterProbe, header: str) -> None:
    visit = filter_probe.visit({"PREPROC_HEADERS": f"fc.AddResponseHeaders({header!r})"})
    assert visit.outcome("PREPROC_HEADERS") == refused("AddResponseHeaders") and len(visit.seen) > 1


def test_many_header_lines_at_once(filter_probe: FilterProbe) -> None:
    source = "fc.AddResponseHeaders(''.join('X-%d: %d\\r\\n' % (n, n) for n in range(60)))"
    visit = filter_probe.visit({"PREPROC_HEADERS": source})
    assert visit.outcome("PREPROC_HEADERS") == Value("NoneType", "None")
    assert visit.headers("X-59") == [b"59"]


# The rest


def test_notifications_are_disabled_for_one_request(filter_probe: FilterProbe) -> None:
    plan = {
        "PREPROC_HEADERS": (
            "flags = sf.SF_NOTIFY_LOG | sf.SF_NOTIFY_SEND_RESPONSE\n"
            "kept.setdefault('n', 0)\nkept['n'] += 1\n"
            "fc.DisableNotifications(flags) if kept['n'] == 1 else 'left'"
        ),
        "SEND_RESPONSE": "kept['n']",
        "LOG": "kept['n']",
        "END_OF_REQUEST": "kept['n']",
    }
    one = b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n"
    visit = filter_probe.visit(plan, one + one + one.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    assert visit.received.count(b"HTTP/1.1 200 OK\r\n") == 3
    assert [outcome.text for outcome in visit.of("PREPROC_HEADERS") if isinstance(outcome, Value)] == [
        "None",
        "'left'",
        "'left'",
    ]
    for name, expected in {"SEND_RESPONSE": [2, 3], "LOG": [2, 3], "END_OF_REQUEST": [1, 2, 3]}.items():
        assert [o.value for o in visit.of(name) if isinstance(o, Value)] == expected


@pytest.mark.parametrize(
    ("flags", "error"), [("2**32", "OverflowError"), ("'1'", "TypeError"), ("None", "TypeError")]
)
def test_flags_are_32_bits(filter_probe: FilterProbe, flags: str, error: str) -> None:
    outcome = filter_probe.visit({"URL_MAP": f"fc.DisableNotifications({flags})"}).outcome("URL_MAP")
    assert isinstance(outcome, Raised) and outcome.name == error


def test_url_is_normalised(filter_probe: FilterProbe) -> None:
    source = "[fc.NormalizeURL('/a/%2e%2e/b%20c'), fc.NormalizeURL(b'/caf%c3%a9/./x')]"
    visit = filter_probe.visit({"PREPROC_HEADERS": source})
    assert visit.value("PREPROC_HEADERS") == [b"/b c", b"/caf\xc3\xa9/x"]


def test_next_read_has_the_size_asked_for(filter_probe: FilterProbe) -> None:
    plan = {"READ_RAW_DATA": "fc.SetNextReadSize(10)\nlen(data.InData)"}
    visit = filter_probe.visit(plan, method="POST", body=b"x" * 50000)
    lengths = [outcome.value for outcome in visit.of("READ_RAW_DATA") if isinstance(outcome, Value)]
    # The last one brings what is left.
    assert len(lengths) > 3000 and set(lengths[1:-1]) == {10}
    assert visit.seen["BODY"] == "x" * 50000


@pytest.mark.parametrize(("name", "size"), [("PREPROC_HEADERS", 10), ("READ_RAW_DATA", 0)])
def test_size_of_the_next_read_is_refused(filter_probe: FilterProbe, name: str, size: int) -> None:
    visit = filter_probe.visit({name: f"fc.SetNextReadSize({size})"})
    assert visit.outcome(name) == refused("SetNextReadSize") and visit.status == 200


@pytest.mark.parametrize("name", EVENTS[1:8])
def test_headers_of_a_denial_are_for_a_denial(filter_probe: FilterProbe, name: str) -> None:
    """The server does not deny this request, the extension does."""
    source = "fc.AddHeadersOnDenial('X-Denied: yes\\r\\n')"
    visit = filter_probe.visit({name: source}, target="/denied")
    gone = name == "SEND_RAW_DATA"
    assert visit.outcome(name) == (refused("AddHeadersOnDenial") if gone else Value("NoneType", "None"))
    assert (visit.status, visit.headers("X-Denied")) == (401, [])


# Objects are for one notification

LATER = [
    "fc.NotificationType",
    "fc.GetData()",
    "fc.FilterContext",
    "fc.GetServerVariable('REMOTE_ADDR')",
    "fc.GetServerVariable('REMOTE_ADDR', 'default')",
    "fc.WriteClient('x')",
    "fc.AddResponseHeaders('X-A: b\\r\\n')",
    "fc.DisableNotifications(0)",
]
KEPT = {
    "READ_RAW_DATA": "data.InData",
    "PREPROC_HEADERS": "data.GetHeader('url', 'default')",
    "URL_MAP": "data.PhysicalPath",
    "AUTHENTICATION": "data.User",
    "AUTH_COMPLETE": "data.ResetAuth",
    "ACCESS_DENIED": "data.Reason",
    "SEND_RESPONSE": "data.HttpStatus",
    "SEND_RAW_DATA": "data.InData",
    "LOG": "data.Target",
}
ENDED = "the request or the call has ended"


@pytest.mark.parametrize("name", KEPT)
def test_data_that_was_kept_raises(filter_probe: FilterProbe, name: str) -> None:
    """D20, D25."""
    source = KEPT[name].replace("data.", "kept['data'].")
    plan = {name: "kept.update(data=data)", "END_OF_NET_SESSION": source}
    outcome = filter_probe.visit(plan, target="/denied").outcome("END_OF_NET_SESSION")
    assert isinstance(outcome, Raised) and outcome.name == "RuntimeError" and ENDED in outcome.arguments


@pytest.mark.parametrize("source", LATER)
def test_context_that_was_kept_raises(filter_probe: FilterProbe, source: str) -> None:
    """D20, D25."""
    plan = {"PREPROC_HEADERS": "kept.update(fc=fc)", "SEND_RESPONSE": source.replace("fc.", "kept['fc'].")}
    visit = filter_probe.visit(plan)
    outcome = visit.outcome("SEND_RESPONSE")
    if source == "fc.NotificationType":
        assert outcome.name == "RuntimeError" if isinstance(outcome, Raised) else outcome.text.isdigit()
    else:
        assert isinstance(outcome, Raised) and outcome.name == "RuntimeError" and ENDED in outcome.arguments
    assert visit.status == 200


THREAD = """
import threading
from isapi import isapicon
from isapi.simple import SimpleFilter
class Filter(SimpleFilter):
    filter_flags = isapicon.SF_NOTIFY_PREPROC_HEADERS
    def HttpFilterProc(self, fc):
        over = threading.Event()
        threading.Thread(target=self.later, args=(fc, fc.GetData(), over)).start()
        self.inside.wait(5)
        over.set()
    inside = threading.Event()
    def later(self, fc, data, over):
        print("inside", data.GetHeader("url"), flush=True)
        self.inside.set()
        over.wait(5)
        for _ in range(1000000):
            try:
                data.GetHeader("url")
            except RuntimeError as error:
                print("later", error, flush=True)
                return
def __FilterFactory__(): return Filter()
"""


def test_other_thread_may_use_them_until_the_notification_ends(serve: Servers) -> None:
    server = serve(THREAD)
    assert server.get("/thread").status == 404
    server.wait_for_log("later the request or the call has ended")
    assert "inside b'/thread'" in server.log()


# A connection of several requests

COUNTING = """
import weakref
from isapi import isapicon
from isapi.simple import SimpleFilter

class State:
    count = 0

class Filter(SimpleFilter):
    filter_flags = isapicon.SF_NOTIFY_PREPROC_HEADERS | isapicon.SF_NOTIFY_SEND_RESPONSE

    def HttpFilterProc(self, fc):
        if fc.NotificationType == isapicon.SF_NOTIFY_END_OF_NET_SESSION:
            print("end with", fc.FilterContext and fc.FilterContext.count, flush=True)
            {at_end}
            return None
        if fc.FilterContext is None:
            fc.FilterContext = State()
            weakref.finalize(fc.FilterContext, print, "released", fc.GetServerVariable("REMOTE_PORT"), flush=True)
        fc.FilterContext.count += 1
        if fc.NotificationType == isapicon.SF_NOTIFY_SEND_RESPONSE:
            fc.AddResponseHeaders("X-Count: %d\\r\\n" % fc.FilterContext.count)

def __FilterFactory__(): return Filter()
"""


@pytest.mark.parametrize(
    "at_end",
    ["pass", "raise ValueError('at the end')", "self.kept = fc", "fc.FilterContext = fc.FilterContext"],
)
def test_slot_lives_as_long_as_the_connection(serve: Servers, at_end: str) -> None:
    server = serve(COUNTING.format(at_end=at_end))
    with server.connect() as connection, server.connect() as other:
        port = connection.getsockname()[1]
        for count in (2, 4, 6):
            connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert f"X-Count: {count}\r\n".lower().encode() in receive_until(connection, b"\r\n\r\n").lower()
        other.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"x-count: 2\r\n" in receive_until(other, b"\r\n\r\n").lower()
        assert "released" not in server.log()
    server.wait_for_log(f"released b'{port}'")
    server.wait_for_log("end with 6")
    server.wait_for_log("end with 2")
    assert server.get("/").status == 404
    assert server.stop() == 0
    assert server.log().count("released b'") == 3


def test_slot_is_released_when_the_server_stops(serve: Servers) -> None:
    server = serve(COUNTING.format(at_end="pass"), "--grace", "1")
    with server.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        receive_until(connection, b"\r\n\r\n")
        assert server.stop() == 0
    assert "end with 2" in server.log() and "released b'" in server.log()


def test_slots_of_many_connections_are_all_released(serve: Servers) -> None:
    server = serve(COUNTING.format(at_end="pass"))
    for _ in range(200):
        assert server.get("/").headers["X-Count"] == "2"
    server.stop()
    assert server.log().count("released b'") == 200 and server.log().count("end with 2") == 200
