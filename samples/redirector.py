"""Pass every request on to another site and its answer back, byte for byte.

The environment variable REDIRECTOR_TARGET names the other site, such as http://127.0.0.1:8081; unless it is
set, the pages of this same server outside of this application take its place. Bodies stream through in
blocks in both directions, so their size does not matter.
"""

from __future__ import annotations

import http.client
import os
import re
import string
from collections.abc import Iterator
from contextlib import closing, suppress
from urllib.parse import SplitResult, quote, urlsplit

import isapi
from isapi import ExtensionError, isapicon
from isapi.threaded_extension import ThreadPoolExtension

TARGET = os.environ.get("REDIRECTOR_TARGET")
TIMEOUT_SECONDS = 60
BLOCK_BYTES = 64 * 1024

# They concern one connection only (RFC 9110, section 7.6.1); the lengths and the host are set anew.
HOP_BY_HOP = {
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
}
SET_ANEW = {"content-length", "expect", "host"}


class Extension(ThreadPoolExtension):
    """Passes requests on to another site."""

    def Dispatch(self, ecb: isapi.EXTENSION_CONTROL_BLOCK) -> None:
        """Answer on a worker thread, then finish the request."""
        try:
            pass_on(ecb)
        except ExtensionError:
            # The client has gone; what the target still sends is of no use.
            ecb.DoneWithSession(isapicon.HSE_STATUS_ERROR)
        else:
            ecb.DoneWithSession()


def __ExtensionFactory__() -> Extension:
    return Extension()


def pass_on(ecb: isapi.EXTENSION_CONTROL_BLOCK) -> None:
    """Ask the target and copy its answer."""
    try:
        connection, response = ask_target(ecb)
    except (OSError, http.client.HTTPException) as error:
        send_bad_gateway(ecb, error)
        return
    with closing(connection):
        send_head(ecb, response)
        for block in body_of(response):
            ecb.WriteClient(block)


def ask_target(
    ecb: isapi.EXTENSION_CONTROL_BLOCK,
) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
    """Send the request with its body to the target; return when the head of the answer is there."""
    target = target_of(ecb)
    kind = http.client.HTTPSConnection if target.scheme == "https" else http.client.HTTPConnection
    connection = kind(target.netloc, timeout=TIMEOUT_SECONDS)
    try:
        headers = request_headers(ecb)
        path = target.path.rstrip("/") + path_below_mount(ecb)
        connection.putrequest(ecb.Method.decode("ascii"), path, skip_accept_encoding=True)
        for name, value in kept(headers):
            connection.putheader(name, value)
        chunked = ecb.TotalBytes < 0
        if chunked:
            connection.putheader("Transfer-Encoding", "chunked")
        elif ecb.TotalBytes > 0 or any(name.lower() == "content-length" for name, _ in headers):
            connection.putheader("Content-Length", str(ecb.TotalBytes))
        connection.putheader("Connection", "close")
        # A target may answer, and hang up, before it has read the whole body: the answer counts.
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.endheaders(request_body(ecb), encode_chunked=chunked)
        return connection, connection.getresponse()
    except BaseException:
        connection.close()
        raise


def send_head(ecb: isapi.EXTENSION_CONTROL_BLOCK, response: http.client.HTTPResponse) -> None:
    """Send the target's status and headers to the client."""
    headers = kept(response.getheaders())
    length = response.getheader("Content-Length")
    if length is not None:
        headers.append(("Content-Length", length))
    block = "".join(f"{name}: {value}\r\n" for name, value in headers) + "\r\n"
    # Without a length the end of the connection is the end of the body.
    keep_alive = length is not None or response.status in (204, 304)
    status = f"{response.status} {response.reason}"
    ecb.SendResponseHeaders(status.encode("latin-1"), block.encode("latin-1"), keep_alive)


def body_of(response: http.client.HTTPResponse) -> Iterator[bytes]:
    """Yield the target's body in blocks, and raise if it ends too early."""
    missing = response.length
    # A body without a length may be a live stream: pass on what is there rather than wait for a full block.
    read = response.read1 if missing is None else response.read
    while block := read(BLOCK_BYTES):
        yield block
        if missing is not None:
            missing -= len(block)
    if missing:
        raise http.client.IncompleteRead(b"", missing)


def send_bad_gateway(ecb: isapi.EXTENSION_CONTROL_BLOCK, error: Exception) -> None:
    """Tell the client that the target does not answer."""
    print(f"redirector: {TARGET or 'this server'} does not answer: {error!r}")
    body = b"The site behind this one does not answer.\n"
    headers = f"Content-Type: text/plain; charset=utf-8\r\nContent-Length: {len(body)}\r\n\r\n"
    ecb.SendResponseHeaders("502 Bad Gateway", headers, False)
    ecb.WriteClient(body)


def target_of(ecb: isapi.EXTENSION_CONTROL_BLOCK) -> SplitResult:
    """Return the other site's address, or this server's own."""
    if TARGET:
        return urlsplit(TARGET)
    if not mount(ecb):
        raise ConnectionError("this is the whole site and would ask itself: set REDIRECTOR_TARGET")
    return urlsplit(f"http://127.0.0.1:{ecb.GetServerVariable('SERVER_PORT').decode()}")


def mount(ecb: isapi.EXTENSION_CONTROL_BLOCK) -> str:
    """Return the prefix of this application's URLs; it is empty for the whole site."""
    # /LM/W3SVC/1/ROOT/redirector: what follows ROOT.
    application = ecb.GetServerVariable("APPL_MD_PATH").decode()
    return quote(re.sub(r"^.*?/ROOT", "", application, flags=re.IGNORECASE)).rstrip("/")


def path_below_mount(ecb: isapi.EXTENSION_CONTROL_BLOCK) -> str:
    """Return the path and query of the request, without this application's prefix."""
    # As the client wrote it, so that escapes such as %2F reach the target; only what is no URL gets escaped.
    url = quote(ecb.GetServerVariable("HTTP_URL"), safe=string.punctuation)
    mounted = mount(ecb)
    if url[: len(mounted)].lower() == mounted.lower():
        url = url[len(mounted) :]
    return url if url.startswith("/") else "/" + url


def request_headers(ecb: isapi.EXTENSION_CONTROL_BLOCK) -> list[tuple[str, str]]:
    """Return the client's headers as it sent them."""
    lines = ecb.GetServerVariable("ALL_RAW").decode("latin-1").splitlines()
    pairs = (line.partition(":") for line in lines if ":" in line)
    return [(name, value.strip()) for name, _, value in pairs]


def kept(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the headers that concern both ends, not only one connection."""
    dropped = HOP_BY_HOP | SET_ANEW
    for name, value in headers:
        if name.lower() == "connection":
            dropped |= {token.strip().lower() for token in value.split(",")}
    return [(name, value) for name, value in headers if name.lower() not in dropped]


def request_body(ecb: isapi.EXTENSION_CONTROL_BLOCK) -> Iterator[bytes]:
    """Yield the request's body in blocks: first what came with the head, then the rest."""
    if ecb.AvailableBytes:
        yield ecb.AvailableData
    while block := ecb.ReadClient(BLOCK_BYTES):
        yield block
