"""Filters over HTTP that misbehave: what the client gets, what the log says, and that the server goes on."""

from __future__ import annotations

import re

import pytest
from conftest import SCRIPTS, Servers
from filter_probe_client import FilterProbe, Visit
from probe_client import Raised, Value
from server_process import receive_all, receive_until

BEFORE_THE_HEAD = [
    "PREPROC_HEADERS",
    "URL_MAP",
    "AUTHENTICATION",
    "AUTH_COMPLETE",
    "ACCESS_DENIED",
    "SEND_RESPONSE",
]
RAW = ["READ_RAW_DATA", "SEND_RAW_DATA"]
BEHIND_THE_RESPONSE = ["END_OF_REQUEST", "LOG", "END_OF_NET_SESSION"]
EVENTS = [*BEFORE_THE_HEAD, *RAW, *BEHIND_THE_RESPONSE]


@pytest.fixture
def own_probe(serve: Servers) -> FilterProbe:
    """Return a client of a server of the test's own, whose log nobody else writes to."""
    log = serve.directory / "access.log"
    return FilterProbe(serve(SCRIPTS / "filter_probe.py", "--access-log", str(log)), log)


def check_answer(name: str, visit: Visit) -> None:
    """The client gets a page with the code, nothing, or what it would have got anyway."""
    if name in BEFORE_THE_HEAD:
        assert visit.status == 500 and b"ISAPI0333" in visit.body and b"Traceback" not in visit.received
        assert visit.received.count(b"HTTP/1.1 ") == 1
    elif name in RAW:
        assert visit.received == b""
    else:
        assert visit.status == 401 and visit.seen["PATH_INFO"] == "/denied"


OTHERWISE = ["import sys\nsys.exit(0)", "def again(): again()\nagain()", "raise KeyboardInterrupt\n0"]


@pytest.mark.parametrize(
    ("name", "source"),
    [
        *((name, "raise ValueError('reason')\n0") for name in EVENTS),
        *((name, source) for name in ("URL_MAP", "SEND_RAW_DATA") for source in OTHERWISE),
    ],
)
def test_notification_that_raises(own_probe: FilterProbe, name: str, source: str) -> None:
    server = own_probe.server
    visit = own_probe.visit({name + "!": source}, target="/denied")
    check_answer(name, visit)
    assert own_probe.visit({}).status == 200
    assert server.stop() == 0
    assert server.log().count("ISAPI0221 ") == 1
    assert server.log().count("Traceback (most recent call last)") == 1
    # The end of a connection has no status; else the server says what it makes of it.
    said = 0 if name == "END_OF_NET_SESSION" else 1
    assert len(re.findall(f"ISAPI0333 the filter filter_probe answered {name}", server.log())) == said


# The first of these is the classic slip: a digit too many.
NO_STATUS = ["0x80000002", "'134217730'", "b''", "1.0", "[]", "2**32", "-2**31 - 1", "object()"]
NUMBERS = ["0", "1", "17", "-1", "2**31 - 1", "True"]


@pytest.mark.parametrize(
    ("name", "result"),
    [*((name, "'text'") for name in EVENTS), *(("AUTH_COMPLETE", result) for result in NO_STATUS)],
)
def test_notification_that_returns_no_status(own_probe: FilterProbe, name: str, result: str) -> None:
    visit = own_probe.visit({name: f"result = {result}\nNone"}, target="/denied")
    check_answer(name, visit)
    assert own_probe.visit({}).status == 200
    assert own_probe.server.stop() == 0
    log = own_probe.server.log()
    # Raw data and the mapping of a URL may come more than once.
    assert log.count("ISAPI0222 ") == len(visit.of(name)) > 0


@pytest.mark.parametrize(
    ("name", "result"),
    [*((name, "17") for name in EVENTS), *(("SEND_RESPONSE", result) for result in NUMBERS)],
)
def test_number_that_is_no_status_lets_the_request_go_on(
    own_probe: FilterProbe, name: str, result: str
) -> None:
    visit = own_probe.visit({name: f"result = {result}\nNone"}, target="/denied")
    assert visit.status == 401 and visit.seen["PATH_INFO"] == "/denied"
    own_probe.server.wait_for_log(f"ISAPI0332 the filter filter_probe answered {name} with 0x")


@pytest.mark.parametrize("name", [*BEFORE_THE_HEAD, "SEND_RAW_DATA", *BEHIND_THE_RESPONSE])
def test_more_can_be_read_in_raw_reads_only(own_probe: FilterProbe, name: str) -> None:
    visit = own_probe.visit({name: "result = sf.SF_STATUS_REQ_READ_NEXT\nNone"}, target="/denied")
    assert visit.status == 401
    own_probe.server.wait_for_log(f"ISAPI0332 the filter filter_probe answered {name}")


@pytest.mark.parametrize("name", EVENTS)
def test_error_status_gives_the_request_up(own_probe: FilterProbe, name: str) -> None:
    visit = own_probe.visit({name: "result = sf.SF_STATUS_REQ_ERROR\nNone"}, target="/denied")
    check_answer(name, visit)
    assert own_probe.visit({}).status == 200
    assert "ISAPI0221" not in own_probe.server.log()


@pytest.mark.parametrize("name", BEFORE_THE_HEAD)
def test_connection_goes_on_behind_a_failed_request(own_probe: FilterProbe, name: str) -> None:
    plan = {name + "!": "if not kept:\n kept.update(once=1)\n raise ValueError('reason')\n0"}
    one = b"GET /denied HTTP/1.1\r\nHost: x\r\n\r\n"
    with own_probe.connect(plan) as connection:
        connection.sendall(one)
        first = receive_until(connection, b"\r\n\r\n")
        closed = b"connection: close" in first.lower()
        if not closed:
            connection.sendall(one.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        rest = receive_all(connection)
    assert first.startswith(b"HTTP/1.1 500 ")
    assert closed or rest.count(b"HTTP/1.1 401 ") == 1


def test_filter_behind_the_failed_one_is_not_asked(serve: Servers) -> None:
    second = serve.place(
        """
from isapi import isapicon
from isapi.simple import SimpleFilter
class Filter(SimpleFilter):
    filter_flags = isapicon.SF_NOTIFY_PREPROC_HEADERS | isapicon.SF_NOTIFY_LOG
    def HttpFilterProc(self, fc):
        print("second asked %x" % fc.NotificationType, flush=True)
def __FilterFactory__(): return Filter()
""",
        "second.py",
    )
    log = serve.directory / "access.log"
    arguments = ("--filter", str(serve.directory / "filter_probe.py"), "--filter", str(second))
    serve.place(SCRIPTS / "filter_probe.py")
    probe = FilterProbe(serve(SCRIPTS / "filter_probe.py", *arguments, "--access-log", str(log)), log)
    assert probe.visit({"PREPROC_HEADERS!": "raise ValueError('reason')\n0"}).status == 500
    probe.server.stop()
    # The plan and the outcomes are requests too, and go on behind PREPROC_HEADERS.
    assert probe.server.log().count("second asked 4000") == 2
    assert probe.server.log().count("second asked 200\n") == 3


# Memory that a filter asks for


def test_large_replacements_on_one_connection_do_not_add_up(own_probe: FilterProbe) -> None:
    """More than the 256 MB that a connection may hold, were it not given back behind each request."""
    plan = {"LOG": "data.Target = '/' + 'x' * 60000000\nNone"}
    one = b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n"
    visit = own_probe.visit(plan, one * 7 + one.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    assert visit.received.count(b"HTTP/1.1 200 ") == 8
    assert visit.of("LOG") == [Value("NoneType", "None")] * 8


def test_too_much_memory_for_one_request_is_refused(own_probe: FilterProbe) -> None:
    source = "big = b'x' * 100000000\nfor _ in range(3): data.InData = big\nNone"
    visit = own_probe.visit({"READ_RAW_DATA": source + "\n0"})
    assert visit.outcome("READ_RAW_DATA") == Raised("FilterError", "(8, None, 'AllocMem')")
    assert own_probe.visit({}).status == 200


# Requests that are none


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET /%zz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n", 400),
    ],
)
def test_request_that_is_none_does_not_upset_a_filter(
    own_probe: FilterProbe, data: bytes, status: int
) -> None:
    visit = own_probe.visit(dict.fromkeys(EVENTS, "fc.NotificationType"), data)
    assert visit.status == status
    assert visit.of("END_OF_NET_SESSION") and not any(isinstance(o, Raised) for _, o in visit.outcomes)


@pytest.mark.parametrize("name", EVENTS)
def test_client_that_goes_away_ends_the_connection_for_the_filter(own_probe: FilterProbe, name: str) -> None:
    """Whatever it was doing then: the source waits until the client has gone."""
    plan = {name: "import time\ntime.sleep(0.05)", "END_OF_NET_SESSION": "'the end'"}
    with own_probe.connect(plan) as connection:
        port = connection.getsockname()[1]
        connection.sendall(b"GET /denied HTTP/1.1\r\nHost: x\r\n\r\n")
    assert own_probe.outcomes(port)[-1][0] == "END_OF_NET_SESSION"
    assert own_probe.visit({}).status == 200
