"""EXTENSION_CONTROL_BLOCK: what its methods return, and what the client receives of them."""

from __future__ import annotations

import pytest
from probe_client import Probe, Raised, Value

HEAD = "ecb.SendResponseHeaders('200 OK', 'Content-Type: text/plain\\r\\n\\r\\n')\n"


# WriteClient, write


@pytest.mark.parametrize(
    ("data", "count", "body"),
    [
        ("b'bytes'", 5, b"bytes"),
        ("'caf\\u00e9'", 5, b"caf\xc3\xa9"),
        ("b'a\\0b'", 3, b"a\0b"),
        ("'a\\0b'", 3, b"a\0b"),
        ("b''", 0, b""),
        ("''", 0, b""),
    ],
)
@pytest.mark.parametrize("name", ["WriteClient", "write"])
def test_write_client_sends_data_and_returns_the_count(
    probe: Probe, name: str, data: str, count: int, body: bytes
) -> None:
    assert probe.send("quiet", f"{HEAD}ecb.{name}({data})").body == body
    assert probe.last() == Value("int", repr(count))


@pytest.mark.parametrize("flags", ["0", "1", "0x1000", "isapicon.HSE_IO_SYNC", "False"])
def test_write_client_takes_flags(probe: Probe, flags: str) -> None:
    assert probe.send("quiet", f"{HEAD}ecb.WriteClient(b'x', {flags})").body == b"x"
    assert probe.last() == Value("int", "1")


def test_write_client_sends_many_megabytes_whole(probe: Probe) -> None:
    response = probe.send("quiet", f"{HEAD}ecb.WriteClient(bytes(range(256)) * 32768)")
    assert response.body == bytes(range(256)) * 32768
    assert probe.last() == Value("int", str(256 * 32768))


def test_print_writes_to_the_client(probe: Probe) -> None:
    response = probe.send("quiet", f"{HEAD}print('a', 1, None, sep='-', end='!\\r\\n', file=ecb)")
    assert response.body == b"a-1-None!\r\n"


def test_write_before_any_header_gets_a_header_of_its_own(probe: Probe) -> None:
    response = probe.send("quiet", "ecb.WriteClient(b'just text')")
    assert (response.status, response.body) == (200, b"just text")


def test_write_of_a_whole_head_is_taken_as_the_head(probe: Probe) -> None:
    response = probe.send(
        "quiet",
        "ecb.WriteClient(b'HTTP/1.1 404 Gone Away\\r\\nX-Own: yes\\r\\nContent-Length: 2\\r\\n\\r\\nok')",
    )
    assert (response.status, response.reason, response.headers["X-Own"], response.body) == (
        404,
        "Gone Away",
        "yes",
        b"ok",
    )


# ReadClient


@pytest.mark.parametrize(
    ("source", "lengths"),
    [
        ("(len(ecb.ReadClient()), len(ecb.ReadClient()))", "(rest, 0)"),
        (
            "(len(ecb.ReadClient(10)), len(ecb.ReadClient(0)), len(ecb.ReadClient(20)), len(ecb.ReadClient()))",
            "(10, 0, 20, rest - 30)",
        ),
        ("(len(ecb.ReadClient(1000000)), len(ecb.ReadClient(5)))", "(rest, 0)"),
        ("(len(ecb.ReadClient(-1)),)", "(rest,)"),
        ("(len(ecb.ReadClient(10)), len(ecb.ReadClient(-1)))", "(10, rest - 10)"),
    ],
)
def test_read_client_gives_what_follows_the_available_data(probe: Probe, source: str, lengths: str) -> None:
    available, got = probe.value(f"(ecb.AvailableBytes, {source})", method="POST", body=b"x" * 120_000)
    assert got == eval(lengths, {"rest": 120_000 - available})


def test_read_client_without_body_is_empty_bytes(probe: Probe) -> None:
    assert probe.outcome("ecb.ReadClient()") == Value("bytes", "b''")


# GetServerVariable


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REQUEST_METHOD", b"GET"),
        ("QUERY_STRING", b"q=1"),
        ("PATH_INFO", b"/run"),
        ("SCRIPT_NAME", b"/run"),
        ("SERVER_PROTOCOL", b"HTTP/1.1"),
        ("HTTP_X_TEST", b"some value"),
        ("HTTP_x_test", b"some value"),
        ("HEADER_X-Test", b"some value"),
        ("REMOTE_ADDR", b"127.0.0.1"),
        ("SERVER_PORT_SECURE", b"0"),
        ("GATEWAY_INTERFACE", b"CGI/1.1"),
        ("UNICODE_QUERY_STRING", "q=1"),
        ("UNICODE_REQUEST_METHOD", "GET"),
        ("HTTP_X_EMPTY", b""),
    ],
)
def test_server_variable_has_its_type_and_value(probe: Probe, name: str, value: object) -> None:
    headers = {"X-Test": "some value", "X-Empty": ""}
    outcome = probe.outcome(f"ecb.GetServerVariable({name!r})", query="?q=1", headers=headers)
    assert outcome == Value(type(value).__name__, repr(value))


def test_server_port_is_the_port_served(probe: Probe) -> None:
    assert probe.value("ecb.GetServerVariable('SERVER_PORT')") == str(probe.server.port).encode()


@pytest.mark.parametrize(
    "name", ["NO_SUCH_VARIABLE", "UNICODE_NO_SUCH_VARIABLE", "HTTP_X_ABSENT", "HEADER_X-Absent", ""]
)
def test_unknown_server_variable_is_error_1413(probe: Probe, name: str) -> None:
    outcome = probe.outcome(f"ecb.GetServerVariable({name!r})")
    assert isinstance(outcome, Raised)
    assert (outcome.name, outcome.args) == ("ExtensionError", (1413, None, "GetServerVariable"))


def test_default_of_a_server_variable_is_given_back_itself(probe: Probe) -> None:
    source = "default = object()\nall(ecb.GetServerVariable(n, default) is default for n in ('NO_SUCH', 'UNICODE_NO_SUCH', 'HTTP_X_ABSENT'))"
    assert probe.value(source) is True
    assert probe.outcome("ecb.GetServerVariable('NO_SUCH', None)") == Value("NoneType", "None")


# SendResponseHeaders, Redirect


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        ("'201 Made'", "'X-A: caf\\u00e9\\r\\nContent-Length: 0\\r\\n\\r\\n'"),
        ("b'201 Made'", "b'X-A: caf\\xc3\\xa9\\r\\nContent-Length: 0\\r\\n\\r\\n'"),
    ],
)
def test_send_response_headers_takes_text_and_bytes(probe: Probe, status: str, headers: str) -> None:
    response = probe.send("quiet", f"ecb.SendResponseHeaders({status}, {headers})")
    assert (response.status, response.reason, response.body) == (201, "Made", b"")
    assert response.headers["X-A"].encode("latin-1") == b"caf\xc3\xa9"
    assert probe.last() == Value("NoneType", "None")


@pytest.mark.parametrize(
    ("keep_alive", "closed"),
    [("", True), (", 0", True), (", False", True), (", 1", False), (", True", False), (", -1", False)],
)
def test_keep_alive_argument_decides_about_the_connection(
    probe: Probe, keep_alive: str, closed: bool
) -> None:
    response = probe.send(
        "quiet", f"ecb.SendResponseHeaders('200 OK', 'Content-Length: 0\\r\\n\\r\\n'{keep_alive})"
    )
    assert (response.headers.get("Connection", "").lower() == "close") is closed


def test_headers_of_one_name_stay_apart(probe: Probe) -> None:
    response = probe.send(
        "quiet", "ecb.SendResponseHeaders('200 OK', 'Set-Cookie: a=1\\r\\nSet-Cookie: b=2\\r\\n\\r\\n')"
    )
    assert response.headers.get_all("Set-Cookie") == ["a=1", "b=2"]


def test_headers_sent_tells_what_went_out(probe: Probe) -> None:
    probe.send("quiet", f"before = ecb.HeadersSent\n{HEAD}(before, ecb.HeadersSent)")
    assert probe.last() == Value("tuple", "(False, True)")


def test_redirect_answers_302_with_the_location(probe: Probe) -> None:
    response = probe.send("quiet", "ecb.Redirect('/elsewhere?a=1')")
    assert (response.status, response.headers["Location"]) == (302, "/elsewhere?a=1")
    assert probe.last() == Value("NoneType", "None")


# The rest


@pytest.mark.parametrize("url", ["/", "/page.html", "/not/there.txt", "/caf\u00e9"])
def test_map_url_to_path_gives_a_path_below_the_root(probe: Probe, url: str) -> None:
    path = probe.value(f"ecb.MapURLToPath({url!r})")
    assert path.rstrip(b"/").decode() == str(probe.root / url.lstrip("/"))


@pytest.mark.parametrize(("connection", "kept"), [("keep-alive", True), ("close", False)])
def test_is_keep_conn_is_a_bool(probe: Probe, connection: str, kept: bool) -> None:
    assert probe.outcome("ecb.IsKeepConn()", headers={"Connection": connection}) == Value("bool", repr(kept))


@pytest.mark.parametrize(
    ("headers", "kept"),
    [
        ({}, 0),
        ({"Connection": "keep-alive"}, 1),
        ({"Connection": "Keep-Alive"}, 1),
        ({"Connection": "close"}, 0),
    ],
)
def test_is_keep_alive_is_an_integer_about_the_header(
    probe: Probe, headers: dict[str, str], kept: int
) -> None:
    assert probe.outcome("ecb.IsKeepAlive()", headers=headers) == Value("int", repr(kept))


@pytest.mark.parametrize(
    "call",
    [
        "SetFlushFlag(1)",
        "SetFlushFlag(0)",
        "SetFlushFlag(True)",
        "SetFlushFlag(2)",
        "ReportUnhealthy()",
        "ReportUnhealthy(None)",
        "ReportUnhealthy('tired')",
        "IOCompletion(print)",
        "IOCompletion(print, object())",
    ],
)
def test_call_without_result_gives_none(probe: Probe, call: str) -> None:
    assert probe.outcome(f"ecb.{call}") == Value("NoneType", "None")


@pytest.mark.parametrize(
    "call",
    ["DoneWithSession()", "DoneWithSession(1)", "DoneWithSession(2)", "close()", "close(1)", "close(True)"],
)
def test_done_with_session_ends_the_request_and_gives_none(probe: Probe, call: str) -> None:
    response = probe.send("quiet", f"reply(ecb, 'whole')\nresult = ecb.{call}\n(result, ecb.Done)")
    assert (response.status, response.body) == (200, b"whole")
    assert probe.last() == Value("tuple", "(None, True)")


def test_pending_request_may_be_finished_by_any_thread(probe: Probe) -> None:
    response = probe.send("pending", "reply(ecb, 'from a thread')\necb.DoneWithSession()")
    assert response.body == b"from a thread"
    assert probe.last() == Value("NoneType", "None")


def test_request_finished_as_error_without_answer_is_a_500(probe: Probe) -> None:
    assert probe.send("pending", "ecb.DoneWithSession(4)").status == 500
    assert probe.last() == Value("NoneType", "None")


def test_request_finished_without_answer_has_the_status_set(probe: Probe) -> None:
    response = probe.send("pending", "ecb.HttpStatusCode = 204\necb.DoneWithSession()")
    assert (response.status, response.body) == (204, b"")
    assert probe.last() == Value("NoneType", "None")
