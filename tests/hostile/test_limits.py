"""The limits of a request, with IIS's statuses and sub-statuses as the access log has them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from server_process import wait_until

from hostile.conftest import Start
from hostile.wire import Connection

LIMITS = {
    "maxUrl": (b"GET /" + b"a" * 4096 + b" HTTP/1.1\r\nHost: x\r\n\r\n", "404 14"),
    "maxQueryString": (b"GET /?" + b"a" * 2049 + b" HTTP/1.1\r\nHost: x\r\n\r\n", "404 15"),
    "maxAllowedContentLength": (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 30000001\r\n\r\n", "413 1"),
    "bytes of the head": (b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 70_000 + b"\r\n\r\n", "431 0"),
    "fields of the head": (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 200 + b"\r\n", "431 0"),
    "malformed head": (b"GET / HTTP/1.1\r\nHost: x\r\nnonsense\r\n\r\n", "400 0"),
    "unknown version": (b"GET / HTTP/3.0\r\nHost: x\r\n\r\n", "400 0"),
    "no host": (b"GET / HTTP/1.1\r\n\r\n", "400 0"),
    "malformed path": (b"GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n", "400 0"),
}


def test_refusals_are_logged_with_their_sub_status(start: Start, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    server = start("witness.py", "--access-log", str(log))
    for data, logged in LIMITS.values():
        with Connection(server) as client:
            client.send(data)
            answer = client.answer()
            assert answer is not None and str(answer.status) == logged.split()[0]
    wait_until(lambda: len(entries(log)) == len(LIMITS), "each refusal is logged")
    assert entries(log) == [logged for _, logged in LIMITS.values()]


def entries(log: Path) -> list[str]:
    """Return status and sub-status of each entry."""
    lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
    fields = next((line.split()[1:] for line in lines if line.startswith("#Fields:")), [])
    rows = [dict(zip(fields, line.split(), strict=True)) for line in lines if re.match(r"\d{4}-", line)]
    return [f"{row['sc-status']} {row['sc-substatus']}" for row in rows]


def test_body_at_its_limit_is_taken(start: Start) -> None:
    server = start("pool.py")
    assert server.request("POST", "/", b"x" * 30_000_000).status == 200


@pytest.mark.parametrize("framing", ["length", "chunks"])
def test_body_over_its_limit_is_refused_while_others_are_served(start: Start, framing: str) -> None:
    server = start("witness.py")
    with Connection(server) as client:
        if framing == "length":
            client.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 30000001\r\n\r\n" + b"x" * 1_000_000)
        else:
            client.send(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
            chunk = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
            sent = 0
            while sent <= 40 and client.send(chunk):
                sent += 1
        assert server.get("/").status == 200
        answer = client.answer()
    assert answer is None or answer.status >= 400
