"""slowhttptest's four attacks, while an honest client is served in time.

PYISAPI_SLOW_SECONDS sets how long each lasts. The program is a package of Debian; without it the tests are skipped.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from server_process import ServerProcess

from hostile.conftest import Start
from hostile.wire import Connection

SECONDS = int(os.environ.get("PYISAPI_SLOW_SECONDS", "5"))
CONNECTIONS = 500
RATE = 125
"""How many connections are opened in a second. They come all at once, so more would overrun the listening socket."""
PATIENCE = 15.0
"""How much longer than asked an attack may last."""
LATENCY = 1.0
"""The longest that an honest client may wait for its answer, in seconds."""
LARGE = 4_000_000
READ_AHEAD = 49_152
"""So much of a body is read before the extension is called."""


@dataclass(frozen=True)
class Attack:
    """A mode of slowhttptest, and what it is aimed at."""

    options: list[str]
    path: str
    honest: str = "/app/"
    """What the honest client asks for: not of a pool whose workers are all waiting for slow readers."""


ATTACKS = {
    "slow heads": Attack(["-H", "-i", "1", "-x", "24"], "/app/"),
    "slow bodies": Attack(["-B", "-i", "1", "-x", "10", "-s", "8192"], "/app/"),
    "ranges": Attack(["-R", "-a", "1", "-b", "3000", "-t", "GET"], "/large.bin"),
    "slow readers of a file": Attack(
        ["-X", "-w", "10", "-y", "20", "-n", "1", "-z", "5", "-k", "3"], "/large.bin"
    ),
    "slow readers of an extension": Attack(
        ["-X", "-w", "10", "-y", "20", "-n", "1", "-z", "5"], "/app/large", "/small"
    ),
}


def waits_during(attacker: subprocess.Popen[bytes], server: ServerProcess, path: str) -> list[float]:
    """Ask again and again until the attacker ends, and return how long each answer took."""
    waits = []
    end = time.monotonic() + SECONDS + PATIENCE
    while attacker.poll() is None:
        begin = time.monotonic()
        assert begin < end, "the attack does not end"
        assert server.get(path).text == "answer"
        waits.append(time.monotonic() - begin)
    return waits


@pytest.mark.skipif(shutil.which("slowhttptest") is None, reason="slowhttptest is not installed")
@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS.keys())
def test_honest_client_is_served_during_an_attack(start: Start, tmp_path: Path, attack: Attack) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "large.bin").write_bytes(b"x" * LARGE)
    (root / "small").write_text("answer", encoding="ascii")
    server = start("pool.py", "--root", str(root))
    url = f"http://{server.host}:{server.port}{attack.path}"
    size = ["-c", str(CONNECTIONS), "-r", str(RATE), "-l", str(SECONDS), "-p", "3"]
    command = ["slowhttptest", *attack.options, *size, "-u", url]
    output = tmp_path / "output"
    with output.open("wb") as stream:
        attacker = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=stream, stderr=subprocess.STDOUT
        )
        try:
            waits = waits_during(attacker, server, attack.honest)
        finally:
            attacker.kill()
            attacker.wait()
    report = output.read_text(encoding="utf-8", errors="replace")
    print(f"\n{len(waits)} answers, the slowest after {1000 * max(waits):.0f} ms")
    assert max(waits) < LATENCY
    assert "service available:" in report, report[-2000:]


@pytest.mark.xfail(reason="ReadClient occupies a thread while it waits for a client", strict=True)
def test_bodies_that_stall_behind_the_read_ahead_stop_nobody(start: Start) -> None:
    threads = 4
    server = start("witness.py", "--threads", str(threads))
    with ExitStack() as stack:
        for _ in range(threads):
            client = stack.enter_context(Connection(server))
            client.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n" + b"x" * READ_AHEAD)
        # The extension is called for them at some time, so one good answer proves nothing.
        end = time.monotonic() + 2 * LATENCY
        while time.monotonic() < end:
            with Connection(server) as honest:
                honest.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                assert not honest.is_silent(LATENCY)
