from __future__ import annotations

import json
import sys
import threading
from pathlib import Path

import pytest
from package_under_test import run_python

from pyisapi import _failure
from pyisapi._log_writer import LogWriter, as_json, to_file


def test_prepare_sets_the_process_up_for_a_script(tmp_path: Path) -> None:
    code = f"""
import sys
from pyisapi import _failure, _server
del sys.argv
_server.prepare({str(tmp_path)!r}, 4711, False, "script")
_server.prepare({str(tmp_path)!r}, 4712, False, "other")
assert sys.path[0] == {str(tmp_path)!r} and sys.path.count({str(tmp_path)!r}) == 1
assert sys.argv == [""]
assert sys.isapidllhandle == 4712
assert sys.stdout is sys.stderr and sys.stderr.fileno() == 2
assert _failure.log_file.endswith("script.log")
import isapi, isapi.simple, pyisapi
assert isapi is pyisapi and isapi.simple is pyisapi.simple
print("ready")
"""
    assert run_python(code) == "ready\n"
    assert list(tmp_path.iterdir()) == []


def test_a_frozen_script_leaves_the_path_alone(tmp_path: Path) -> None:
    code = f"""
import sys
from pyisapi import _server
_server.prepare({str(tmp_path)!r}, 1, True, "script")
print({str(tmp_path)!r} in sys.path)
"""
    assert run_python(code) == "False\n"


def test_folders_from_the_configuration_follow_the_scripts_own(tmp_path: Path) -> None:
    code = f"""
import sys
from pyisapi import _server
known = sys.path[-1]
_server.prepare({str(tmp_path)!r}, 1, False, "script", ["/first", known, "/second"])
print(sys.path[0] == {str(tmp_path)!r}, sys.path[1:3], sys.path.count(known))
"""
    assert run_python(code) == "True ['/first', '/second'] 1\n"


def test_isapi_means_pyisapi_whatever_was_imported_before(tmp_path: Path) -> None:
    (tmp_path / "isapi").mkdir()
    (tmp_path / "isapi" / "__init__.py").write_text("foreign = True\n")
    (tmp_path / "isapi" / "simple.py").write_text("")
    code = f"""
import sys
sys.path.insert(0, {str(tmp_path)!r})
import isapi.simple
assert isapi.foreign
from pyisapi import _server
_server.prepare({str(tmp_path)!r}, 1, False, "script")
import isapi.simple
from isapi.simple import SimpleExtension
from isapi import isapicon
print(isapi.__name__, isapicon.__name__)
"""
    assert run_python(code) == "pyisapi pyisapi.isapicon\n"


def test_win32traceutil_is_there_only_in_a_server_and_yields_to_a_real_one(tmp_path: Path) -> None:
    code = f"""
import importlib.util
from pyisapi import _server
print(importlib.util.find_spec("win32traceutil"))
_server.prepare({str(tmp_path)!r}, 1, False, "script")
import win32traceutil
print(win32traceutil.__file__.rpartition("/")[2])
"""
    if sys.platform != "win32":
        assert run_python(code) == "None\n_win32traceutil.py\n"
    (tmp_path / "win32traceutil.py").write_text("real = True\n")
    code = f"""
from pyisapi import _server
_server.prepare({str(tmp_path)!r}, 1, False, "script")
import win32traceutil
print(win32traceutil.real)
"""
    assert run_python(code) == "True\n"


def test_a_scripts_own_standard_output_stays(tmp_path: Path) -> None:
    code = f"""
import io, sys
from pyisapi import _server
sys.stdout = own = io.StringIO()
_server.prepare({str(tmp_path)!r}, 1, False, "script")
print(sys.stdout is own, file=sys.stderr)
"""
    assert run_python(code) == "True\n"


def test_print_goes_to_a_log_file_where_there_are_no_streams(tmp_path: Path) -> None:
    code = f"""
import sys
sys.stdout = sys.stderr = None
from pyisapi import _failure, _server
_server.prepare({str(tmp_path)!r}, 1, False, "script")
print("a line")
_failure.report("ISAPI0206", "failed", ValueError("why"))
"""
    run_python(code)
    text = (tmp_path / "script.log").read_text()
    assert text.startswith("a line\nISAPI0206 [")
    assert "ValueError: why" in text


def test_scripts_of_one_name_in_two_folders_are_two_modules(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "script.py").write_text(
            f"where = {folder!r}\ncount = globals().get('count', 0) + 1\n"
        )
    code = f"""
import sys
from pyisapi import _server
modules = []
for folder in ({str(tmp_path / "a")!r}, {str(tmp_path / "b")!r}):
    _server.prepare(folder, 1, False, "script")
    modules.append(_server.import_module("script", folder))
    assert _server.import_module("script", folder) is modules[-1]
for module in modules:
    assert _server.reload_module(module) is module
print([(module.where, module.count) for module in modules])
"""
    assert run_python(code) == "[('a', 2), ('b', 2)]\n"


def test_a_script_may_have_the_name_of_a_library(tmp_path: Path) -> None:
    (tmp_path / "queue.py").write_text("mine = True\n")
    code = f"""
import queue
from pyisapi import _server
_server.prepare({str(tmp_path)!r}, 1, False, "queue")
assert _server.import_module("queue", {str(tmp_path)!r}).mine
assert hasattr(queue, "SimpleQueue") and not hasattr(queue, "mine")
print("both")
"""
    assert run_python(code) == "both\n"


def test_a_script_may_have_a_dot_in_its_name(tmp_path: Path) -> None:
    (tmp_path / "dotted.name.py").write_text("count = globals().get('count', 0) + 1\n")
    code = f"""
from pyisapi import _server
module = _server.import_module("dotted.name", {str(tmp_path)!r})
assert _server.import_module("dotted.name", {str(tmp_path)!r}) is module
print(module.__name__, _server.reload_module(module).count)
"""
    assert run_python(code) == "dotted.name 2\n"


def test_a_failing_import_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "queue.py").write_text("1 / 0\n")
    code = f"""
import queue, sys
from pyisapi import _server
_server.prepare({str(tmp_path)!r}, 1, False, "queue")
for attempt in range(2):
    try:
        _server.import_module("queue", {str(tmp_path)!r})
    except ZeroDivisionError:
        print("failed")
assert "queue__2" not in sys.modules
"""
    assert run_python(code) == "failed\nfailed\n"


def test_the_log_writer_writes_whole_lines(tmp_path: Path) -> None:
    log = tmp_path / "log"
    writer = LogWriter(to_file(str(log)))
    assert not log.exists()
    assert writer.write("half ") == 5
    assert not log.exists()
    writer.write("line\nrest")
    assert log.read_text() == "half line\n"
    writer.flush()
    assert log.read_text() == "half line\nrest"
    writer.close()


def test_the_log_writer_is_silent_when_it_cannot_write(tmp_path: Path) -> None:
    writer = LogWriter(to_file(str(tmp_path / "no" / "such" / "folder")))
    print("lost", file=writer)
    writer.close()


def test_the_lines_of_several_threads_stay_whole() -> None:
    pieces: list[str] = []
    writer = LogWriter(pieces.append)
    threads = [
        threading.Thread(target=lambda name=name: [print(name, number, file=writer) for number in range(200)])
        for name in "abcd"
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(pieces) == sorted(f"{name} {number}\n" for name in "abcd" for number in range(200))


@pytest.mark.parametrize("flush", [False, True])
def test_a_report_begins_on_a_line_of_its_own(flush: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    pieces: list[str] = []
    monkeypatch.setattr(sys, "stderr", LogWriter(pieces.append))
    print("x", end="", file=sys.stderr, flush=flush)
    _failure.report("ISAPI0206", "failed", None)
    _failure.report("ISAPI0206", "again", None)
    lines = "".join(pieces).splitlines()
    assert lines[0] == "x" and len(lines) == 3
    assert pieces[-2].startswith("ISAPI0206 [") and pieces[-1].startswith("ISAPI0206 [")


@pytest.mark.parametrize("flush", [False, True])
def test_a_report_behind_an_unfinished_line_is_a_json_record_of_its_own(
    flush: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    pieces: list[str] = []
    monkeypatch.setattr(sys, "stderr", LogWriter(as_json(pieces.append)))
    print("x", end="", file=sys.stderr, flush=flush)
    _failure.report("ISAPI0206", "failed", None)
    line, report = [json.loads(piece) for piece in pieces]
    assert (line["level"], line["message"], report["level"]) == ("INFO", "x", "ERROR")


def test_json_records_hold_a_whole_report() -> None:
    pieces: list[str] = []
    writer = LogWriter(as_json(pieces.append))
    writer.write("ISAPI0206 [0] failed\nTraceback …\n")
    print("a line", file=writer)
    report, line = [json.loads(piece) for piece in pieces]
    assert report["level"] == "ERROR" and report["message"] == "ISAPI0206 [0] failed\nTraceback …"
    assert line["level"] == "INFO" and line["message"] == "a line" and line["target"] == "script"
