"""Many requests, a tenth of them aborted: nothing may be left of them, neither memory nor a request in hand.

PYISAPI_SOAK sets the number of requests; a million takes minutes. What the server occupies after a tenth of them, when
all its threads have come up, is compared with what it occupies at the end. Once there is nothing but an extension, once there are filters before it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from server_process import ServerProcess, wait_until

from hostile.conftest import SCRIPTS, Start
from hostile.load import Load, resident

REQUESTS = int(os.environ.get("PYISAPI_SOAK", "60000"))
WARM_UP = max(REQUESTS // 10, 20_000)
CONNECTIONS = 64
ABORT_EVERY = 10
GROWTH = 1.05
"""The most that the server may occupy at the end, as a multiple of what it occupied after WARM_UP requests."""

SLACK = 0 if REQUESTS >= 1_000_000 else 3 * 2**20
"""Bytes beside GROWTH for a short run, in which threads may still come up; a leak of 80 bytes a request shows."""

INCLUDE = Path(__file__).parents[2] / "crates" / "isapi-abi" / "include"


def soak(server: ServerProcess, requests: int) -> None:
    result = Load(server, "/", CONNECTIONS, requests, ABORT_EVERY).result(60 + requests / 1000)
    assert result.wrong == 0 and result.finished + result.aborted == requests, result
    assert result.aborted == requests // ABORT_EVERY, result
    wait_until(lambda: server.get("/live").text == "1", "every request is released")


def check_that_nothing_is_left(server: ServerProcess) -> None:
    soak(server, WARM_UP)
    first = resident(server)
    soak(server, REQUESTS - WARM_UP)
    last = resident(server)
    print(
        f"\n{REQUESTS} requests: {first / 2**20:.1f} MiB after {WARM_UP}, {last / 2**20:.1f} MiB at the end"
    )
    assert last <= first * GROWTH + SLACK, f"{first} bytes after {WARM_UP}, {last} at the end"


def check_the_end(server: ServerProcess) -> None:
    assert server.stop() == 0
    # The server names each request that it still has in hand when it stops, and each filter that failed.
    assert not re.search("ISAPI0(309|221|33[2-9])", server.log())


def native_filter(folder: Path) -> Path:
    library = folder / "marking.so"
    flags = ["-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-I", str(INCLUDE)]
    subprocess.run(["cc", *flags, "-o", str(library), str(SCRIPTS / "marking_filter.c")], check=True)
    return library


def test_nothing_is_left_of_many_requests(start: Start) -> None:
    server = start("pool.py")
    check_that_nothing_is_left(server)
    check_the_end(server)


def test_nothing_is_left_of_many_requests_past_filters(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A thread has memory of its own, and malloc keeps what is free in many places: neither is a leak, and with few of
    # both all are there after the first tenth.
    monkeypatch.setenv("MALLOC_ARENA_MAX", "1")
    scripts = [
        shutil.copy(SCRIPTS / name, tmp_path) for name in ("rewriting_filter.py", "remembering_filter.py")
    ]
    filters = [native_filter(tmp_path), *scripts]
    threads = ("--threads", "8")
    server = start("pool.py", *threads, *(word for path in filters for word in ("--filter", str(path))))
    check_that_nothing_is_left(server)
    wait_until(
        lambda: server.get("/live").headers["X-Connections"] == "1",
        "the filter's objects of all connections are released",
    )
    headers = server.get("/").headers
    assert (headers["X-Served"], headers["X-Requests"], headers["X-Rewritten"]) == ("1", "1", "yes")
    check_the_end(server)
