"""Reads the case files of tests/cases; the format is described in test_cases.py."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path


class CaseError(Exception):
    """A line that is not of the format."""


@dataclass
class Exchange:
    """One request and what is expected of the answer."""

    line: int
    request_line: str
    request_headers: list[tuple[str, str]] = field(default_factory=list)
    request_body: list[str] = field(default_factory=list)
    status: str = ""
    headers: list[tuple[str, str]] = field(default_factory=list)
    absent_headers: list[str] = field(default_factory=list)
    body: list[str] | None = None
    patterns: list[str] = field(default_factory=list)

    def request(self) -> bytes:
        """Return the bytes to send: the request as written, with the headers that every request needs."""
        method, path, *version = self.request_line.split(" ")
        body = "\n".join(self.request_body).encode()
        headers = list(self.request_headers)
        names = {name.lower() for name, _ in headers}
        if "host" not in names:
            headers.insert(0, ("Host", "localhost"))
        if self.request_body and not names & {"content-length", "transfer-encoding"}:
            headers.append(("Content-Length", str(len(body))))
        lines = [
            " ".join([method, path, *(version or ["HTTP/1.1"])]),
            *(f"{name}: {value}" for name, value in headers),
        ]
        return "\r\n".join([*lines, "", ""]).encode() + body


@dataclass
class Case:
    """A whole file: options, exchanges in order, patterns of the log."""

    folder: str = ""
    arguments: list[str] = field(default_factory=list)
    exchanges: list[Exchange] = field(default_factory=list)
    log_patterns: list[str] = field(default_factory=list)


def parse(path: Path) -> Case:
    """Read a case file."""
    case = Case()
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            parse_line(case, number, line)
        except (CaseError, ValueError, IndexError) as error:
            raise CaseError(f"{path.name}:{number}: {error or 'not understood'}: {line!r}") from error
    if not case.exchanges or any(not exchange.status for exchange in case.exchanges):
        raise CaseError(f"{path.name}: a request without an expected status line")
    return case


def parse_line(case: Case, number: int, line: str) -> None:
    mark, _, text = line.partition(" ")
    exchange = case.exchanges[-1] if case.exchanges else None
    if not line or mark == "#":
        return
    if mark == "@":
        option, _, value = text.partition(" ")
        parse_option(case, option, value)
    elif mark == ">" and (exchange is None or exchange.status):
        case.exchanges.append(Exchange(number, text))
    elif exchange is None:
        raise CaseError("before the first request")
    elif mark == ">":
        exchange.request_headers.append(header(text))
    elif mark == ">>":
        exchange.request_body.append(text)
    elif mark == "<" and not exchange.status:
        exchange.status = text
    elif mark == "<":
        exchange.headers.append(header(text))
    elif mark == "<!":
        exchange.absent_headers.append(text)
    elif mark == "<<":
        exchange.body = [*(exchange.body or []), text]
    elif mark == "<~":
        exchange.patterns.append(re.compile(text, re.MULTILINE).pattern)
    else:
        raise CaseError("unknown mark")


def parse_option(case: Case, option: str, value: str) -> None:
    if option == "folder":
        case.folder = value
    elif option == "arguments":
        case.arguments = value.split(" ")
    elif option == "log":
        case.log_patterns.append(re.compile(value, re.MULTILINE).pattern)
    else:
        raise CaseError("unknown option")


def header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon:
        raise CaseError("a header without colon")
    return name, value.strip()
