"""Measure how long each request takes: a line of JSON in a file, and Server-Timing for the browser.

The environment variable REQUEST_TIMING_FILE names the file, by default request_timing.jsonl beside this
script. `milliseconds` is the time from the request's head to the end of the request, when the whole response
has gone to the client; `head_milliseconds` to the response's head. Only the latter can be in the response
itself, and so is what browsers show. Lines that have been written stay: remove the file, or move it away, at
any time.
"""

from __future__ import annotations

import json
import os
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from pyisapi.filters import Event, Filter, Request, Response

FILE = Path(os.environ.get("REQUEST_TIMING_FILE") or Path(__file__).with_name("request_timing.jsonl"))


@dataclass
class Timing:
    """One request on its way."""

    client: str
    method: str
    url: str
    began: datetime = field(default_factory=lambda: datetime.now(UTC))
    start: float = field(default_factory=time.perf_counter)
    status: int | None = None
    head_milliseconds: float | None = None

    def so_far(self) -> float:
        """Return the milliseconds since the request's head."""
        return round((time.perf_counter() - self.start) * 1000, 3)


class RequestTiming(Filter):
    """Writes down how long requests take."""

    # The first to hear of a request, so that what other filters do is measured too.
    priority = "high"

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()

    def on_request(self, request: Request) -> None:
        """Start the clock; the connection keeps it."""
        request.state = Timing(request.variable("REMOTE_ADDR"), request.method, request.url)

    def on_response(self, response: Response) -> None:
        """Tell the browser."""
        timing: Timing | None = response.state
        if timing is not None:
            timing.status, timing.head_milliseconds = response.status, timing.so_far()
            response.headers.add("Server-Timing", f"total;dur={timing.head_milliseconds}")

    def on_request_end(self, event: Event) -> None:
        """Stop the clock and write the line."""
        timing: Timing | None = event.state
        # A malformed request ends without on_request: it must not find the clock of the one before it.
        event.state = None
        if timing is not None:
            self._write(timing, timing.so_far())

    def _write(self, timing: Timing, milliseconds: float) -> None:
        entry = {
            "time": timing.began.isoformat(timespec="milliseconds"),
            "client": timing.client,
            "method": timing.method,
            "url": timing.url,
            "status": timing.status,
            "head_milliseconds": timing.head_milliseconds,
            "milliseconds": milliseconds,
        }
        line = json.dumps(entry) + "\n"
        # Requests end on many threads at once.
        with self._lock, self._file.open("a", encoding="ascii") as file:
            file.write(line)


def __FilterFactory__() -> RequestTiming:
    return RequestTiming(FILE)
