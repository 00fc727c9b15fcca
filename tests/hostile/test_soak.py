"""Many requests, a tenth of them aborted: nothing may be left of them, neither memory nor a request in hand.

PYISAPI_SOAK sets the number of requests; a million takes minutes. What the server occupies after a tenth of them is
compared with what it occupies at the end.
"""

from __future__ import annotations

import os
import re

from server_process import ServerProcess, wait_until

from hostile.conftest import Start
from hostile.load import Load, resident

REQUESTS = int(os.environ.get("PYISAPI_SOAK", "60000"))
CONNECTIONS = 64
ABORT_EVERY = 10
GROWTH = 1.05
"""The most that the server may occupy at the end, as a multiple of what it occupied after the first tenth."""


def soak(server: ServerProcess, requests: int) -> None:
    result = Load(server, "/", CONNECTIONS, requests, ABORT_EVERY).result(60 + requests / 1000)
    assert result.wrong == 0 and result.finished + result.aborted == requests, result
    assert result.aborted == requests // ABORT_EVERY, result
    wait_until(lambda: server.get("/live").text == "1", "every request is released")


def test_nothing_is_left_of_many_requests(start: Start) -> None:
    server = start("pool.py")
    soak(server, REQUESTS // 10)
    first = resident(server)
    soak(server, REQUESTS - REQUESTS // 10)
    last = resident(server)
    print(f"\n{REQUESTS} requests: {first / 2**20:.1f} MiB after a tenth, {last / 2**20:.1f} MiB at the end")
    assert last <= first * GROWTH, f"{first} bytes after a tenth, {last} at the end"
    assert server.stop() == 0
    # The server names each request that it still has in hand when it stops.
    assert not re.search("ISAPI0309", server.log())
