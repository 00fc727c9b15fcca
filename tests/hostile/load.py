"""The load generator of load.c, compiled on first use and kept below target/, and a server's memory."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from server_process import ServerProcess

SOURCE = Path(__file__).with_name("load.c")
PROGRAM = Path(__file__).parents[2] / "target" / "hostile-load"


@dataclass(frozen=True)
class Result:
    """What came of a load; `slowest` is the longest wait for an answer, in seconds."""

    finished: int
    aborted: int
    wrong: int
    seconds: float
    slowest: float


class Load:
    """A load that runs beside the test until it is waited for."""

    def __init__(
        self, server: ServerProcess, path: str, connections: int, requests: int, abort_every: int = 0
    ) -> None:
        numbers = [connections, requests, abort_every]
        command = [str(program()), str(server.port), path, *map(str, numbers)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def result(self, timeout: float) -> Result:
        """Wait for the end and return what came of it; the load is ended when the time is over."""
        try:
            output, error = self._process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
            raise AssertionError(f"the load was not done within {timeout} s") from None
        assert output, error
        return Result(**json.loads(output))


def program() -> Path:
    """Return the generator, compiled anew if its source has changed."""
    if not PROGRAM.exists() or PROGRAM.stat().st_mtime < SOURCE.stat().st_mtime:
        flags = ["-O2", "-Wall", "-Wextra", "-Werror", "-D_GNU_SOURCE"]
        subprocess.run(["cc", *flags, "-o", str(PROGRAM), str(SOURCE)], check=True)
    return PROGRAM


def resident(server: ServerProcess) -> int:
    """Return the bytes of memory that the server occupies."""
    status = Path(f"/proc/{server.pid}/status").read_text(encoding="ascii")
    match = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert match, status
    return int(match[1]) * 1024
