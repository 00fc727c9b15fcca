"""Clients that stop, reset, half-close, do not read or ask for all at once: what they leave behind is nothing."""

from __future__ import annotations

import http.client
import os
from collections.abc import Callable, Iterator

import pytest
from server_process import ServerProcess, wait_until

from hostile.conftest import servers
from hostile.load import resident
from hostile.testimony import calls_of
from hostile.wire import Connection

LENGTH = b"POST /l HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n0123456789"
CHUNKS = b"POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\n01234\r\n5\r\n56789\r\n0\r\nT: t\r\n\r\n"
GET = b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n"
EXPECTING = b"POST /e HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n"


def half_close(client: Connection) -> None:
    client.end_sending()
    assert [answer.status for answer in client.answers(1)] in ([], [400])


def close(client: Connection) -> None:
    client.socket.close()


ENDINGS: dict[str, Callable[[Connection], None]] = {
    "half-closes": half_close,
    "closes": close,
    "resets": Connection.reset,
}


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with servers(tmp_path_factory.mktemp("pool")) as start:
        yield start("pool.py")


def all_released(server: ServerProcess) -> None:
    wait_until(lambda: server.get("/live").text == "1", "every request is released")


@pytest.mark.parametrize("end", ENDINGS.values(), ids=ENDINGS.keys())
@pytest.mark.parametrize("request_bytes", [LENGTH, CHUNKS], ids=["length", "chunks"])
def test_request_cut_anywhere_never_reaches_the_extension(
    server: ServerProcess, request_bytes: bytes, end: Callable[[Connection], None]
) -> None:
    ports = []
    for cut in range(len(request_bytes)):
        with Connection(server) as client:
            client.send(request_bytes[:cut])
            end(client)
            ports.append(client.port)
    assert server.get("/").status == 200
    assert [calls_of(server, port) for port in ports] == [[]] * len(ports)


@pytest.mark.parametrize("end", ENDINGS.values(), ids=ENDINGS.keys())
def test_cut_behind_an_answer_ends_the_connection_alone(
    server: ServerProcess, end: Callable[[Connection], None]
) -> None:
    for cut in range(0, len(LENGTH), 7):
        with Connection(server) as client:
            client.send(LENGTH)
            answer = client.answer()
            assert answer is not None and answer.status == 200
            client.send(LENGTH[:cut])
            end(client)
            assert [call.body for call in calls_of(server, client.port)] == ["0123456789"]


@pytest.mark.parametrize("wait", [0, 1, 100_000, 2_000_000])
def test_reset_while_the_answer_comes_releases_the_request(pool: ServerProcess, wait: int) -> None:
    for _ in range(20):
        client = Connection(pool)
        client.send(GET % b"/large")
        received = 0
        while received < wait:
            received += len(client.socket.recv(65536))
        client.reset()
    all_released(pool)


def test_client_that_waits_for_continue_and_resets_leaves_nothing(pool: ServerProcess) -> None:
    for sent in [b"", b"01234"]:
        client = Connection(pool)
        client.send(EXPECTING + sent)
        client.reset()
    all_released(pool)


@pytest.mark.xfail(strict=True, reason="a half-closed connection may end before its answer")
def test_half_closed_client_gets_its_answers(server: ServerProcess) -> None:
    for _ in range(50):
        with Connection(server) as client:
            client.send(LENGTH + GET % b"/second")
            client.end_sending()
            assert [answer.status for answer in client.answers(2)] == [200, 200]


def test_answer_waits_for_a_reader_that_pauses(pool: ServerProcess) -> None:
    with Connection(pool) as client:
        client.send(GET % b"/large")
        for _ in range(20):
            assert pool.get("/").text == "answer"
        answer = client.answer()
        assert answer is not None and len(answer.body) == 4_000_000 and not answer.cut
    all_released(pool)


def test_pipeline_that_nobody_reads_does_not_fill_the_memory(pool: ServerProcess) -> None:
    before = resident(pool)
    with Connection(pool) as client:
        client.socket.settimeout(0.3)
        sent = 0
        try:
            while sent < 200_000_000:
                sent += client.socket.send((GET % b"/large") * 100)
        except TimeoutError:
            pass  # the server reads no more, as it should
        assert pool.get("/").text == "answer"
        assert sent < 20_000_000 and resident(pool) - before < 40_000_000
        client.reset()
    all_released(pool)


def test_many_pipelined_requests_are_all_answered(pool: ServerProcess) -> None:
    with Connection(pool) as client:
        client.send((GET % b"/") * 2000)
        client.send(b"GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answers = client.answers(3000)
    assert [answer.status for answer in answers] == [200] * 2001


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Serve a folder with everything in it that must not be served."""
    folder = tmp_path_factory.mktemp("files")
    root, outside = folder / "root", folder / "outside"
    root.mkdir()
    outside.mkdir()
    (root / "index.html").write_text("index", encoding="ascii")
    (outside / "secret.html").write_text("secret", encoding="ascii")
    (root / "link.html").symlink_to(outside / "secret.html")
    (root / "up").symlink_to("../outside")
    (root / "device").symlink_to("/dev/zero")
    (root / "loop").symlink_to("loop")
    (root / "own").symlink_to("index.html")
    os.mkfifo(root / "fifo")
    with servers(folder) as start:
        yield start("witness.py", "--root", str(root))


PLACES = [
    "/link.html",
    "/up/secret.html",
    "/up/",
    "/up",
    "/device",
    "/loop",
    "/fifo",
    "/loop/x",
    "/index.html/x",
]
TRICKS = [
    "/../outside/secret.html",
    "/%2e%2e/outside/secret.html",
    "/..%2foutside%2fsecret.html",
    "/up/../../outside/secret.html",
    "/%2e%2e%2foutside/secret.html",
    "/..%5coutside%5csecret.html",
    "/%252e%252e/outside/secret.html",
    "/..%c0%afoutside/secret.html",
    "/%c0%ae%c0%ae/outside/secret.html",
    "//outside/secret.html",
    "/./../outside/secret.html",
    "/.%2e/outside/secret.html",
    "/app/../../outside/secret.html",
    "/dev/zero",
    "/index.html%20",
    "/INDEX.HTML",
    "/index.html::$DATA",
    "/" + "a" * 300,
    "/" + "a/" * 2000,
]


@pytest.mark.parametrize("path", PLACES + TRICKS)
def test_file_that_is_not_for_clients_is_not_found(files: ServerProcess, path: str) -> None:
    with Connection(files) as client:
        client.send(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode("latin-1"))
        answer = client.answer()
    assert answer is not None and answer.status == 404 and b"secret" not in answer.body
    assert files.get("/own").text == "index"


def test_half_an_escape_is_no_file(files: ServerProcess) -> None:
    connection = http.client.HTTPConnection(files.host, files.port, timeout=10)
    connection.request("GET", "/index.html%")
    assert connection.getresponse().status == 400
    connection.close()
