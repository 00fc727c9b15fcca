"""One running `pyisapi serve`, as its clients and its operator see it.

Starts the real program, waits until it has printed its address, keeps all that it writes, and ends it by its
own process id. Two reader threads empty its pipes; whoever waits for a line waits on their condition with a
deadline. What is served is the caller's matter: arguments are passed on as they are.
"""

from __future__ import annotations

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

START_TIMEOUT = 30.0
STOP_TIMEOUT = 20.0
CLIENT_TIMEOUT = 10.0

ADDRESS = re.compile(r"http://(\[[0-9a-fA-F:]+\]|[\w.-]+):(\d+)")


def program() -> str:
    """Return the program under test: PYISAPI_PROGRAM, or `pyisapi` beside this interpreter."""
    beside_interpreter = str(Path(sys.executable).with_name("pyisapi"))
    return os.environ.get("PYISAPI_PROGRAM", beside_interpreter)


def environment(variables: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return this process's environment less what would change the server's answers, plus the variables."""
    unwanted = {"ISAPI_DEBUG", "RUST_LOG", "PYTHONPATH"}
    kept = {name: value for name, value in os.environ.items() if name not in unwanted}
    return {**kept, **(variables or {})}


class StartFailed(Exception):
    """The program ended, or stayed silent, before it printed an address."""


@dataclass(frozen=True)
class Response:
    """One whole answer."""

    status: int
    reason: str
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode("utf-8")

    @classmethod
    def receive(cls, answer: http.client.HTTPResponse) -> Response:
        """Read an answer to its end; `http.client.IncompleteRead` when the connection was cut."""
        return cls(answer.status, answer.reason, answer.headers, answer.read())


class Output:
    """Everything that a pipe has delivered so far."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._received = bytearray()
        self._ended = False
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        with self._stream:
            while chunk := os.read(self._stream.fileno(), 65536):
                with self._changed:
                    self._received += chunk
                    self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def text(self) -> str:
        with self._changed:
            return self._received.decode("utf-8", "replace")

    def wait_for(self, pattern: re.Pattern[str], timeout: float) -> re.Match[str] | None:
        """Return the first match as soon as it is there; None when the pipe ended or the time is over."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while True:
                ended = self._ended
                match = pattern.search(self._received.decode("utf-8", "replace"))
                left = deadline - time.monotonic()
                if match or ended or left <= 0:
                    return match
                self._changed.wait(left)

    def wait_for_end(self, timeout: float) -> None:
        self._reader.join(timeout)


class ServerProcess:
    """A server that has printed its address."""

    def __init__(
        self, arguments: Sequence[str], directory: Path, variables: Mapping[str, str] | None = None
    ) -> None:
        self.command = [program(), "serve", *arguments]
        self.directory = directory
        self._process = subprocess.Popen(
            self.command,
            cwd=directory,
            env=environment(variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert self._process.stdout is not None and self._process.stderr is not None
        self._stdout = Output(self._process.stdout)
        self._stderr = Output(self._process.stderr)
        address = self._stdout.wait_for(ADDRESS, START_TIMEOUT)
        if address is None:
            self.close()
            raise StartFailed(f"{' '.join(self.command)}: no address\n{self.report()}")
        self.host = address[1].strip("[]")
        self.port = int(address[2])

    @property
    def pid(self) -> int:
        return self._process.pid

    # As a client

    def request(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> Response:
        """Send one request over a connection of its own and return the whole answer."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=CLIENT_TIMEOUT)
        try:
            connection.request(method, path, body, dict(headers or {}))  # type: ignore[arg-type]
            return Response.receive(connection.getresponse())
        finally:
            connection.close()

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> Response:
        return self.request("GET", path, None, headers)

    def connect(self) -> socket.socket:
        """Return a connected socket with the clients' time-out."""
        return socket.create_connection((self.host, self.port), CLIENT_TIMEOUT)

    def raw(self, data: bytes) -> bytes:
        """Send bytes as they are and return all that comes until the server closes the connection."""
        with self.connect() as connection:
            connection.sendall(data)
            return receive_all(connection)

    # As an operator

    def log(self) -> str:
        """Return standard error so far."""
        return self._stderr.text()

    def output(self) -> str:
        """Return standard output so far."""
        return self._stdout.text()

    def wait_for_log(self, pattern: str, timeout: float = CLIENT_TIMEOUT) -> re.Match[str]:
        """Return the first match in standard error; fails when none has come in time."""
        match = self._stderr.wait_for(re.compile(pattern, re.MULTILINE), timeout)
        assert match, f"no {pattern!r} in the log within {timeout} s"
        return match

    def wait_for_output(self, pattern: str, timeout: float = CLIENT_TIMEOUT) -> re.Match[str]:
        """Return the first match in standard output; fails when none has come in time."""
        match = self._stdout.wait_for(re.compile(pattern, re.MULTILINE), timeout)
        assert match, f"no {pattern!r} in the output within {timeout} s"
        return match

    def running(self) -> bool:
        return self._process.poll() is None

    def send_signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def wait(self, timeout: float = STOP_TIMEOUT) -> int:
        """Return the exit status; fails when the program has not ended in time."""
        try:
            status = self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the server still runs after {timeout} s") from None
        self._stdout.wait_for_end(STOP_TIMEOUT)
        self._stderr.wait_for_end(STOP_TIMEOUT)
        return status

    def stop(self, number: signal.Signals = signal.SIGTERM, timeout: float = STOP_TIMEOUT) -> int:
        self.send_signal(number)
        return self.wait(timeout)

    def close(self, patience: float = 3.0) -> int | None:
        """End the program whatever it does; return its exit status if it had ended before."""
        earlier = self._process.poll()
        if earlier is None:
            self._process.terminate()
            try:
                self._process.wait(patience)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        return earlier

    def report(self) -> str:
        """Return all that a person needs who reads about a failure."""
        return f"exit status: {self._process.poll()}\n--- stdout\n{self.output()}\n--- stderr\n{self.log()}"


def receive_all(connection: socket.socket) -> bytes:
    """Receive until the other side closes; a reset ends the answer as well."""
    received = bytearray()
    try:
        while chunk := connection.recv(65536):
            received += chunk
    except ConnectionResetError:
        pass
    return bytes(received)


def receive_until(connection: socket.socket, end: bytes) -> bytes:
    """Receive until the bytes so far contain `end`; the socket's time-out is the limit of each wait."""
    received = bytearray()
    while end not in received:
        chunk = connection.recv(65536)
        assert chunk, f"connection closed after {bytes(received)!r}"
        received += chunk
    return bytes(received)


def wait_until(condition: Callable[[], bool], what: str, timeout: float = CLIENT_TIMEOUT) -> None:
    """Ask again until the condition holds: for what has no event to wait on, such as a file."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout} s: {what}"
        time.sleep(0.02)
