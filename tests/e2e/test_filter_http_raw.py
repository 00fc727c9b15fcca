"""Filters over HTTP that change the connection's bytes, and what they write among them."""

from __future__ import annotations

import random
import threading
from itertools import cycle, islice

import pytest
from conftest import SCRIPTS, Servers
from filter_probe_client import FilterProbe
from probe_client import Value
from raising import simple
from server_process import ServerProcess, receive_all, receive_until

KEY = b"secret key"
ECHO = simple(
    """
    body = ecb.AvailableData + ecb.ReadClient() if ecb.TotalBytes else b"-"
    ecb.SendResponseHeaders("200 OK", "Content-Length: %d\\r\\nX-Path: %s\\r\\n\\r\\n" % (len(body), path.decode()), 1)
    ecb.WriteClient(body)
    return 1"""
)


def crypt(data: bytes) -> bytes:
    """Encrypt or decrypt a whole stream."""
    key = bytes(islice(cycle(KEY), len(data)))
    return (int.from_bytes(data, "big") ^ int.from_bytes(key, "big")).to_bytes(len(data), "big")


def exchange(server: ServerProcess, data: bytes, cuts: list[int]) -> bytes:
    """Send data in pieces while all that comes is received."""
    with server.connect() as connection:
        pieces = [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]

        def send() -> None:
            for piece in pieces:
                connection.sendall(piece)

        sender = threading.Thread(target=send)
        sender.start()
        received = receive_all(connection)
        sender.join()
        return received


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("body", [1, 1000, 1_000_000])
def test_stream_is_decrypted_and_encrypted_however_it_is_cut(serve: Servers, seed: int, body: int) -> None:
    chance = random.Random(seed)
    cipher = serve.place(SCRIPTS / "filter_cipher.py")
    server = serve(ECHO, "--filter", str(cipher))
    content = chance.randbytes(body)
    head = f"POST /first HTTP/1.1\r\nHost: x\r\nContent-Length: {body}\r\n\r\n"
    last = "GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    plain = head.encode() + content + last.encode()
    data = chance.randbytes(1000) + crypt(plain)
    # Many of the cuts are where it matters: in the preamble and in the head.
    cuts = sorted(
        chance.sample(range(1, 1100), 20) + chance.sample(range(1100, len(data)), min(20, body // 2))
    )
    received = exchange(server, data, cuts)
    assert received[:1000] == b"#" * 1000
    answer = crypt(received[1000:])
    assert answer.count(b"HTTP/1.1 200 OK\r\n") == 2 and b"\r\nX-Path: /last\r\n" in answer
    start = answer.index(b"\r\n\r\n") + 4
    assert answer[start : start + body] == content


WHOLE = """
from isapi import isapicon
from isapi.simple import SimpleFilter
class Filter(SimpleFilter):
    filter_flags = isapicon.SF_NOTIFY_READ_RAW_DATA
    def HttpFilterProc(self, fc):
        if fc.NotificationType != isapicon.SF_NOTIFY_READ_RAW_DATA:
            return None
        data = fc.GetData()
        if b"\\r\\n\\r\\n" not in data.InData:
            return isapicon.SF_STATUS_REQ_READ_NEXT
        print("whole after", len(data.InData), flush=True)
        data.InData = data.InData.replace(b"GET /secret", b"GET /public-instead-of-secret")
def __FilterFactory__(): return Filter()
"""


def test_filter_holds_back_until_the_head_is_whole(serve: Servers) -> None:
    server = serve(ECHO, "--filter", str(serve.place(WHOLE, "whole.py")))
    data = b"GET /secret HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    received = exchange(server, data, list(range(1, len(data))))
    assert b"X-Path: /public-instead-of-secret\r\n" in received
    server.wait_for_log(f"whole after {len(data)}")


def test_what_is_held_back_goes_on_when_the_client_has_sent_all(filter_probe: FilterProbe) -> None:
    plan = {"READ_RAW_DATA": "result = sf.SF_STATUS_REQ_READ_NEXT\nlen(data.InData)"}
    with filter_probe.connect(plan) as connection:
        port = connection.getsockname()[1]
        connection.sendall(b"GET /held HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        connection.shutdown(1)
        received = receive_all(connection)
    filter_probe.outcomes(port)
    # A client that has shut down its side may still be answered, or be let go.
    assert received == b"" or b'"PATH_INFO": "/held"' in received


UPPER = """
from isapi import isapicon
from isapi.simple import SimpleFilter
class Filter(SimpleFilter):
    filter_flags = isapicon.SF_NOTIFY_SEND_RAW_DATA
    def HttpFilterProc(self, fc):
        if fc.NotificationType == isapicon.SF_NOTIFY_SEND_RAW_DATA:
            data = fc.GetData()
            data.InData = data.InData.replace(b"a", b"A")
def __FilterFactory__(): return Filter()
"""
BODIES = simple(
    """
    length = int(query or b"5")
    if path == b"/chunked":
        ecb.SendResponseHeaders("200 OK", "\\r\\n", 1)
    else:
        ecb.SendResponseHeaders("200 OK", "Content-Length: %d\\r\\n\\r\\n" % length, 1)
    ecb.WriteClient(b"a" * length)
    return 1"""
)


@pytest.mark.parametrize("pipelined", [False, True], ids=["in turn", "pipelined"])
def test_every_response_of_a_connection_goes_through(serve: Servers, pipelined: bool) -> None:
    server = serve(BODIES, "--filter", str(serve.place(UPPER, "upper.py")))
    lengths = [1, 100_000, 0, 70_000, 16384, 3]
    requests = [b"GET /x?%d HTTP/1.1\r\nHost: x\r\n\r\n" % length for length in lengths]
    with server.connect() as connection:
        received = b""
        if pipelined:
            connection.sendall(b"".join(requests))
            expected = sum(lengths)
            while received.count(b"A") < expected or received.count(b"\r\n\r\n") < len(lengths):
                received += connection.recv(1 << 20)
        else:
            for request, length in zip(requests, lengths, strict=True):
                connection.sendall(request)
                one = receive_until(connection, b"\r\n\r\n" + b"A" * length)
                received += one
    assert received.count(b"HTTP/1.1 200 OK\r\n") == len(lengths)
    bodies = [part.partition(b"\r\n\r\n")[2] for part in received.split(b"HTTP/1.1 ")[1:]]
    assert bodies == [b"A" * length for length in lengths]


def test_chunks_go_through(serve: Servers) -> None:
    server = serve(BODIES, "--filter", str(serve.place(UPPER, "upper.py")))
    assert server.get("/chunked?200000").body == b"A" * 200_000


# What filters write among the bytes


def test_bytes_written_at_the_end_of_a_request_come_behind_its_response(filter_probe: FilterProbe) -> None:
    """Many times, since a server that has just begun does it right."""
    plan = {"END_OF_REQUEST": "fc.WriteClient(b'<end of %s>' % fc.GetServerVariable('QUERY_STRING'))"}
    first = b"GET /x?0 HTTP/1.1\r\nHost: x\r\n\r\n"
    last = b"GET /x?1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    for _ in range(60):
        visit = filter_probe.visit(plan, first + last)
        assert visit.of("END_OF_REQUEST") == [Value("NoneType", "None")] * 2
        parts = visit.received.split(b"HTTP/1.1 200 OK\r\n")[1:]
        assert [part[part.index(b"}") + 1 :] for part in parts] == [b"<end of %d>" % n for n in range(2)]


def test_bytes_written_among_raw_data_come_before_it(filter_probe: FilterProbe) -> None:
    visit = filter_probe.visit({"SEND_RAW_DATA": "fc.WriteClient('<before>')"})
    assert visit.received.startswith(b"<before>HTTP/1.1 200 OK\r\n")


def test_bytes_written_while_reading_come_at_once(filter_probe: FilterProbe) -> None:
    """The server waits for the rest of the head, and the client for the greeting."""
    with filter_probe.connect(
        {"READ_RAW_DATA": "kept or fc.WriteClient('<hello>')\nkept.update(x=1)"}
    ) as connection:
        port = connection.getsockname()[1]
        connection.sendall(b"GET / HT")
        assert receive_until(connection, b">") == b"<hello>"
        connection.sendall(b"TP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert receive_all(connection).startswith(b"HTTP/1.1 200 OK\r\n")
    filter_probe.outcomes(port)


@pytest.mark.parametrize("result", ["SF_STATUS_REQ_FINISHED", "SF_STATUS_REQ_FINISHED_KEEP_CONN"])
def test_raw_read_that_finishes_ends_the_connection_behind_what_it_wrote(
    filter_probe: FilterProbe, result: str
) -> None:
    source = f"fc.WriteClient('HTTP/1.1 204 Mine\\r\\n\\r\\n')\nresult = sf.{result}\nNone"
    assert filter_probe.visit({"READ_RAW_DATA": source}).received == b"HTTP/1.1 204 Mine\r\n\r\n"


def test_raw_send_that_finishes_ends_the_connection(filter_probe: FilterProbe) -> None:
    source = "fc.WriteClient('instead')\nresult = sf.SF_STATUS_REQ_FINISHED\nNone"
    assert filter_probe.visit({"SEND_RAW_DATA": source}).received == b"instead"


def test_end_of_request_may_end_the_connection(filter_probe: FilterProbe) -> None:
    one = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    visit = filter_probe.visit({"END_OF_REQUEST": "result = sf.SF_STATUS_REQ_FINISHED\nNone"}, one * 3)
    assert visit.received.count(b"HTTP/1.1 200 OK\r\n") == 1
