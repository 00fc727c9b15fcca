"""Receive a large body in bounded pieces and answer its size and SHA-256.

    curl --data-binary @file http://localhost:8080/upload/
    curl -T file http://localhost:8080/upload/

A GET shows a page that sends a file the same way: the body is the file itself, with no form around it. How
large it may be is up to the server: 30,000,000 bytes by default (maxAllowedContentLength).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import isapi
from isapi import ExtensionError, isapicon
from isapi.threaded_extension import ThreadPoolExtension

BLOCK_BYTES = 64 * 1024

PAGE = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Upload</title>
<style>
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 45rem; margin: 4rem auto; padding: 0 1rem }
</style>
<h1>Upload</h1>
<p><input type="file" id="file"></p>
<pre id="answer"></pre>
<script>
document.getElementById("file").addEventListener("change", async event => {
  const answer = document.getElementById("answer");
  answer.textContent = "Sending…";
  try {
    const response = await fetch("", { method: "POST", body: event.target.files[0] });
    answer.textContent = await response.text();
  } catch (error) {
    answer.textContent = String(error);
  }
});
</script>
</html>
"""


class Extension(ThreadPoolExtension):
    """Receives uploads."""

    def Dispatch(self, ecb: isapi.EXTENSION_CONTROL_BLOCK) -> None:
        """Show the page, or take the upload."""
        try:
            if ecb.Method in (b"POST", b"PUT"):
                send(ecb, "text/plain", measure(ecb))
            else:
                send(ecb, "text/html", PAGE)
        except ExtensionError:
            # The client has gone in the middle of its upload, or did not wait for the answer.
            ecb.DoneWithSession(isapicon.HSE_STATUS_ERROR)
        else:
            ecb.DoneWithSession()


def __ExtensionFactory__() -> Extension:
    return Extension()


def measure(ecb: isapi.EXTENSION_CONTROL_BLOCK) -> str:
    """Read the whole body, one block in memory at a time, and describe it."""
    size, digest = 0, hashlib.sha256()
    for block in body_blocks(ecb):
        size += len(block)
        digest.update(block)
    return f"size {size}\nsha256 {digest.hexdigest()}\n"


def body_blocks(ecb: isapi.EXTENSION_CONTROL_BLOCK) -> Iterator[bytes]:
    """Yield the body: first the part that came with the head of the request, then the rest."""
    if ecb.AvailableBytes:
        yield ecb.AvailableData
    while block := ecb.ReadClient(BLOCK_BYTES):
        yield block


def send(ecb: isapi.EXTENSION_CONTROL_BLOCK, content_type: str, text: str) -> None:
    """Answer with a text."""
    body = text.encode()
    headers = f"Content-Type: {content_type}; charset=utf-8\r\nContent-Length: {len(body)}\r\n\r\n"
    ecb.SendResponseHeaders("200 OK", headers, True)
    ecb.WriteClient(body)
