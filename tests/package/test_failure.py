from __future__ import annotations

import io
import re
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pyisapi import ExtensionError, _failure, _failure_page
from pyisapi.isapicon import HSE_STATUS_ERROR, HSE_STATUS_SUCCESS
from pyisapi.threaded_extension import ThreadPoolExtension


def fail() -> ZeroDivisionError:
    """Return an exception that has been raised."""
    try:
        1 / 0  # noqa: B018
    except ZeroDivisionError as error:
        return error
    raise AssertionError("unreachable")


def test_a_report_has_code_reference_headline_and_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    reference = _failure.report("ISAPI0206", "HttpExtensionProc of myscript failed", fail())
    lines = capsys.readouterr().err.splitlines()
    assert re.fullmatch("[0-9a-f]{12}", reference)
    assert lines[0] == (
        f"ISAPI0206 [{reference}] HttpExtensionProc of myscript failed: ZeroDivisionError: division by zero"
    )
    assert lines[1] == "Traceback (most recent call last):"
    assert lines[-1] == "ZeroDivisionError: division by zero"


def test_a_report_without_exception_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    reference = _failure.report("ISAPI0212", "no such key", None)
    assert capsys.readouterr().err == f"ISAPI0212 [{reference}] no such key\n"


@pytest.mark.parametrize("name", ["win32api", "win32com.client"])
def test_a_missing_module_of_pywin32_is_explained(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    _failure.report("ISAPI0201", "not imported", ModuleNotFoundError(f"No module named {name!r}", name=name))
    assert capsys.readouterr().err.splitlines()[-1].startswith(f"{name} is part of pywin32")


def test_other_missing_modules_speak_for_themselves(capsys: pytest.CaptureFixture[str]) -> None:
    _failure.report(
        "ISAPI0201", "not imported", ModuleNotFoundError("No module named 'requests'", name="requests")
    )
    assert "pywin32" not in capsys.readouterr().err


def test_a_report_is_one_write(monkeypatch: pytest.MonkeyPatch) -> None:
    writes: list[str] = []

    class Stream:
        def write(self, text: str) -> None:
            writes.append(text)

    monkeypatch.setattr(sys, "stderr", Stream())
    _failure.report("ISAPI0206", "failed", fail())
    assert len(writes) == 1


def test_reports_leave_no_last_exception_behind() -> None:
    _failure.report("ISAPI0206", "failed", fail())
    assert not hasattr(sys, "last_exc")
    assert not hasattr(sys, "last_traceback")


def test_an_exception_that_cannot_be_shown_is_reported_all_the_same(
    capsys: pytest.CaptureFixture[str],
) -> None:
    class Hostile(Exception):
        def __str__(self) -> str:
            raise SystemExit("not shown")

    _failure.report("ISAPI0206", "failed", Hostile())
    assert "Hostile" in capsys.readouterr().err


@pytest.mark.parametrize("closed", [False, True])
def test_without_standard_error_the_log_file_is_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, closed: bool
) -> None:
    log = tmp_path / "script.log"
    stream = io.StringIO()
    stream.close()
    monkeypatch.setattr(sys, "stderr", stream if closed else None)
    monkeypatch.setattr(_failure, "log_file", str(log))
    _failure.report("ISAPI0206", "first", fail())
    _failure.report("ISAPI0206", "second", None)
    text = log.read_text()
    assert "first" in text
    assert "second" in text


def test_without_any_place_reporting_still_does_not_raise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    monkeypatch.setattr(_failure, "log_file", None)
    assert _failure.report("ISAPI0206", "lost", None)


def test_the_page_shows_the_reference_and_no_traceback() -> None:
    page = _failure_page.failed("3f09c2aa11bb", None).decode()
    assert "3f09c2aa11bb" in page
    assert "<pre>" not in page


def test_the_traceback_on_the_page_is_escaped() -> None:
    page = _failure_page.failed("r", "<script>alert('&')</script>").decode()
    assert "<script>" not in page
    assert "&lt;script&gt;alert(&#x27;&amp;&#x27;)&lt;/script&gt;" in page


def test_a_lone_surrogate_does_not_cost_the_page() -> None:
    assert b"\\udcff" in _failure_page.failed("r", "\udcff")


def test_an_unknown_completion_key_has_its_own_code(capsys: pytest.CaptureFixture[str]) -> None:
    _failure.work_failed(77, None, None)
    assert capsys.readouterr().err.startswith("ISAPI0212 ")


def test_a_failing_handler_of_a_key_has_its_own_code(capsys: pytest.CaptureFixture[str]) -> None:
    _failure.work_failed(77, None, KeyError(77))
    assert capsys.readouterr().err.startswith("ISAPI0213 ")


class Wrapper:
    """What a script may queue in place of the control block: only what pywin32's has."""

    LogData: object = None
    HttpStatusCode = 0

    def __init__(self, refusal: Exception | None = None) -> None:
        self.refusal = refusal
        self.sent: list[object] = []

    def SendResponseHeaders(self, status: str, headers: str, keep_alive: bool) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.sent.append(status)

    def WriteClient(self, data: bytes) -> None:
        self.sent.append(type(data).__name__)

    def DoneWithSession(self, status: int) -> None:
        self.sent.append(status)


def carrying(item: object) -> Any:
    """Return something like an overlapped."""
    return SimpleNamespace(object=item)


def test_an_object_around_the_control_block_is_answered_and_finished() -> None:
    wrapper = Wrapper()
    _failure.work_failed(77, carrying(wrapper), fail())
    assert wrapper.sent == ["500 Internal Server Error", "bytes", HSE_STATUS_SUCCESS]


def test_an_object_around_the_control_block_is_refused_with_503() -> None:
    wrapper: Any = Wrapper()
    _failure.refuse(wrapper, "reference")
    assert wrapper.sent == ["503 Service Unavailable", "bytes", HSE_STATUS_SUCCESS]


def test_a_request_whose_page_cannot_be_sent_is_finished_as_an_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    wrapper = Wrapper(ExtensionError(87, None, "SendResponseHeaders"))
    _failure.work_failed(77, carrying(wrapper), fail())
    assert wrapper.sent == [HSE_STATUS_ERROR]
    assert "ISAPI0218" not in capsys.readouterr().err


def test_dispatch_error_of_an_object_around_the_control_block_is_answered() -> None:
    class Pool(ThreadPoolExtension):
        def Dispatch(self, ecb: object) -> None:
            raise KeyError("reason")

    wrapper = Wrapper()
    Pool().DispatchConnection(0, 0, 1, carrying(wrapper))
    assert wrapper.sent == ["500 Internal Server Error", "bytes", HSE_STATUS_SUCCESS]


def test_posted_work_without_a_request_is_only_reported(capsys: pytest.CaptureFixture[str]) -> None:
    _failure.work_failed(77, carrying("anything"), fail())
    assert capsys.readouterr().err.startswith("ISAPI0213 ")
