"""Which Python the loader starts for a script, and what it says when none will do.

The native program is started without the command around it, which would name the Python of the tests.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from conftest import Servers
from raising import simple
from server_process import wait_until

import pyisapi

Run = Callable[..., "subprocess.CompletedProcess[str]"]

SHOW = simple("reply(ecb, ' '.join([__name__, *extra]))\nreturn 1", prelude="extra = []")

NATIVE_PROGRAM = Path(pyisapi.__file__).with_name("bin") / "pyisapi"


@pytest.fixture
def without_pyisapi(tmp_path: Path) -> Path:
    """Return a Python that does not see the installed packages, named python3, alone in its folder."""
    return python_program(tmp_path / "bare" / "python3", "-S")


@pytest.fixture
def native(monkeypatch: pytest.MonkeyPatch, without_pyisapi: Path) -> Mapping[str, str]:
    """Have the native program started; return variables under which no Python will do."""
    monkeypatch.setenv("PYISAPI_PROGRAM", str(NATIVE_PROGRAM))
    variables = {
        "PYISAPI_LOADER": str(pyisapi.loader_path()),
        "PYISAPI_PYTHON": str(without_pyisapi),
        "VIRTUAL_ENV": str(without_pyisapi.parent / "no-environment"),
        "PATH": f"{without_pyisapi.parent}:/usr/bin:/bin",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return variables


def python_program(path: Path, *options: str, before: str = ":") -> Path:
    """Write a program that is this Python with options."""
    path.parent.mkdir(parents=True)
    arguments = " ".join([f"'{sys.executable}'", *options])
    path.write_text(f'#!/bin/sh\n{before}\nexec {arguments} "$@"\n', encoding="utf-8")
    path.chmod(0o755)
    return path


def test_each_python_tried_is_listed_with_its_reason_when_none_will_do(
    serve: Servers, run_serve: Run, native: Mapping[str, str]
) -> None:
    path = serve.place(SHOW)
    (path.parent / ".venv").mkdir()
    ended = run_serve(str(path), "--port", "0")
    assert ended.returncode == 1 and "http://" not in ended.stdout
    [said] = re.findall(r"^ISAPI0101 .*\n((?:  - .*\n)+)", ended.stderr, re.MULTILINE)
    tried = said.splitlines()
    assert len(tried) == 4, ended.stderr
    beside, server, active, default = tried
    assert f"{path.parent}/.venv/bin/python (.venv beside the script): cannot be run" in beside
    assert f"{native['PYISAPI_PYTHON']} (PYISAPI_PYTHON): has no pyisapi" in server
    assert "no-environment/bin/python (VIRTUAL_ENV): cannot be run" in active
    assert "python3 (python3 on PATH): has no pyisapi" in default
    assert "-m pip install pyisapi" in default


def test_python_without_pyisapi_in_the_sidecar_is_the_only_one_tried(
    serve: Servers, run_serve: Run, without_pyisapi: Path
) -> None:
    path = serve.place(SHOW)
    (path.parent / "_script.cfg").write_text(f"interpreter = {without_pyisapi}\n", encoding="utf-8")
    ended = run_serve(str(path), "--port", "0")
    assert ended.returncode == 1
    assert "ISAPI0101" in ended.stderr and ended.stderr.count("  - ") == 1
    assert f"{without_pyisapi} (the sidecar file): has no pyisapi" in ended.stderr


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("# comment\npython = /usr/bin/python3\n", 'line 2: unknown key "python"'),
        ("interpreter\n", "line 1: expected key = value"),
        ("module =\n", "line 1: module has no value"),
        ("library = /lib/libpython.so\n", "library is given without interpreter"),
    ],
)
def test_broken_sidecar_is_named_with_its_line(
    serve: Servers, run_serve: Run, text: str, reason: str
) -> None:
    path = serve.place(SHOW)
    sidecar = path.parent / "_script.cfg"
    sidecar.write_text(text, encoding="utf-8")
    ended = run_serve(str(path), "--port", "0")
    assert ended.returncode == 1 and "http://" not in ended.stdout
    assert f"ISAPI0106 {sidecar}: {reason}" in ended.stderr


def test_broken_sidecar_in_a_folder_is_a_500_until_it_is_corrected(serve: Servers, tmp_path: Path) -> None:
    folder = tmp_path / "site"
    folder.mkdir()
    for name in ("good", "bad"):
        (folder / f"{name}.py").write_text(SHOW, encoding="utf-8")
    (folder / "_bad.cfg").write_text("nonsense\n", encoding="utf-8")
    server = serve(folder)
    assert (server.get("/bad").status, server.get("/good").body) == (500, b"good")
    server.wait_for_log("ISAPI0106 .*_bad.cfg: line 1")
    (folder / "_bad.cfg").write_text("module = bad\n", encoding="utf-8")
    wait_until(lambda: server.get("/bad").body == b"bad", "the script is loaded")


def test_sidecar_names_interpreter_module_and_folders(serve: Servers, native: Mapping[str, str]) -> None:
    folder = serve.directory
    (folder / "other.py").write_text(SHOW + "\nimport beside\nextra.append(beside.name)\n", encoding="utf-8")
    (folder / "lib").mkdir()
    (folder / "lib" / "beside.py").write_text("name = 'from lib'\n", encoding="utf-8")
    (folder / "_script.cfg").write_text(
        f"interpreter = {sys.executable}\nmodule = other\npath = lib\n", encoding="utf-8"
    )
    assert serve(SHOW).get("/").body == b"other from lib"


def test_environment_beside_the_script_comes_first(
    serve: Servers, native: Mapping[str, str], tmp_path: Path
) -> None:
    asked = tmp_path / "asked"
    python_program(serve.directory / ".venv" / "bin" / "python", before=f"touch '{asked}'")
    assert serve(SHOW).get("/").body == b"script"
    assert asked.exists()


def test_python_on_the_path_is_the_last_resort(
    serve: Servers, native: Mapping[str, str], tmp_path: Path
) -> None:
    python = python_program(tmp_path / "usable" / "python3")
    server = serve(SHOW, variables={"PATH": f"{python.parent}:/usr/bin:/bin"})
    assert server.get("/").body == b"script"
