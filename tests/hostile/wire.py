"""A client that controls every byte: deliveries, half-closed and reset connections, and answers taken apart.

Answers are read as RFC 9112 frames them, so that one that is cut short or followed by rubbish is seen as such.
"""

from __future__ import annotations

import random
import re
import select
import socket
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from server_process import ServerProcess

PATIENCE = 10.0
"""How long a test waits for anything at all, in seconds."""

QUIET = 1.0
"""How long an answer may take before the client ends its side, which is what a truncated request waits for."""

Delivery = Callable[[bytes], Iterator[bytes]]


def whole(data: bytes) -> Iterator[bytes]:
    yield data


def by_lines(data: bytes) -> Iterator[bytes]:
    yield from re.findall(rb"[^\n]*\n|[^\n]+", data)


def by_bytes(data: bytes) -> Iterator[bytes]:
    yield from (data[index : index + 1] for index in range(len(data)))


def at_random_cuts(data: bytes) -> Iterator[bytes]:
    cuts = random.Random(len(data))
    while data:
        length = cuts.randint(1, 1 + len(data) // 4)
        yield data[:length]
        data = data[length:]


DELIVERIES: dict[str, Delivery] = {
    "whole": whole,
    "lines": by_lines,
    "bytes": by_bytes,
    "cuts": at_random_cuts,
}


@dataclass(frozen=True)
class Answer:
    """One answer, whole unless `cut`."""

    status: int
    headers: dict[str, str]
    body: bytes
    cut: bool = False


class Connection:
    """One connection to the server under test."""

    def __init__(self, server: ServerProcess) -> None:
        self.socket = server.connect()
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.settimeout(PATIENCE)
        self.port: int = self.socket.getsockname()[1]
        self._received = bytearray()

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *exception: object) -> None:
        self.socket.close()

    def send(self, data: bytes, delivery: Delivery = whole) -> bool:
        """Send as much as the server takes; False when it refused the rest."""
        try:
            for piece in delivery(data):
                self.socket.sendall(piece)
        except (BrokenPipeError, ConnectionResetError):
            return False
        return True

    def end_sending(self) -> None:
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it is closed already

    def end_sending_when_silent(self) -> None:
        """End the own side unless an answer comes at once: some requests are meant to be waited for."""
        if self.is_silent(QUIET):
            self.end_sending()

    def reset(self) -> None:
        """Close with a reset, whatever is on its way."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def answer(self) -> Answer | None:
        """Return the next answer; None when the server has closed the connection instead."""
        head = self._until(b"\r\n\r\n")
        if head is None:
            return None
        lines = head.decode("latin-1").split("\r\n")
        status = int(lines[0].split(" ")[1])
        headers = dict(line.lower().split(": ", 1) for line in lines[1:] if line)
        if status == 100:
            return self.answer()
        body, cut = self._body(headers)
        return Answer(status, headers, body, cut)

    def answers(self, expected: int) -> list[Answer]:
        """Return all answers until the server closes; once as many as expected have come, end the own side."""
        answers: list[Answer] = []
        while answer := self.answer():
            answers.append(answer)
            if len(answers) >= expected:
                self.end_sending()
        return answers

    def rest(self) -> bytes:
        """Return all that comes until the server closes; a reset is a close as well."""
        while self._receive():
            pass
        return bytes(self._received)

    def is_silent(self, seconds: float) -> bool:
        """Tell whether nothing comes for a time, neither bytes nor the end."""
        return not self._received and not select.select([self.socket], [], [], seconds)[0]

    def _body(self, headers: dict[str, str]) -> tuple[bytes, bool]:
        if headers.get("transfer-encoding") == "chunked":
            return self._chunks()
        if "content-length" in headers:
            length = int(headers["content-length"])
            while len(self._received) < length and self._receive():
                pass
            body = self._take(length)
            return body, len(body) < length
        return self.rest(), False

    def _chunks(self) -> tuple[bytes, bool]:
        body = b""
        while line := self._until(b"\r\n"):
            size = int(line, 16)
            while len(self._received) < size + 2 and self._receive():
                pass
            body += self._take(size + 2)[:size]
            if size == 0:
                return body, False
        return body, True

    def _take(self, length: int) -> bytes:
        taken = bytes(self._received[:length])
        del self._received[:length]
        return taken

    def _until(self, end: bytes) -> bytes | None:
        while end not in self._received:
            if not self._receive():
                return None
        return self._take(self._received.index(end) + len(end))

    def _receive(self) -> bool:
        try:
            chunk = self.socket.recv(65536)
        except (ConnectionResetError, BrokenPipeError):
            return False
        self._received += chunk
        return bool(chunk)
