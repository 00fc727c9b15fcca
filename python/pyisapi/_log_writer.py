"""A text stream for processes that have none.

In an IIS worker process ``sys.stdout`` and ``sys.stderr`` are None and whatever a script prints is lost.
This writer takes their place: it appends whole lines to a file that is opened with the first line. When the
file cannot be written the lines are dropped silently, for there is nowhere left to complain. The file is
not rotated.
"""

from __future__ import annotations

import io
import threading

# Text without a line end, such as a progress bar, is written at this size.
_MAX_PENDING_CHARACTERS = 64 * 1024


class LogWriter(io.TextIOBase):
    """Append text to the file at ``path``, line by line; any thread may write."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path
        self._file: io.FileIO | None = None
        self._pending = ""
        self._lock = threading.Lock()

    @property
    def encoding(self) -> str:  # type: ignore[override]  # typeshed has an attribute
        """Name the encoding of the file."""
        return "utf-8"

    def writable(self) -> bool:
        """Say that this stream can be written."""
        return True

    def write(self, text: str) -> int:
        """Keep the text and append all complete lines to the file."""
        with self._lock:
            self._pending += text
            end = self._pending.rfind("\n") + 1
            if len(self._pending) - end > _MAX_PENDING_CHARACTERS:
                end = len(self._pending)
            self._append(end)
        return len(text)

    def flush(self) -> None:
        """Append also an unfinished line."""
        with self._lock:
            self._append(len(self._pending))

    def close(self) -> None:
        """Append what is left and close the file."""
        super().close()
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None

    def _append(self, end: int) -> None:
        lines, self._pending = self._pending[:end], self._pending[end:]
        if not lines:
            return
        try:
            if self._file is None:
                self._file = io.FileIO(self._path, "a")
            # One write on a file opened for appending: lines of several processes do not mix.
            self._file.write(lines.encode(errors="backslashreplace"))
        except OSError:
            self._file = None
