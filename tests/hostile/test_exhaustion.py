"""A server that has no descriptor left: it waits, says so, and goes on once clients have gone."""

from __future__ import annotations

import resource
from contextlib import ExitStack
from pathlib import Path

from server_process import wait_until

from hostile.conftest import Start
from hostile.wire import Connection

ROOM = 40
"""The descriptors that the server gets beyond those that it has open."""


def test_server_without_descriptors_recovers(start: Start) -> None:
    server = start("pool.py")
    assert server.get("/").text == "answer"
    most = len(list(Path(f"/proc/{server.pid}/fd").iterdir())) + ROOM
    before = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (most, before[1]))
    with ExitStack() as stack:
        clients = [stack.enter_context(Connection(server)) for _ in range(2 * ROOM)]
        server.wait_for_log("ISAPI0323")
        for client in clients[: ROOM // 2]:
            client.send(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            answer = client.answer()
            assert answer is not None and answer.body == b"answer"
        # Each that ends makes room for one that waits.
        clients[ROOM + ROOM // 4].send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert clients[ROOM + ROOM // 4].answer() is not None
    wait_until(lambda: server.get("/live").text == "1", "every request is released")
