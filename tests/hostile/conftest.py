"""Servers for hostile clients: `server` serves the witness and some files, `start` whatever a test needs.

A server belongs to the fixture that started it, and one that has died by then fails the test. The descriptors that
thousands of connections need are asked for here, for this process and the servers that it starts.
"""

from __future__ import annotations

import resource
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from server_process import ServerProcess

SCRIPTS = Path(__file__).with_name("scripts")

Start = Callable[..., ServerProcess]


@pytest.fixture(scope="session", autouse=True)
def descriptors() -> int:
    """Raise the limit of open files as far as the system allows, and return it."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most


@contextmanager
def servers(folder: Path) -> Iterator[Start]:
    started: list[ServerProcess] = []

    def start(script: str, *arguments: str) -> ServerProcess:
        """Serve a copy of one of the scripts at /, or at /app when the arguments name a root for files."""
        copy = str(shutil.copy(SCRIPTS / script, folder))
        place = ["--mount", f"/app={copy}"] if "--root" in arguments else [copy]
        started.append(ServerProcess([*place, "--port", "0", *arguments], folder))
        return started[-1]

    try:
        yield start
    finally:
        ended = [(server, server.close()) for server in started]
    for server, status in ended:
        if status not in (None, 0):
            pytest.fail(f"a server had ended with status {status}\n{server.report()}", pytrace=False)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start servers that live as long as the test."""
    with servers(tmp_path) as start_one:
        yield start_one


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Serve the witness to all tests of a file."""
    with servers(tmp_path_factory.mktemp("server")) as start_one:
        yield start_one("witness.py")
