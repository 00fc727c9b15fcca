"""Fixtures that start the real program: `serve` for one test, `serve_module` for all tests of a file.

Every server belongs to the fixture that started it and is ended by its own process id when the fixture ends;
a server that had died by then fails the test. The logs of all servers of a failing test are attached to its
report. Scripts are copied below tmp_path, because the server puts a library beside each of them. `run_serve`
is for starts that fail.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from filter_probe_client import FilterProbe
from foreign_process import Foreign, run_beside_server
from probe_client import Probe
from server_process import START_TIMEOUT, ServerProcess, environment, program

SCRIPTS = Path(__file__).with_name("scripts")


class Servers:
    """The servers of one fixture; calling it starts another."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.started: list[ServerProcess] = []

    def __call__(
        self,
        script: Path | str,
        *arguments: str,
        name: str | None = None,
        folder: str = "",
        variables: Mapping[str, str] | None = None,
    ) -> ServerProcess:
        """Serve a script, given as a path or as source text, or a folder, which is served where it is."""
        target = self.place(script, name, folder)
        server = ServerProcess([str(target), "--port", "0", *arguments], self.directory, variables)
        self.started.append(server)
        return server

    def place(self, script: Path | str, name: str | None = None, folder: str = "") -> Path:
        """Put a script into this fixture's folder and return where it is now."""
        if isinstance(script, Path) and script.is_dir():
            return script
        directory = self.directory / folder
        directory.mkdir(parents=True, exist_ok=True)
        if isinstance(script, Path):
            return Path(shutil.copy(script, directory / (name or script.name)))
        target = directory / (name or "script.py")
        target.write_text(script, encoding="utf-8")
        return target

    def close(self) -> None:
        for server in self.started:
            status = server.close()
            if status not in (None, 0):
                pytest.fail(f"a server had ended with status {status}\n{server.report()}", pytrace=False)


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Servers]:
    """Start servers that live as long as the test."""
    servers = Servers(tmp_path)
    yield servers
    servers.close()


@pytest.fixture(scope="module")
def serve_module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Start servers that all tests of a file share."""
    servers = Servers(tmp_path_factory.mktemp("module"))
    yield servers
    servers.close()


@pytest.fixture
def run_serve(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run `pyisapi serve` with arguments for which it is to end by itself."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [program(), "serve", *arguments],
            cwd=tmp_path,
            env=environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=START_TIMEOUT,
            check=False,
        )

    return run


@pytest.fixture(scope="module")
def probe(serve_module: Servers, tmp_path_factory: pytest.TempPathFactory) -> Probe:
    """Return a client of scripts/probe.py, served with a root that holds one page."""
    root = tmp_path_factory.mktemp("root")
    (root / "page.html").write_text("a page", encoding="utf-8")
    return Probe(serve_module(SCRIPTS / "probe.py", "--root", str(root)), root)


@pytest.fixture(scope="module")
def filter_probe(serve_module: Servers) -> FilterProbe:
    """Return a client of scripts/filter_probe.py, which is its own extension."""
    log = serve_module.directory / "access.log"
    return FilterProbe(serve_module(SCRIPTS / "filter_probe.py", "--access-log", str(log)), log)


@pytest.fixture
def foreign(tmp_path: Path) -> Foreign:
    """Return a function that runs a source beside a fabricated server and gives its last line's value."""
    return lambda source: run_beside_server(tmp_path, source)


@pytest.fixture
def scripts() -> Path:
    """Return the folder of the scripts that several tests serve."""
    return SCRIPTS


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Attach the logs of a failing test's servers."""
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    if not report.failed:
        return
    for value in getattr(item, "funcargs", {}).values():
        for server in value.started if isinstance(value, Servers) else ():
            report.sections.append((" ".join(server.command), server.report()))
