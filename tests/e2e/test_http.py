"""HTTP as the client sees it: what is refused, and what of the protocol a handler need not know about."""

from __future__ import annotations

import http.client
import socket
import struct
from pathlib import Path

import pytest
from conftest import Servers
from probe_client import Probe, Raised, Value
from server_process import CLIENT_TIMEOUT, ServerProcess, receive_all, receive_until

ECHO = """
from isapi import isapicon


class Extension:
    def GetExtensionVersion(self, vi):
        pass

    def HttpExtensionProc(self, ecb):
        body = ecb.AvailableData + ecb.ReadClient()
        text = b"%s %s?%s %d:" % (ecb.Method, ecb.PathInfo, ecb.QueryString, len(body)) + body
        ecb.SendResponseHeaders("200 OK", "Content-Type: text/plain\\r\\nContent-Length: %d\\r\\n\\r\\n" % len(text), 1)
        ecb.WriteClient(text)
        return isapicon.HSE_STATUS_SUCCESS

    def TerminateExtension(self, status):
        pass


def __ExtensionFactory__():
    return Extension()
"""


@pytest.fixture(scope="module")
def echo(serve_module: Servers) -> ServerProcess:
    return serve_module(ECHO, name="echo.py")


def refused(answer: bytes, *statuses: int) -> bool:
    """Tell whether there is exactly one answer, with one of these statuses or any 4xx."""
    head, _, _ = answer.partition(b"\r\n")
    status = int(head.split(b" ")[1]) if head.startswith(b"HTTP/1.") else 0
    return answer.count(b"HTTP/1.") == 1 and (status in statuses if statuses else 400 <= status < 500)


MALFORMED = {
    "no request line": b"\r\n\r\n\r\nnonsense\r\n\r\n",
    "two words": b"GET /\r\nHost: x\r\n\r\n",
    "blank in the target": b"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n",
    "control character in the target": b"GET /a\x01b HTTP/1.1\r\nHost: x\r\n\r\n",
    "method of no token": b"G(T / HTTP/1.1\r\nHost: x\r\n\r\n",
    "header without colon": b"GET / HTTP/1.1\r\nHost: x\r\nnonsense\r\n\r\n",
    "blank before the colon": b"GET / HTTP/1.1\r\nHost : x\r\n\r\n",
    "bare CR in a header": b"GET / HTTP/1.1\r\nHost: x\r\nA: b\rC: d\r\n\r\n",
    "NUL in a header": b"GET / HTTP/1.1\r\nHost: x\r\nA: b\0c\r\n\r\n",
    "folded header": b"GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n",
    "negative length": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    "length of no number": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ten\r\n\r\n",
    "length with a sign": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +1\r\n\r\nx",
    "two lengths": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxy",
    "list of lengths": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1, 2\r\n\r\nxy",
    "unknown coding": b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: nonsense\r\n\r\n",
    "chunked not last": b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "two hosts": b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
    "huge header block": b"GET / HTTP/1.1\r\nHost: x\r\n"
    + b"".join(b"X-%d: %s\r\n" % (n, b"v" * 8000) for n in range(200))
    + b"\r\n",
    "thousands of headers": b"GET / HTTP/1.1\r\nHost: x\r\n"
    + b"".join(b"X-%d: v\r\n" % n for n in range(5000))
    + b"\r\n",
    "huge target": b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    "huge query": b"GET /?" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
}


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed_request_is_refused_and_the_connection_closed(echo: ServerProcess, data: bytes) -> None:
    answer = sent(echo, data)
    assert refused(answer), answer[:300]
    assert echo.get("/").status == 200


def sent(server: ServerProcess, data: bytes) -> bytes:
    """Send as much as the server takes and return its answer: it may refuse before it has read all."""
    with server.connect() as connection:
        try:
            connection.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass
        return receive_all(connection)


def test_length_beside_chunks_ends_the_connection(echo: ServerProcess) -> None:
    """Refusing is right, and so is reading the chunks; what follows must never be taken for a request."""
    head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer = sent(echo, head + b"0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer.count(b"HTTP/1.") == 1 and b"smuggled" not in answer


@pytest.mark.parametrize("version", [b"HTTP/3.0", b"HTTP/9.9", b"HTTQ/1.1", b"http/1.1"])
def test_unknown_version_is_refused(echo: ServerProcess, version: bytes) -> None:
    answer = echo.raw(b"GET / %s\r\nHost: x\r\n\r\n" % version)
    assert refused(answer) or refused(answer, 505)


@pytest.mark.parametrize("length", [30_000_001, 10**12, 2**63])
def test_body_over_the_limit_is_413(echo: ServerProcess, length: int) -> None:
    answer = sent(echo, b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\nbegun" % length)
    assert refused(answer, 413), answer[:300]


def test_chunked_body_over_the_limit_does_not_reach_the_handler_whole(echo: ServerProcess) -> None:
    chunk = b"f4240\r\n" + b"x" * 1_000_000 + b"\r\n"
    answer = sent(
        echo, b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk * 31 + b"0\r\n\r\n"
    )
    assert not answer.startswith(b"HTTP/1.1 200"), answer[:100]
    assert echo.get("/").status == 200


def test_length_beyond_64_bits_is_refused(echo: ServerProcess) -> None:
    assert refused(sent(echo, b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % 2**64))


def test_http_1_0_is_answered_and_closed(echo: ServerProcess) -> None:
    answer = echo.raw(b"GET /old HTTP/1.0\r\n\r\n")
    assert answer.split(b" ")[1] == b"200" and answer.endswith(b"\r\n\r\nGET /old? 0:")
    assert b"transfer-encoding" not in answer.lower()


def test_http_1_0_may_ask_to_keep_the_connection(echo: ServerProcess) -> None:
    with echo.connect() as connection:
        for _ in range(2):
            connection.sendall(b"GET /old HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            head, _, body = receive_until(connection, b"0:").partition(b"\r\n\r\n")
            assert b"connection: keep-alive" in head.lower() and body == b"GET /old? 0:"


def test_connection_is_kept_for_many_requests(echo: ServerProcess) -> None:
    connection = http.client.HTTPConnection(echo.host, echo.port, timeout=CLIENT_TIMEOUT)
    try:
        connection.connect()
        first = connection.sock
        for number in range(50):
            connection.request("POST", f"/{number}", b"body")
            assert connection.getresponse().read() == b"POST /%d? 4:body" % number
        assert connection.sock is first
    finally:
        connection.close()


def test_connection_is_closed_when_the_client_asks(echo: ServerProcess) -> None:
    answer = echo.raw(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert b"connection: close" in answer.lower() and answer.endswith(b"GET /? 0:")


def test_unread_body_does_not_become_the_next_request(probe: Probe) -> None:
    with probe.server.connect() as connection:
        for _ in range(3):
            body = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n" * 3000
            try:
                connection.sendall(probe.head("run", "1", "POST", len(body)) + body)
            except (BrokenPipeError, ConnectionResetError):
                break  # closing instead of reading the rest is right as well
            answer = connection.recv(65536)
            if not answer:
                break
            assert answer.startswith(b"HTTP/1.1 200") and answer.count(b"HTTP/1.1") == 1


def test_head_has_the_headers_and_no_body(echo: ServerProcess) -> None:
    answer = echo.raw(b"HEAD /h HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200") and b"content-length: 11" in head.lower() and body == b""


@pytest.mark.parametrize("status", [204, 304])
def test_answer_without_body_stays_so(probe: Probe, status: int) -> None:
    response = probe.send(
        "quiet", f"ecb.SendResponseHeaders('{status} Word', '\\r\\n', 1)\necb.WriteClient(b'not allowed')"
    )
    assert (response.status, response.body) == (status, b"")


@pytest.mark.parametrize("sizes", [[5], [1, 2, 3, 4], [100_000, 1, 100_000], [0]])
def test_chunked_upload_arrives_whole(echo: ServerProcess, sizes: list[int]) -> None:
    parts = [bytes([65 + number]) * size for number, size in enumerate(sizes)]
    response = echo.request("POST", "/up", iter(parts), {"Content-Type": "x/y"})
    whole = b"".join(parts)
    assert response.body == b"POST /up? %d:" % len(whole) + whole


def test_chunk_extensions_and_trailers_are_no_body(echo: ServerProcess) -> None:
    answer = echo.raw(
        b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"3;name=value\r\nabc\r\n0\r\nX-Trailer: 1\r\n\r\n"
    )
    assert answer.endswith(b"POST /? 3:abc")


@pytest.mark.parametrize(
    "chunk", [b"nonsense\r\n\r\n", b"-1\r\nx\r\n", b"3\r\nabcd\r\n0\r\n\r\n", b"fffffffffffffffff\r\nx"]
)
def test_broken_chunk_is_no_success(echo: ServerProcess, chunk: bytes) -> None:
    answer = sent(echo, b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk)
    assert not answer.startswith(b"HTTP/1.1 200"), answer[:200]


def test_pipelined_requests_are_answered_in_order(echo: ServerProcess) -> None:
    requests = b"".join(
        b"POST /%d HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n%02d" % (number, number)
        for number in range(20)
    )
    with echo.connect() as connection:
        connection.sendall(requests)
        received = receive_until(connection, b"2:19")
    assert [received.find(b"POST /%d? 2:%02d" % (number, number)) for number in range(20)] == sorted(
        received.find(b"POST /%d? 2:%02d" % (number, number)) for number in range(20)
    )
    assert received.count(b"HTTP/1.1 200") == 20


def test_expecting_client_is_told_to_continue(echo: ServerProcess) -> None:
    with echo.connect() as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n")
        assert receive_until(connection, b"\r\n\r\n").startswith(b"HTTP/1.1 100")
        connection.sendall(b"body")
        assert receive_until(connection, b"4:body").startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("cut", [1, 10, 30, 43, 44, 45, 60])
def test_request_in_two_parts_is_one_request(echo: ServerProcess, cut: int) -> None:
    data = b"POST /parts HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n\r\n" + b"0123456789" * 2
    with echo.connect() as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(data[:cut])
        assert echo.get("/").status == 200
        connection.sendall(data[cut:])
        assert receive_until(connection, b"20:" + b"0123456789" * 2).startswith(b"HTTP/1.1 200")


def test_path_is_decoded_and_the_query_is_not(echo: ServerProcess) -> None:
    assert echo.get("/caf%C3%A9%20au?q=%20%41").body == "GET /café au?q=%20%41 0:".encode()


@pytest.mark.parametrize(
    "path",
    [
        "/../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/a/..%2f..%2f..%2fetc/passwd",
        "/..%5c..%5cetc/passwd",
    ],
)
def test_no_path_leads_out_of_the_folder_served(serve: Servers, tmp_path: Path, path: str) -> None:
    folder = tmp_path / "site"
    (folder / "static").mkdir(parents=True)
    (folder / "static" / "index.html").write_text("inside", encoding="utf-8")
    (folder / "app.py").write_text(ECHO, encoding="utf-8")
    server = serve(folder)
    answer = server.raw(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    assert answer.split(b" ")[1] in (b"400", b"403", b"404") and b"root:" not in answer


def test_client_that_goes_away_is_error_10054(probe: Probe) -> None:
    source = """
ecb.SendResponseHeaders("200 OK", "Content-Type: x/y\\r\\n\\r\\n")
for _ in range(10**6):
    ecb.WriteClient(b"x" * 100000)
None"""
    with probe.server.connect() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.sendall(probe.head("quiet", source))
        receive_until(connection, b"xxx")
    outcome = probe.last()
    assert (
        isinstance(outcome, Raised)
        and outcome.name == "ExtensionError"
        and outcome.args == (10054, None, "WriteClient")
    )
    assert probe.outcome("1") == Value("int", "1")


def test_client_that_stops_in_the_middle_of_its_body_is_an_error(probe: Probe) -> None:
    with probe.server.connect() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.sendall(probe.head("quiet", "ecb.ReadClient()", "POST", 400_000) + b"x" * 60_000)
        run = probe.runs
        # The read-ahead is full, so the handler is waiting for the rest.
        assert probe.outcome("1") == Value("int", "1")
    outcome = probe.last(run)
    assert (
        isinstance(outcome, Raised) and outcome.name == "ExtensionError" and outcome.args[2] == "ReadClient"
    )
