"""What the extension saw of one client, as scripts/witness.py kept it."""

from __future__ import annotations

import json
from dataclasses import dataclass

from server_process import ServerProcess


@dataclass(frozen=True)
class Call:
    """One call of the extension; text is Latin-1, so that each character is a byte."""

    method: str
    target: str
    path: str
    query: str
    server: str
    version: str
    headers: str
    body: str

    @property
    def fields(self) -> list[tuple[str, str]]:
        """The header fields with names in capitals, in order of their names, and as sent where these are equal."""
        lines = (line.split(": ", 1) for line in self.headers.split("\r\n") if line)
        return sorted(((name.upper(), value) for name, value in lines), key=lambda field: field[0])

    @property
    def summary(self) -> tuple[str, str, str]:
        return self.method, self.target, self.body


def calls_of(server: ServerProcess, port: int) -> list[Call]:
    """Return the calls that the client at `port` caused, once."""
    answer = server.get(f"/witness?{port}")
    assert answer.status == 200, answer
    return [Call(**call) for call in json.loads(answer.text)]
