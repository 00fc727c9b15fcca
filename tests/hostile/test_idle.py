"""Ten thousand idle connections beside busy ones: all are served, and an idle one costs little memory.

Each connection has had one request answered, as browsers leave them. Where the system allows fewer open files, there
are as many connections as it allows.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import pytest
from server_process import ServerProcess, receive_until

from hostile.conftest import servers
from hostile.load import Load, Result, resident

CONNECTIONS = 10_000
SPARE = 500
"""Files that the server and the client have open beside the idle connections."""
BUSY = 64
REQUESTS = 20_000
LIMIT = 12 * 1024
"""The most that an idle connection may cost the server, in bytes."""

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: an idle client\r\n\r\n"


@contextmanager
def idle_connections(server: ServerProcess, count: int) -> Iterator[list[socket.socket]]:
    with ExitStack() as stack:
        connections = []
        for _ in range(count):
            connection = stack.enter_context(server.connect())
            # One at a time: connections that come faster than they are accepted overrun the listening socket.
            ask(connection)
            connections.append(connection)
        yield connections


def ask(connection: socket.socket) -> None:
    connection.sendall(GET)
    assert receive_until(connection, b"answer").startswith(b"HTTP/1.1 200")


def busy(server: ServerProcess) -> Result:
    result = Load(server, "/", BUSY, REQUESTS).result(120)
    assert result.wrong == 0 and result.finished == REQUESTS, result
    return result


@dataclass(frozen=True)
class Measured:
    """What ten thousand idle connections did to the server."""

    count: int
    bytes_each: float
    load: Result


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory, descriptors: int) -> Measured:
    with servers(tmp_path_factory.mktemp("idle")) as start:
        server = start("pool.py")
        count = min(CONNECTIONS, descriptors - SPARE)
        # What the busy ones cost once is not to be counted for the idle.
        busy(server)
        before = resident(server)
        with idle_connections(server, count) as connections:
            each = (resident(server) - before) / count
            load = busy(server)
            for connection in connections:
                ask(connection)
    return Measured(count, each, load)


def test_idle_connections_disturb_nobody(measured: Measured) -> None:
    print(f"\n{measured.count} idle connections; slowest answer {1000 * measured.load.slowest:.0f} ms")
    assert measured.load.slowest < 2.0


def test_idle_connection_costs_little(measured: Measured) -> None:
    print(f"\nan idle connection costs {measured.bytes_each:.0f} bytes")
    assert measured.bytes_each <= LIMIT
