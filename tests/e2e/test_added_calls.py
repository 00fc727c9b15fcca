"""The calls that the old package lacks, over real HTTP, as far as our own server serves them."""

from __future__ import annotations

import http.client
from pathlib import Path

import pytest
from conftest import Servers
from probe_client import Probe, Raised
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


# Answers


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
        ("GetTraceInfo()", "HSE_REQ_GET_TRACE_INFO"),
    ],
)
def test_request_that_needs_tls_or_tracing_is_error_50(probe: Probe, call: str, name: str) -> None:
    outcome = probe.outcome(f"ecb.{call}")
    assert isinstance(outcome, Raised) and outcome.name == "ExtensionError"
    assert outcome.args == (50, None, f"ServerSupportFunction({name})")
