"""The calls that the old package lacks, over real HTTP, as our own server serves them."""

from __future__ import annotations

import ast
import http.client
import json
from pathlib import Path

import pytest
from conftest import Servers
from probe_client import Probe, Raised, Value
from raising import simple
from server_process import receive_all

# The connection


def test_client_that_waits_is_connected(probe: Probe) -> None:
    assert probe.value("(ecb.IsConnected(), ecb.IsInProcess())") == (True, True)


def test_client_that_went_away_is_not_connected(serve: Servers) -> None:
    server = serve(
        simple("""
        if path != b"/away":
            reply(ecb)
            return 1
        print("asked", file=sys.stderr)
        try:
            # Until the server learns of it.
            while True:
                ecb.WriteClient(b"x" * 65536)
        except isapi.ExtensionError:
            print("connected:", ecb.IsConnected(), file=sys.stderr)
        return 4""")
    )
    with server.connect() as connection:
        connection.sendall(b"GET /away HTTP/1.0\r\n\r\n")
        server.wait_for_log("^asked$")
    server.wait_for_log("^connected: False$")
    assert server.get("/").body == b"fine"


def test_closed_connection_ends_the_response_where_it_is(serve: Servers) -> None:
    server = serve(
        simple("""
        if path != b"/cut":
            reply(ecb)
            return 1
        ecb.SendResponseHeaders("200 OK", "Content-Length: 100\\r\\n\\r\\n", 1)
        ecb.CloseConnection()
        return 1""")
    )
    with server.connect() as connection:
        connection.sendall(b"GET /cut HTTP/1.1\r\nHost: localhost\r\n\r\n")
        # The head may have gone out by then; no body follows it, and no error page.
        head, _, body = receive_all(connection).partition(b"\r\n\r\n")
    assert body == b"" and b" 500 " not in head
    with pytest.raises((http.client.HTTPException, ConnectionError)):
        server.get("/cut")
    assert server.get("/").body == b"fine"


def test_aborted_connection_ends_with_a_reset(probe: Probe) -> None:
    source = """
ecb.SendResponseHeaders("200 OK", "Content-Length: 2\\r\\n\\r\\n", 0)
ecb.AbortiveClose()
ecb.WriteClient("ok")
ecb.DoneWithSession()"""
    with probe.server.connect() as connection:
        connection.sendall(probe.head("pending", source))
        with pytest.raises(ConnectionResetError):
            while connection.recv(4096):
                pass
    assert isinstance(probe.last(), Value)


def test_requests_have_identities_of_their_own(probe: Probe) -> None:
    source = "[(info.traced, info.context_id) for info in (ecb.GetTraceInfo(), ecb.GetTraceInfo())]"
    [first, again], [other, _] = probe.value(source), probe.value(source)
    assert first == again and first[0] == other[0] is False
    assert len(first[1]) == 16 and first[1] != other[1]


# URLs


def test_url_leads_to_its_path_and_what_may_be_done_there(probe: Probe) -> None:
    root = str(probe.root)
    read_and_script = 0x201
    assert probe.value("tuple(ecb.MapURLToPathEx('/sub/x.txt'))") == (
        f"{root}/sub/x.txt",
        read_and_script,
        len(root),
        0,
    )
    assert probe.value("tuple(ecb.MapURLToPathEx(b'/sub/x.txt'))") == (
        f"{root}/sub/x.txt".encode(),
        read_and_script,
        len(root),
        0,
    )
    assert probe.value("ecb.MapUnicodeURLToPath('/größe/€.txt')") == f"{root}/größe/€.txt"


def test_path_beyond_the_limit_of_the_struct_is_refused(probe: Probe) -> None:
    outcome = probe.outcome("ecb.MapURLToPathEx('/' + 'x' * 300)")
    assert isinstance(outcome, Raised)
    assert outcome.args == (122, None, "ServerSupportFunction(HSE_REQ_MAP_UNICODE_URL_TO_PATH_EX)")
    assert probe.value("len(ecb.MapUnicodeURLToPath('/' + 'x' * 300))") == len(str(probe.root)) + 301


def test_url_is_normalised(probe: Probe) -> None:
    assert probe.value("ecb.NormalizeURL('/a/./b/../c%20d?e=%20')") == b"/a/c d?e=%20"
    outcome = probe.outcome("ecb.NormalizeURL('no/slash')")
    assert isinstance(outcome, Raised)
    assert outcome.args == (87, None, "ServerSupportFunction(HSE_REQ_NORMALIZE_URL)")


# Bodies

READ_ALL = """
import json
parts = [ecb.AvailableData]
def read(block, argument, data, error):
    parts.append(data)
    if data:
        block.AsyncReadClient(100_000, read, argument)
    else:
        reply(block, json.dumps([argument, error, sum(map(len, parts)), sum(map(sum, parts))]))
        block.DoneWithSession()
ecb.AsyncReadClient(100_000, read, "argument")
"""


@pytest.mark.parametrize("size", [0, 1000, 49152, 2_000_000])
def test_body_can_be_read_asynchronously(probe: Probe, size: int) -> None:
    body = (bytes(range(256)) * (size // 256 + 1))[:size]
    response = probe.send("pending", READ_ALL, "POST", body=body)
    assert json.loads(response.text) == ["argument", 0, size, sum(body)]


def test_cancelled_read_ends_with_995_and_loses_nothing(probe: Probe) -> None:
    source = """
def first(block, argument, data, error):
    outcomes.put(json.dumps({"type": "tuple", "repr": repr((data, error))}))
    block.AsyncReadClient(100, second)
def second(block, argument, data, error):
    reply(block, repr((data, error)))
    block.DoneWithSession()
import json
ecb.AsyncReadClient(100, first)
ecb.CancelIO()
"""
    with probe.server.connect() as connection:
        # The head alone, so that the body is still due. It comes whole when the read has been cancelled.
        head = probe.head("pending", source, "POST", 300_000)
        connection.sendall(head + b"x" * 49152)
        outcomes = [probe.last(), probe.last()]
        assert (b"", 995) in [outcome.value for outcome in outcomes if isinstance(outcome, Value)]
        connection.sendall(b"y" * (300_000 - 49152))
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        data, error = ast.literal_eval(answer.read().decode())
    assert (data, error) == (b"y" * len(data), 0) and data


def test_nothing_pending_cannot_be_cancelled(probe: Probe) -> None:
    outcome = probe.outcome("ecb.CancelIO()")
    assert isinstance(outcome, Raised)
    assert outcome.args == (1168, None, "ServerSupportFunction(HSE_REQ_CANCEL_IO)")


# Answers


def test_vector_of_memory_and_files_is_one_response(probe: Probe) -> None:
    source = f"""
with open({str(probe.root / "page.html")!r}, "rb") as file:
    ecb.VectorSend(
        [b"1", "2é", file, (file, 2, 3), bytearray(b"3")],
        isapicon.HSE_IO_SYNC | isapicon.HSE_IO_SEND_HEADERS,
        "206 Some",
        "X-Sent: yes\\r\\n\\r\\n",
    )
ecb.DoneWithSession()"""
    response = probe.send("pending", source)
    assert (response.status, response.headers["X-Sent"]) == (206, "yes")
    assert response.text == "12éa pagepag3"


def test_vector_can_be_sent_asynchronously_as_the_last_of_the_response(probe: Probe) -> None:
    source = """
import json
def sent(block, argument, count, error):
    try:
        block.WriteClient("more")
    except isapi.ExtensionError as refused:
        outcomes.put(json.dumps({"type": "tuple", "repr": repr((argument, count, error, refused.errno))}))
    block.DoneWithSession()
flags = isapicon.HSE_IO_ASYNC | isapicon.HSE_IO_SEND_HEADERS | isapicon.HSE_IO_FINAL_SEND
ecb.VectorSend([b"x" * 300_000, b"end"], flags, "200 OK", "\\r\\n", callback=sent, arg="argument")
"""
    assert probe.send("pending", source).body == b"x" * 300_000 + b"end"
    outcomes = [probe.last(), probe.last()]
    assert ("argument", 300_003, 0, 87) in [o.value for o in outcomes if isinstance(o, Value)]


def test_page_for_an_error_that_the_server_has_not_is_error_2(probe: Probe) -> None:
    for more in ("", ", 1, True, callback=print"):
        outcome = probe.outcome(f"ecb.SendCustomError('404 Not Found'{more})")
        assert isinstance(outcome, Raised)
        assert outcome.args == (2, None, "ServerSupportFunction(HSE_REQ_SEND_CUSTOM_ERROR)")


def test_send_url_redirects(probe: Probe) -> None:
    response = probe.send("pending", "ecb.SendURL('/page.html')\necb.DoneWithSession()")
    assert (response.status, response.headers["Location"]) == (302, "/page.html")


def test_appended_log_text_is_in_the_access_log_as_often_as_it_was_given(
    serve: Servers, tmp_path: Path
) -> None:
    log = tmp_path / "access.log"
    source = "ecb.AppendLog('first')\necb.AppendLog(b'second' * 50)\nreply(ecb)\nreturn 1"
    server = serve(simple(source), "--access-log", str(log))
    assert server.get("/?query").status == 200
    server.close()
    [line] = [line for line in log.read_text("utf-8").splitlines() if not line.startswith("#")]
    assert "queryfirst" + "second" * 50 in line


# What the server refuses


@pytest.mark.parametrize(
    ("call", "name"),
    [
        ("GetCertInfo()", "HSE_REQ_GET_CERT_INFO_EX"),
        ("GetChannelBindingToken()", "HSE_REQ_GET_CHANNEL_BINDING_TOKEN"),
    ],
)
def test_request_that_needs_tls_is_error_50(probe: Probe, call: str, name: str) -> None:
    outcome = probe.outcome(f"ecb.{call}")
    assert isinstance(outcome, Raised) and outcome.name == "ExtensionError"
    assert outcome.args == (50, None, f"ServerSupportFunction({name})")
