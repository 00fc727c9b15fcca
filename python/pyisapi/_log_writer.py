"""The text stream that stands for ``sys.stdout`` and ``sys.stderr`` inside a server.

A script's prints and the reports of failures are lines of the server's log. Many threads write them beside
the server's own records, so a :class:`LogWriter` hands on whole lines only, each thread's apart, in one
write each. Where they go is a sink: the process's standard error, or a file beside the script where a
process has none (an IIS worker); with ``PYISAPI_LOG_FORMAT=json`` each piece becomes a JSON object.
When a sink cannot write, the lines are dropped: there is nowhere left to complain.
"""

from __future__ import annotations

import io
import json
import os
import re
import threading
from collections.abc import Callable
from datetime import UTC, datetime

# Text without a line end, such as a progress bar, is handed on at this size.
_MAX_PENDING_CHARACTERS = 64 * 1024

_CODE = re.compile(r"ISAPI\d{4}\b")

Sink = Callable[[str], None]


class LogWriter(io.TextIOBase):
    """Hand the lines that a thread writes to ``sink``, several at once if they came at once."""

    def __init__(self, sink: Sink, descriptor: int | None = None) -> None:
        super().__init__()
        self._sink = sink
        self._descriptor = descriptor
        self._this_thread = threading.local()
        self._line_is_open = False

    @property
    def encoding(self) -> str:  # type: ignore[override]  # typeshed has an attribute
        """Name the encoding of what is written."""
        return "utf-8"

    def writable(self) -> bool:
        """Say that this stream can be written."""
        return True

    def fileno(self) -> int:
        """Return the descriptor behind the stream, for those that write past it; there may be none."""
        if self._descriptor is None:
            raise io.UnsupportedOperation("fileno")
        return self._descriptor

    def write(self, text: str) -> int:
        """Keep the text and hand on all complete lines."""
        pending = self._pending() + text
        end = pending.rfind("\n") + 1
        if len(pending) - end > _MAX_PENDING_CHARACTERS:
            end = len(pending)
        self._hand_on(pending[:end], pending[end:])
        return len(text)

    def write_report(self, report: str) -> None:
        """Hand on a report as lines of its own; what this thread left unfinished becomes a line before it."""
        pending = self._pending()
        if pending or self._line_is_open:
            self._hand_on(pending + "\n", "")
        self._hand_on(report, "")

    def flush(self) -> None:
        """Hand on also an unfinished line of this thread."""
        self._hand_on(self._pending(), "")

    def _pending(self) -> str:
        pending: str = getattr(self._this_thread, "pending", "")
        return pending

    def _hand_on(self, lines: str, pending: str) -> None:
        self._this_thread.pending = pending
        if lines:
            self._line_is_open = not lines.endswith("\n")
            self._sink(lines)


def to_descriptor(descriptor: int) -> Sink:
    """Return a sink that writes to an open descriptor, such as standard error."""

    def write(lines: str) -> None:
        data = lines.encode(errors="backslashreplace")
        try:
            while data:
                data = data[os.write(descriptor, data) :]
        except OSError:
            pass  # the stream is closed or broken

    return write


def to_file(path: str) -> Sink:
    """Return a sink that appends to a file, opened with the first line and never rotated."""

    def write(lines: str) -> None:
        try:
            # One write on a file opened for appending: lines of several processes do not mix.
            with io.FileIO(path, "a") as file:
                file.write(lines.encode(errors="backslashreplace"))
        except OSError:
            pass  # the folder is read-only, or the disk is full

    return write


def as_json(sink: Sink) -> Sink:
    """Return a sink that makes one JSON object, on one line, of each piece that it is handed."""

    def write(lines: str) -> None:
        if lines == "\n":
            return  # a line's end alone, such as behind a line that was flushed unfinished, says nothing
        code = _CODE.match(lines)
        record = {
            "timestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "level": "ERROR" if code else "INFO",
            "message": lines.rstrip("\n"),
            "target": "script",
        }
        sink(json.dumps(record) + "\n")

    return write
