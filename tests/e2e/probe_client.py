"""The client's side of scripts/probe.py: sends Python source, returns values or exceptions as Python objects.

`Raised` compares by exception name and arguments, so that a test states both in one line.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from server_process import Response, ServerProcess


@dataclass(frozen=True)
class Raised:
    """An exception that the source raised."""

    name: str
    arguments: str

    @property
    def args(self) -> tuple[Any, ...]:
        return tuple(ast.literal_eval(self.arguments))


@dataclass(frozen=True)
class Value:
    """A value that the source gave."""

    type: str
    text: str

    @property
    def value(self) -> Any:
        return ast.literal_eval(self.text)


def parse(text: str) -> Value | Raised:
    answer = json.loads(text)
    if "raises" in answer:
        return Raised(answer["raises"], answer["args"])
    return Value(answer["type"], answer["repr"])


@dataclass
class Probe:
    """A server that serves scripts/probe.py."""

    server: ServerProcess
    root: Path
    runs: int = 0

    def send(
        self,
        where: str,
        source: str,
        method: str = "GET",
        query: str = "",
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Let the source run at the given moment and return the whole answer."""
        return self.server.request(
            method, f"/{where}{query}", body, {**(headers or {}), **self.headers(source)}
        )

    def headers(self, source: str) -> dict[str, str]:
        """Return the headers that bring the source, as a new run."""
        self.runs += 1
        return {"X-Source": quote(source), "X-Run": str(self.runs)}

    def head(self, where: str, source: str, method: str = "GET", length: int = 0) -> bytes:
        """Return the head of a request that brings the source, for tests that have a connection of their own."""
        headers = {"Host": "localhost", "Content-Length": str(length), **self.headers(source)}
        lines = [f"{method} /{where} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        return "\r\n".join([*lines, "", ""]).encode("ascii")

    def outcome(self, source: str, **request: Any) -> Value | Raised:
        """Run the source before the answer and return what came of it."""
        response = self.send("run", source, **request)
        assert response.status == 200, response.body
        return parse(response.text)

    def value(self, source: str, **request: Any) -> Any:
        outcome = self.outcome(source, **request)
        assert isinstance(outcome, Value), outcome
        return outcome.value

    def raised(self, source: str, **request: Any) -> str:
        """Return the name of the exception that the source raises."""
        outcome = self.outcome(source, **request)
        assert isinstance(outcome, Raised), outcome
        return outcome.name

    def last(self, run: int | None = None) -> Value | Raised:
        """Return the outcome of the latest source, or of the run given, which could not answer by itself."""
        return parse(self.server.get(f"/last?{run or self.runs}").text)

    def late(self, source: str) -> Value | Raised:
        """Run the source after DoneWithSession, in the same call of HttpExtensionProc."""
        assert self.send("late", source).status == 200
        return self.last()

    def kept(self, source: str) -> Value | Raised:
        """Run the source on the control block `old` of an earlier, finished request."""
        assert self.value("kept.update(ecb=ecb)") is None
        return self.outcome(f"old = kept['ecb']\n{source}")
