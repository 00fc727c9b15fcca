"""Send events to the browser as they happen (server-sent events).

A browser that opens the address gets a page; the page, and any other client, gets the events:

    curl -N "http://localhost:8080/events/?count=5&interval=0.5"
"""

from __future__ import annotations

import threading
import time
from urllib.parse import parse_qs

import isapi
from isapi import ExtensionError, isapicon
from isapi.threaded_extension import ThreadPoolExtension

MAX_EVENTS = 60

PAGE = b"""\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Events</title>
<style>
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 45rem; margin: 4rem auto; padding: 0 1rem }
</style>
<h1>Events</h1>
<ol id="events"></ol>
<script>
const source = new EventSource(location.href);
source.onmessage = event => {
  const item = document.createElement("li");
  item.textContent = event.data;
  document.getElementById("events").append(item);
};
source.onerror = () => source.close();
</script>
</html>
"""


class Extension(ThreadPoolExtension):
    """Sends server-sent events."""

    def __init__(self) -> None:
        super().__init__()
        self.stopping = threading.Event()

    def Dispatch(self, ecb: isapi.EXTENSION_CONTROL_BLOCK) -> None:
        """Send the page to a browser that navigates here, events to everyone else."""
        try:
            if b"text/html" in ecb.GetServerVariable("HTTP_ACCEPT", b""):
                headers = f"Content-Type: text/html; charset=utf-8\r\nContent-Length: {len(PAGE)}\r\n\r\n"
                ecb.SendResponseHeaders("200 OK", headers, True)
                ecb.WriteClient(PAGE)
            else:
                self.send_events(ecb)
        except ExtensionError:
            # The client has gone, which is how most event streams end.
            ecb.DoneWithSession(isapicon.HSE_STATUS_ERROR)
        else:
            ecb.DoneWithSession()

    def send_events(self, ecb: isapi.EXTENSION_CONTROL_BLOCK) -> None:
        """Send one event after the other until there are enough, or the server stops."""
        query = parse_qs(ecb.QueryString.decode("ascii", "replace"))
        count = min(int(query.get("count", [str(MAX_EVENTS)])[0]), MAX_EVENTS)
        interval = float(query.get("interval", ["1"])[0])
        # A server that collects output would hold the events back.
        ecb.SetFlushFlag(True)
        headers = "Content-Type: text/event-stream\r\nCache-Control: no-store\r\n\r\n"
        ecb.SendResponseHeaders("200 OK", headers, False)
        for number in range(1, count + 1):
            ecb.WriteClient(f"id: {number}\ndata: event {number} at {time.strftime('%H:%M:%S')}\n\n")
            if number < count and self.stopping.wait(interval):
                return

    def TerminateExtension(self, status: int) -> None:
        """End the streams first: the pool waits for its workers."""
        self.stopping.set()
        super().TerminateExtension(status)


def __ExtensionFactory__() -> Extension:
    return Extension()
