"""What happens when a handler fails: one report in the log, one calm page for the client.

The bridge calls these functions on whichever thread the failure happened, and so does
:mod:`pyisapi.threaded_extension`. The client sees a reference, the log has the traceback under the same
reference; only debug mode (``ISAPI_DEBUG=1``) shows the traceback to the client as well. The public
functions never raise: they are the last stop, and an error here would hide the one that is being reported.
A script may queue an object of its own around the control block, with only the members that pywin32 has.
"""

from __future__ import annotations

import os
import secrets
import sys
import traceback
from typing import TYPE_CHECKING, Any, TypeGuard

from pyisapi import ISAPIError, _failure_page
from pyisapi._log_writer import LogWriter
from pyisapi.isapicon import (
    HSE_STATUS_ERROR,
    HSE_STATUS_SUCCESS,
    HTTP_INTERNAL_SERVER_ERROR,
    HTTP_SERVICE_UNAVAILABLE,
)

if TYPE_CHECKING:
    from pyisapi._bridge import EXTENSION_CONTROL_BLOCK, OVERLAPPED

log_file: str | None = None
"""Where reports go when ``sys.stderr`` is gone; the first script of a server process sets it."""


def report(code: str, headline: str, error: BaseException | None) -> str:
    """Log a failure with its traceback and return the reference under which it was logged."""
    try:
        text = headline if error is None else f"{headline}: {_one_line(error)}\n{_traceback_of(error)}"
        text = text.rstrip("\n") + _hint(error)
    except BaseException as trouble:  # an exception object that cannot even be formatted
        text = f"{headline}: {type(error).__name__} (no traceback: {type(trouble).__name__})"
    return report_text(code, text)


def report_text(code: str, text: str) -> str:
    """Log a text of one or more lines and return the reference under which it was logged."""
    reference = secrets.token_hex(6)
    # One call, so that reports of several threads do not mix.
    _write(f"{code} [{reference}] {text.rstrip()}\n")
    return reference


def answer(control_block: EXTENSION_CONTROL_BLOCK, reference: str, error: BaseException | None) -> bool:
    """Send the 500 page, unless the response has already begun or the request is finished; say if it went."""
    try:
        details = None
        if error is not None and os.environ.get("ISAPI_DEBUG") == "1":
            details = _traceback_of(error)
        page = _failure_page.failed(reference, details)
        status_line = "500 Internal Server Error"
        return _respond(control_block, HTTP_INTERNAL_SERVER_ERROR, status_line, page, reference)
    except BaseException as trouble:
        _give_up("the error page", reference, trouble)
        return False


def refuse(control_block: EXTENSION_CONTROL_BLOCK, reference: str) -> None:
    """Send the 503 page to a request that nobody will handle any more, and finish it."""
    sent = False
    try:
        page = _failure_page.unavailable(reference)
        sent = _respond(control_block, HTTP_SERVICE_UNAVAILABLE, "503 Service Unavailable", page, reference)
    except BaseException as trouble:
        _give_up("the 503 page", reference, trouble)
    # A response that had begun stays incomplete: ending it as an error lets the client see that.
    finish(control_block, HSE_STATUS_SUCCESS if sent else HSE_STATUS_ERROR)


def finish(control_block: EXTENSION_CONTROL_BLOCK, status: int = HSE_STATUS_ERROR) -> None:
    """End the request if it has not ended yet; with the default status the connection is given up."""
    try:
        if not is_done(control_block):
            control_block.DoneWithSession(status)
    except BaseException as trouble:
        _give_up("DoneWithSession", "-", trouble)


def is_request(item: object) -> TypeGuard[EXTENSION_CONTROL_BLOCK]:
    """Say whether this is a control block, or a script's own object around one."""
    return callable(getattr(item, "DoneWithSession", None))


def is_done(control_block: EXTENSION_CONTROL_BLOCK) -> bool:
    """Say whether the request is finished, as far as the object tells."""
    return bool(getattr(control_block, "Done", False))


def work_failed(key: int, overlapped: OVERLAPPED | None, error: BaseException | None) -> None:
    """Report work from a completion port that failed, and finish the request that it carried, if any."""
    if error is None:
        reference = report("ISAPI0212", f"nothing in dispatch_map handles the completion key {key}", None)
    else:
        reference = report("ISAPI0213", f"the handler of the completion key {key} failed", error)
    try:
        carried: Any = None if overlapped is None else overlapped.object
        if is_request(carried):
            sent = answer(carried, reference, error)
            finish(carried, HSE_STATUS_SUCCESS if sent else HSE_STATUS_ERROR)
    except BaseException as trouble:
        _give_up("the request of the failed work", reference, trouble)


def _respond(
    control_block: EXTENSION_CONTROL_BLOCK, status: int, status_line: str, page: bytes, reference: str
) -> bool:
    """Send a whole response and say whether it went; not after the end, nor after the response has begun."""
    if is_done(control_block):
        return False
    control_block.LogData = f"|{reference}"
    if getattr(control_block, "HeadersSent", False):
        return False
    control_block.HttpStatusCode = status
    headers = (
        "Content-Type: text/html; charset=utf-8\r\n"
        f"Content-Length: {len(page)}\r\n"
        "Cache-Control: no-store\r\n\r\n"
    )
    control_block.SendResponseHeaders(status_line, headers, True)
    if getattr(control_block, "Method", b"GET") != b"HEAD":
        control_block.WriteClient(page)
    return True


def _give_up(what: str, reference: str, trouble: BaseException) -> None:
    # A client that has gone, or a request that another thread has just finished, is nothing to report.
    if not isinstance(trouble, (ISAPIError, RuntimeError)):
        _write(f"ISAPI0218 [{reference}] {what} could not be sent: {type(trouble).__name__}\n")


# How the names of modules begin that scripts import from pywin32 besides isapi.
_OF_PYWIN32 = ("pythoncom", "pywintypes", "servicemanager", "win32", "winerror")


def _hint(error: BaseException | None) -> str:
    """Say what a missing module is, where its name alone would leave the reader searching."""
    missing = error.name if isinstance(error, ModuleNotFoundError) else None
    if missing is None or not missing.startswith(_OF_PYWIN32):
        return ""
    if sys.platform == "win32":
        return f"\n{missing} is part of pywin32: pip install pywin32"
    return f"\n{missing} is part of pywin32, which exists on Windows only"


def _one_line(error: BaseException) -> str:
    lines = str(traceback.TracebackException.from_exception(error)).splitlines()
    name = type(error).__name__
    return f"{name}: {lines[0]}" if lines else name


def _traceback_of(error: BaseException) -> str:
    # Never through sys.excepthook, which leaves sys.last_* behind: those keep the request's frames alive.
    return "".join(traceback.format_exception(error))


def _write(text: str) -> None:
    stream = sys.stderr
    if stream is not None:
        try:
            write = stream.write_report if isinstance(stream, LogWriter) else stream.write
            write(text)
            return
        except (OSError, ValueError):
            pass  # a closed or broken stream: the log file is left
    if log_file is not None:
        try:
            with open(log_file, "a", encoding="utf-8", errors="backslashreplace") as log:
                log.write(text)
        except OSError:
            pass  # there is no third place to say so
