"""The client's side of scripts/filter_probe.py: one connection whose notifications run Python source.

A visit is one connection with one request. Outcomes are those of probe_client; the notifications whose source has
run are there in order, with the outcomes of each.
"""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from probe_client import Raised, Value, parse
from server_process import CLIENT_TIMEOUT, ServerProcess, receive_all, wait_until


@dataclass
class Visit:
    """What came of one connection."""

    received: bytes
    outcomes: list[tuple[str, Value | Raised]] = field(default_factory=list)

    @property
    def head(self) -> bytes:
        return self.received.partition(b"\r\n\r\n")[0]

    @property
    def body(self) -> bytes:
        """The body without its framing."""
        rest = self.received.partition(b"\r\n\r\n")[2]
        return b"".join(chunks(rest)) if self.headers("Transfer-Encoding") else rest

    @property
    def status(self) -> int:
        """The status that went out; 0 when nothing has come."""
        match = re.match(rb"HTTP/1\.[01] (\d{3})", self.received)
        return int(match[1]) if match else 0

    @property
    def seen(self) -> dict[str, str]:
        """What the extension has seen."""
        seen: dict[str, str] = json.loads(self.body)
        return seen

    def headers(self, name: str) -> list[bytes]:
        """Return the values of all lines of this name, as they came."""
        pattern = rb"(?im)^" + re.escape(name.encode()) + rb":[ \t]*(.*?)\r?$"
        return re.findall(pattern, self.head)

    def of(self, notification: str) -> list[Value | Raised]:
        return [outcome for name, outcome in self.outcomes if name == notification]

    def outcome(self, notification: str) -> Value | Raised:
        """Return the outcome of the first notification of this kind."""
        outcomes = self.of(notification)
        assert outcomes, f"no {notification} among {self.outcomes}; received {self.received!r}"
        return outcomes[0]

    def value(self, notification: str) -> Any:
        outcome = self.outcome(notification)
        assert isinstance(outcome, Value), outcome
        return outcome.value


def chunks(rest: bytes) -> Iterator[bytes]:
    """Return the contents of the chunks, all of which must be there."""
    while True:
        size, _, rest = rest.partition(b"\r\n")
        length = int(size, 16)
        assert rest[length : length + 2] == b"\r\n", "a chunk is not whole"
        if not length:
            return
        yield rest[:length]
        rest = rest[length + 2 :]


def request(
    target: str = "/x", method: str = "GET", body: bytes = b"", headers: Mapping[str, str] | None = None
) -> bytes:
    """Return a whole request that ends its connection."""
    fields = {"Host": "localhost", "Connection": "close", **(headers or {})}
    if body:
        fields["Content-Length"] = str(len(body))
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


@dataclass
class FilterProbe:
    """A server that serves scripts/filter_probe.py and writes an access log."""

    server: ServerProcess
    access_log: Path

    def connect(self, plan: Mapping[str, str]) -> socket.socket:
        """Return a connection whose notifications run the sources of the plan."""
        connection = socket.socket()
        connection.settimeout(CLIENT_TIMEOUT)
        connection.bind((self.server.host, 0))
        port = connection.getsockname()[1]
        assert self.server.request("POST", f"/plan?{port}", json.dumps(plan).encode()).status == 200
        connection.connect((self.server.host, self.server.port))
        return connection

    def outcomes(self, port: int) -> list[tuple[str, Value | Raised]]:
        """Return what came of the connection from this port, as soon as it has ended."""
        answer = json.loads(self.server.get(f"/outcomes?{port}").text)
        assert answer is not None, "the connection has not ended"
        return [(name, parse(json.dumps(outcome))) for name, outcome in answer]

    def visit(self, plan: Mapping[str, str], data: bytes | None = None, **about: Any) -> Visit:
        """Send one request, given whole or by its parts, while the plan runs."""
        with self.connect(plan) as connection:
            port = connection.getsockname()[1]
            connection.sendall(request(**about) if data is None else data)
            received = receive_all(connection)
        return Visit(received, self.outcomes(port))

    def log_line(self, part: str) -> dict[str, str]:
        """Return the one line of the access log that contains this, by its fields."""

        def lines() -> list[str]:
            return [line for line in self.access_log.read_text("utf-8").splitlines() if part in line]

        wait_until(lambda: len(lines()) > 0, f"a line of the access log with {part!r}")
        [line] = lines()
        fields = re.search(r"^#Fields: (.*)$", self.access_log.read_text("utf-8"), re.MULTILINE)
        assert fields
        return dict(zip(fields[1].split(), line.split(" "), strict=True))
