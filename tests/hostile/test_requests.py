"""Requests as an enemy writes them: each is refused with its status, and the server goes on serving others.

The table says for each case what is sent and what comes. What is sent goes whole and then byte by byte, unless it is
large. After each case the extension must have seen what the case
allows, which is nothing for a refused request, and another client must be served.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from _pytest.mark import ParameterSet
from server_process import ServerProcess

from hostile.testimony import calls_of
from hostile.wire import Connection, by_bytes, whole

MANY = 20_000
"""More than this is sent whole only."""


@dataclass(frozen=True)
class Case:
    """What is sent, the statuses that come, and what the extension sees: methods, decoded paths and bodies."""

    data: bytes
    statuses: list[int]
    seen: list[tuple[str, str, str]] = field(default_factory=list)
    or_closed: bool = False
    """Whether the connection may be closed without an answer, which depends on how the bytes arrive."""


def get(target: bytes, fields: bytes = b"") -> bytes:
    return b"GET %s HTTP/1.1\r\nHost: x\r\n%s\r\n" % (target, fields)


def post(fields: bytes, body: bytes = b"") -> bytes:
    return b"POST /p HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n%s" % (fields, body)


def chunked(body: bytes) -> bytes:
    return post(b"Transfer-Encoding: chunked", body)


AFTER = get(b"/smuggled")
HELLO = ("POST", "/p", "hello")

LENGTHS = {
    "two different lengths": Case(post(b"Content-Length: 5\r\nContent-Length: 3", b"hello") + AFTER, [400]),
    "two equal lengths": Case(post(b"Content-Length: 5\r\nContent-Length: 5", b"hello"), [200], [HELLO]),
    "a list of lengths": Case(post(b"Content-Length: 5, 5", b"hello") + AFTER, [400]),
    "a length in hexadecimal": Case(post(b"Content-Length: 0x5", b"hello") + AFTER, [400]),
    "a length with a sign": Case(post(b"Content-Length: +5", b"hello") + AFTER, [400]),
    "a negative length": Case(post(b"Content-Length: -5", b"hello") + AFTER, [400]),
    "an empty length": Case(post(b"Content-Length: ", b"hello") + AFTER, [400]),
    "a length beyond 64 bits": Case(post(b"Content-Length: 18446744073709551616") + AFTER, [400]),
    "a length of 2^64-1": Case(post(b"Content-Length: 18446744073709551615") + AFTER, [431]),
    "a length over the limit": Case(post(b"Content-Length: 30000001") + AFTER, [413]),
    "a length behind a blank name": Case(post(b"Content-Length : 5", b"hello") + AFTER, [400]),
    "length and chunks": Case(
        post(b"Content-Length: 5\r\nTransfer-Encoding: chunked", b"0\r\n\r\n") + AFTER,
        [200],
        [("POST", "/p", "")],
    ),
    "chunks and length": Case(
        post(b"Transfer-Encoding: chunked\r\nContent-Length: 5", b"0\r\n\r\n") + AFTER,
        [200],
        [("POST", "/p", "")],
    ),
    "an unknown coding": Case(post(b"Transfer-Encoding: nonsense", b"0\r\n\r\n") + AFTER, [400]),
    "chunked that is not last": Case(post(b"Transfer-Encoding: chunked, gzip", b"0\r\n\r\n") + AFTER, [400]),
    "a coding with a tab in it": Case(post(b"Transfer-Encoding: chun\tked", b"0\r\n\r\n") + AFTER, [400]),
    "a coding with a vertical tab": Case(
        post(b"Transfer-Encoding: \x0bchunked", b"0\r\n\r\n") + AFTER, [400]
    ),
    "chunks in HTTP/1.0": Case(
        b"POST /p HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n" + AFTER, [400]
    ),
    "a body without a length": Case(
        b"POST /p HTTP/1.1\r\nHost: x\r\n\r\n\x00\x01", [200, 400], [("POST", "/p", "")]
    ),
}

CHUNKS = {
    "extensions": Case(chunked(b'5;a=b;c="d e"\r\nhello\r\n0;x\r\n\r\n'), [200], [HELLO]),
    "zeros in front": Case(chunked(b"0000005\r\nhello\r\n000\r\n\r\n"), [200], [HELLO]),
    "trailers": Case(chunked(b"5\r\nhello\r\n0\r\nContent-Length: 99\r\nHost: y\r\n\r\n"), [200], [HELLO]),
    "no digits": Case(chunked(b"\r\nhello\r\n0\r\n\r\n") + AFTER, [400]),
    "digits of another kind": Case(chunked(b"\xd9\xa5\r\nhello\r\n0\r\n\r\n") + AFTER, [400]),
    "a sign": Case(chunked(b"+5\r\nhello\r\n0\r\n\r\n") + AFTER, [400]),
    "0x": Case(chunked(b"0x5\r\nhello\r\n0\r\n\r\n") + AFTER, [400]),
    "an underscore": Case(chunked(b"1_0\r\nhello\r\n0\r\n\r\n") + AFTER, [400]),
    "a blank in front": Case(chunked(b" 5\r\nhello\r\n0\r\n\r\n") + AFTER, [400]),
    "seventeen digits": Case(chunked(b"10000000000000005\r\nhello\r\n0\r\n\r\n") + AFTER, [400]),
    "the largest size": Case(chunked(b"ffffffffffffffff\r\nhello\r\n0\r\n\r\n") + AFTER, [400]),
    "a size one too small": Case(chunked(b"4\r\nhello\r\n0\r\n\r\n") + AFTER, [400]),
    "a size one too large": Case(chunked(b"6\r\nhello\r\n0\r\n\r\n") + AFTER, [400]),
    "a bare LF behind the size": Case(chunked(b"5\nhello\r\n0\r\n\r\n") + AFTER, [400]),
    "a bare CR behind the size": Case(chunked(b"5\rhello\r\n0\r\n\r\n") + AFTER, [400]),
    "a bare LF behind the data": Case(chunked(b"5\r\nhello\n0\r\n\r\n") + AFTER, [400]),
    "a bare LF in an extension": Case(chunked(b"5;a\nb\r\nhello\r\n0\r\n\r\n") + AFTER, [400]),
    "a bare CR in an extension": Case(chunked(b"5;a\rb\r\nhello\r\n0\r\n\r\n") + AFTER, [400]),
    "endless extensions": Case(chunked(b"5;" + b"x" * 100_000 + b"\r\nhello\r\n0\r\n\r\n") + AFTER, [400]),
    "endless trailers": Case(chunked(b"5\r\nhello\r\n0\r\n" + b"A: b\r\n" * 50_000 + b"\r\n") + AFTER, [400]),
    "many small extensions": Case(chunked(b"1;xxxxxxxxxx\r\na\r\n" * 20_000 + b"0\r\n\r\n") + AFTER, [400]),
}

LINES = {
    "a bare LF in the head": Case(b"GET /lf HTTP/1.1\nHost: x\n\n", [200], [("GET", "/lf", "")]),
    "a bare CR in the request line": Case(b"GET /\rx HTTP/1.1\r\nHost: x\r\n\r\n" + AFTER, [400]),
    "a bare CR in a field": Case(get(b"/", b"A: b\rC: d\r\n") + AFTER, [400]),
    "bare CRs alone": Case(b"GET / HTTP/1.1\rHost: x\r\r" + AFTER, [400]),
    "NUL in the target": Case(get(b"/a\0b") + AFTER, [400]),
    "NUL in a field": Case(get(b"/", b"A: b\0c\r\n") + AFTER, [400]),
    "NUL in a name": Case(get(b"/", b"A\0b: c\r\n") + AFTER, [400]),
    "NUL alone": Case(b"\0" * 100 + AFTER, [400]),
    "DEL in a field": Case(get(b"/", b"A: b\x7fc\r\n") + AFTER, [400]),
    "a folded field": Case(get(b"/", b"A: b\r\n c\r\n") + AFTER, [400]),
    "a folded first field": Case(b"GET / HTTP/1.1\r\n Host: x\r\n\r\n" + AFTER, [400]),
    "a field without a colon": Case(get(b"/", b"nonsense\r\n") + AFTER, [400]),
    "a field without a name": Case(get(b"/", b": value\r\n") + AFTER, [400]),
    "a name with a blank": Case(get(b"/", b"A b: c\r\n") + AFTER, [400]),
    "an empty host": Case(b"GET / HTTP/1.1\r\nHost:\r\n\r\n", [200], [("GET", "/", "")]),
    "a host with a blank": Case(b"GET / HTTP/1.1\r\nHost: x y\r\n\r\n" + AFTER, [400]),
    "a host with a path": Case(b"GET / HTTP/1.1\r\nHost: x/y\r\n\r\n" + AFTER, [400]),
    "a host with a user": Case(b"GET / HTTP/1.1\r\nHost: u@x\r\n\r\n" + AFTER, [400]),
    "a host with a port of no number": Case(b"GET / HTTP/1.1\r\nHost: x:y\r\n\r\n" + AFTER, [400]),
    "two hosts": Case(get(b"/", b"Host: y\r\n") + AFTER, [400]),
    "no host": Case(b"GET / HTTP/1.1\r\n\r\n" + AFTER, [400]),
    "two blanks": Case(b"GET  / HTTP/1.1\r\nHost: x\r\n\r\n" + AFTER, [400]),
    "a tab for a blank": Case(b"GET\t/ HTTP/1.1\r\nHost: x\r\n\r\n" + AFTER, [400]),
    "a blank in the target": Case(get(b"/a b") + AFTER, [400]),
    "a method that is no token": Case(b"G@T / HTTP/1.1\r\nHost: x\r\n\r\n" + AFTER, [400]),
    "CONNECT with a path": Case(b"CONNECT /c HTTP/1.1\r\nHost: x\r\n\r\n" + AFTER, [405]),
    "an expectation unknown": Case(get(b"/", b"Expect: nonsense\r\n"), [200], [("GET", "/", "")]),
    "a long method": Case(b"M" * 65 + b" /long HTTP/1.1\r\nHost: x\r\n\r\n" + AFTER, [501]),
    "an endless method": Case(b"M" * 1_000_000, [431]),
}

VERSIONS = {
    "HTTP/0.9": Case(b"GET /old\r\n" + AFTER, [400]),
    "HTTP/1.2": Case(b"GET / HTTP/1.2\r\nHost: x\r\n\r\n" + AFTER, [400]),
    "HTTP/2.0": Case(b"GET / HTTP/2.0\r\nHost: x\r\n\r\n" + AFTER, [400]),
    "HTTP/9": Case(b"GET / HTTP/9\r\nHost: x\r\n\r\n" + AFTER, [400]),
    "the preface of HTTP/2": Case(
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", [400], or_closed=True
    ),
    "the hello of TLS": Case(bytes.fromhex("16030100c8010000c40303") + bytes(range(189)) + AFTER, [400]),
    "an upgrade to HTTP/2": Case(
        get(b"/", b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"),
        [200],
        [("GET", "/", "")],
    ),
    "SSH": Case(b"SSH-2.0-OpenSSH_9.2p1\r\n\r\n", [400]),
    "SMTP": Case(b"EHLO example.com\r\n\r\n", [400]),
}

TARGETS = {
    "absolute": Case(get(b"http://x/a"), [200], [("GET", "/a", "")]),
    "absolute without a path": Case(get(b"http://x"), [200], [("GET", "/", "")]),
    "absolute of another scheme": Case(get(b"ftp://x/a") + AFTER, [400]),
    "absolute with a broken host": Case(get(b"http://[::1/a") + AFTER, [400]),
    "no slash in front": Case(get(b"a") + AFTER, [400]),
    "an asterisk": Case(get(b"*") + AFTER, [400]),
    "a backslash": Case(get(rb"\a") + AFTER, [400]),
    "dots": Case(get(b"/a/../../../b"), [200], [("GET", "/b", "")]),
    "escaped dots": Case(get(b"/a/%2e%2e/%2E./b"), [200], [("GET", "/b", "")]),
    "dots escaped twice": Case(get(b"/%252e%252e/b"), [200], [("GET", "/%2e%2e/b", "")]),
    "an escaped slash": Case(get(b"/a%2f..%2fb"), [200], [("GET", "/b", "")]),
    "a percent sign at the end": Case(get(b"/a%") + AFTER, [400]),
    "half an escape": Case(get(b"/a%4") + AFTER, [400]),
    "an escape of no digits": Case(get(b"/a%zz") + AFTER, [400]),
    "an escape of wide characters": Case(get(b"/a%u002e") + AFTER, [400]),
    "an escaped NUL": Case(get(b"/a%00.html") + AFTER, [400]),
    "an escaped line end": Case(get(b"/a%0d%0aHost:%20y") + AFTER, [400]),
    "overlong UTF-8": Case(get(b"/%c0%ae%c0%ae/b"), [200], [("GET", "/\xc0\xae\xc0\xae/b", "")]),
    "an overlong slash": Case(get(b"/..%c0%afb"), [200], [("GET", "/..\xc0\xafb", "")]),
    "a high surrogate": Case(get(b"/%ed%a0%80"), [200], [("GET", "/\xed\xa0\x80", "")]),
    "bytes that are no UTF-8": Case(get(b"/%ff%fe"), [200], [("GET", "/\xff\xfe", "")]),
    "a path at its limit": Case(get(b"/" + b"a" * 4095), [200], [("GET", "/" + "a" * 4095, "")]),
    "a path over its limit": Case(get(b"/" + b"a" * 4096), [404]),
    "a path of nothing but dots": Case(get(b"/.." * 1300), [200], [("GET", "/", "")]),
    "a query at its limit": Case(get(b"/?" + b"q" * 2048), [200], [("GET", "/", "")]),
    "a query over its limit": Case(get(b"/?" + b"q" * 2049), [404]),
}

SIZES = {
    "a field of a megabyte": Case(get(b"/", b"A: " + b"a" * 1_000_000 + b"\r\n"), [431]),
    "a name of a megabyte": Case(get(b"/", b"a" * 1_000_000 + b": a\r\n"), [431]),
    "a target of a megabyte": Case(get(b"/" + b"a" * 1_000_000), [431]),
    "a target over 64 KiB": Case(get(b"/" + b"a" * 65_600), [431]),
    "a hundred fields": Case(get(b"/", b"A: b\r\n" * 99), [200], [("GET", "/", "")]),
    "more fields than there is room": Case(get(b"/", b"A: b\r\n" * 1000), [431]),
    "a million fields": Case(get(b"/", b"A: b\r\n" * 1_000_000), [431]),
    "nothing but line ends": Case(b"\r\n" * 500_000, [431]),
    "blanks behind a colon": Case(get(b"/", b"A:" + b" " * 1_000_000 + b"\r\n"), [431]),
}

TABLES = {
    "length": LENGTHS,
    "chunk": CHUNKS,
    "line": LINES,
    "version": VERSIONS,
    "target": TARGETS,
    "size": SIZES,
}
CASES = {f"{table}: {name}": case for table, cases in TABLES.items() for name, case in cases.items()}


def parameters() -> Iterator[ParameterSet]:
    for name, case in CASES.items():
        yield pytest.param(case, id=name)


@pytest.mark.parametrize("case", parameters())
def test_hostile_request_is_answered_by_its_status_alone(server: ServerProcess, case: Case) -> None:
    for delivery in [whole] if len(case.data) > MANY else [whole, by_bytes]:
        with Connection(server) as client:
            client.send(case.data, delivery)
            client.end_sending_when_silent()
            statuses = [answer.status for answer in client.answers(len(case.statuses))]
            seen = [(call.method, call.path, call.body) for call in calls_of(server, client.port)]
        assert seen == case.seen
        assert statuses == case.statuses or (case.or_closed and not statuses)
    assert server.get("/").status == 200


def test_host_of_an_absolute_target_counts(server: ServerProcess) -> None:
    """RFC 9112, 3.2.2: the Host field is to be ignored then."""
    with Connection(server) as client:
        client.send(get(b"http://right.example/a").replace(b"Host: x", b"Host: wrong.example"))
        assert [answer.status for answer in client.answers(1)] == [200]
        assert [call.server for call in calls_of(server, client.port)] == ["right.example"]
