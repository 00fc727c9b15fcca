"""The redirector samples before a real nginx: what they pass on is what nginx has, byte for byte.

Skipped, with the reason, where nginx is not installed; on CI that is a failure.
"""

from __future__ import annotations

import concurrent.futures
import hashlib
import http.client
import os
import random
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import Servers
from nginx_server import Nginx, nginx_program
from server_process import CLIENT_TIMEOUT, ServerProcess
from test_samples import SAMPLES

MEGABYTE = 1_000_000
BIG = 100 * MEGABYTE
SAMPLE_NAMES = ["redirector", "redirector_async"]


@dataclass(frozen=True)
class Tree:
    """A site's files and their digests."""

    root: Path
    digests: dict[str, str]


def build_tree(root: Path) -> Tree:
    """Write pages, images and one big file; the contents are random but the same each time."""
    source = random.Random(20)
    contents: dict[str, list[bytes]] = {
        "index.html": [b"<!doctype html><title>Home</title>" + "größer".encode()],
        "empty.html": [b""],
        "deep/er/page.html": [b"<p>deep</p>\n" * 5000],
        "with blank & caf\u00e9.html": [b"odd name"],
        "big.bin": [source.randbytes(MEGABYTE) for _ in range(BIG // MEGABYTE)],
    }
    for size in (67, 4095, 65_536, 65_537, 1_500_000):
        contents[f"images/{size}.png"] = [b"\x89PNG\r\n\x1a\n" + source.randbytes(size)]
    digests = {}
    for name, blocks in contents.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"".join(blocks))
        digests[name] = hashlib.sha256(b"".join(blocks)).hexdigest()
    return Tree(root, digests)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tree]:
    root = tmp_path_factory.mktemp("site")
    yield build_tree(root)
    shutil.rmtree(root)


@pytest.fixture(scope="module")
def nginx(tmp_path_factory: pytest.TempPathFactory, tree: Tree) -> Iterator[Nginx]:
    program = nginx_program()
    if program is None:
        reason = "nginx is not installed (Debian: apt-get install nginx-light)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        print(reason)
        pytest.skip(reason)
    server = Nginx(program, tmp_path_factory.mktemp("nginx"), tree.root)
    yield server
    server.close()


@pytest.fixture(scope="module", params=SAMPLE_NAMES)
def redirector(request: pytest.FixtureRequest, serve_module: Servers, nginx: Nginx) -> ServerProcess:
    """Serve one of the two before nginx, as the script for all URLs."""
    for name in SAMPLE_NAMES:
        serve_module.place(SAMPLES / f"{name}.py", folder=request.param)
    script = SAMPLES / f"{request.param}.py"
    return serve_module(script, folder=request.param, variables={"REDIRECTOR_TARGET": nginx.address})


def peak_memory(server: ServerProcess) -> int:
    """Return the most bytes of memory that the server has had, by the kernel's account."""
    status = Path(f"/proc/{server.pid}/status").read_text("ascii")
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM:")).split()[1]) * 1024


def settled_peak_memory(server: ServerProcess) -> int:
    """Return the most memory that the server has had, once that has not grown for two seconds."""
    give_up = time.monotonic() + 30
    peak, since = peak_memory(server), time.monotonic()
    while time.monotonic() < min(since + 2, give_up):
        time.sleep(0.1)
        if (now := peak_memory(server)) > peak:
            peak, since = now, time.monotonic()
    return peak


def streamed_digest(server: ServerProcess, path: str) -> tuple[int, int, str]:
    """Read an answer piece by piece; return its status, size and SHA-256."""
    connection = http.client.HTTPConnection(server.host, server.port, timeout=CLIENT_TIMEOUT)
    size, digest = 0, hashlib.sha256()
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        while block := response.read(256 * 1024):
            size += len(block)
            digest.update(block)
    finally:
        connection.close()
    return response.status, size, digest.hexdigest()


def url(name: str) -> str:
    return "/" + name.replace(" ", "%20").replace("\u00e9", "%C3%A9")


def test_pages_and_images_are_byte_identical(redirector: ServerProcess, tree: Tree) -> None:
    got = {name: streamed_digest(redirector, url(name))[2] for name in tree.digests if name != "big.bin"}
    assert got == {name: digest for name, digest in tree.digests.items() if name != "big.bin"}


def test_big_file_streams_through_in_little_memory(redirector: ServerProcess, tree: Tree) -> None:
    assert streamed_digest(redirector, "/big.bin") == (200, BIG, tree.digests["big.bin"])
    assert peak_memory(redirector) < 100 * MEGABYTE


def test_slow_reader_does_not_fill_the_memory(redirector: ServerProcess) -> None:
    """The client stops reading, so the server has to stop asking nginx; others are served meanwhile."""
    with redirector.connect() as slow:
        slow.sendall(b"GET /big.bin HTTP/1.1\r\nHost: x\r\n\r\n")
        assert slow.recv(1)
        for _ in range(10):
            assert redirector.get("/index.html").status == 200
        assert settled_peak_memory(redirector) < 100 * MEGABYTE


def test_head_has_the_length_and_no_body(redirector: ServerProcess, tree: Tree) -> None:
    answer = redirector.raw(b"HEAD /images/65537.png HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    size = (tree.root / "images/65537.png").stat().st_size
    assert b"content-length: %d" % size in head.lower() and b"image/png" in head and body == b""


def test_missing_page_is_nginx_own_404(redirector: ServerProcess) -> None:
    response = redirector.get("/not/there.html?x=1")
    assert response.status == 404 and b"nginx" in response.body


def test_part_of_a_file_is_passed_on(redirector: ServerProcess, tree: Tree) -> None:
    response = redirector.get("/big.bin", {"Range": "bytes=50000000-50000009"})
    assert response.status == 206 and response.headers["Content-Range"] == f"bytes 50000000-50000009/{BIG}"
    with (tree.root / "big.bin").open("rb") as file:
        file.seek(50_000_000)
        assert response.body == file.read(10)


def test_unchanged_page_is_304(redirector: ServerProcess) -> None:
    tag = redirector.get("/index.html").headers["ETag"]
    response = redirector.get("/index.html", {"If-None-Match": tag})
    assert (response.status, response.body) == (304, b"")


def test_refused_method_and_its_body_are_passed_on(redirector: ServerProcess) -> None:
    assert redirector.request("POST", "/index.html", b"x" * 200_000).status == 405
    assert redirector.get("/index.html").status == 200


def test_many_clients_at_once_get_their_own_answers(redirector: ServerProcess, tree: Tree) -> None:
    names = [name for name in tree.digests if name != "big.bin"] * 6
    with concurrent.futures.ThreadPoolExecutor(12) as clients:
        got = list(clients.map(lambda name: streamed_digest(redirector, url(name))[2], names))
    assert got == [tree.digests[name] for name in names]
