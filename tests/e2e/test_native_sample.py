"""samples/native builds with the commands of its README, and works under `pyisapi serve LIBRARY`."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from conftest import Servers
from server_process import Response, ServerProcess, receive_until, wait_until

SAMPLE = Path(__file__).parents[2] / "samples" / "native"
STRICT = ["-std=c11", "-Wall", "-Wextra", "-Werror"]
FORM = {"Content-Type": "application/x-www-form-urlencoded"}

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the sample is built with a Unix compiler")


def build(compiler: str, output: Path) -> Path:
    """Run the README's command for a compiler, with all warnings as errors and the result elsewhere."""
    [line] = re.findall(rf"^    ({compiler} .*)$", (SAMPLE / "README.md").read_text("utf-8"), re.MULTILINE)
    program, *arguments = shlex.split(line)
    arguments[arguments.index("-o") + 1] = str(output)
    done = subprocess.run(
        [program, *STRICT, *arguments], cwd=SAMPLE, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return output


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("cc", tmp_path_factory.mktemp("native") / "visitors.so")


@pytest.fixture
def book(serve: Servers, library: Path) -> ServerProcess:
    """Serve an empty book."""
    return serve(library, "--access-log", "access.log")


def sign(book: ServerProcess, name: str, text: str) -> Response:
    return book.request("POST", "/", urlencode({"name": name, "text": text}), FORM)


def entries(page: Response) -> list[tuple[str, str]]:
    return re.findall(r"<dt>(.*)</dt>\n<dd>(.*)</dd>", page.text)


def test_builds_for_windows(tmp_path: Path) -> None:
    compiler = "x86_64-w64-mingw32-gcc"
    if shutil.which(compiler) is None:
        assert not os.environ.get("CI"), (
            f"{compiler} is required under CI: install gcc-mingw-w64-x86-64-win32"
        )
        print(f"skipped: {compiler} is not installed, so the sample was not built for Windows")
        pytest.skip(f"{compiler} is not installed")
    library = build(compiler, tmp_path / "visitors.dll").read_bytes()
    for name in (b"GetExtensionVersion", b"HttpExtensionProc", b"TerminateExtension"):
        # Undecorated: a longer name such as _HttpExtensionProc@4 would not be found by the server.
        assert b"\0" + name + b"\0" in library


def test_page_names_the_visitors_browser_whatever_its_length(book: ServerProcess) -> None:
    for agent in ("short", "<b>" + "x" * 5000):
        page = book.get("/", {"User-Agent": agent})
        assert page.status == 200 and page.headers.get_content_type() == "text/html"
        assert f"Your browser: {agent.replace('<', '&lt;').replace('>', '&gt;')}</p>" in page.text
    assert b"Your browser: unknown</p>" in book.raw(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")


def test_entry_is_kept_and_shown_escaped(book: ServerProcess) -> None:
    answer = sign(book, "Zoë & <i>", "50 % + one\n2nd")
    assert (answer.status, answer.headers["Location"]) == (303, "?")
    assert "<dt>Zoë &amp; &lt;i&gt;</dt>\n<dd>50 % + one\n2nd</dd>" in book.get("/").text


def test_latest_entries_come_first_and_as_many_as_asked_for(book: ServerProcess) -> None:
    for number in range(25):
        assert sign(book, f"n{number}", "t").status == 303
    assert entries(book.get("/")) == [(f"n{number}", "t") for number in range(24, 4, -1)]
    assert entries(book.get("/?x=1&show=2")) == [("n24", "t"), ("n23", "t")]
    assert entries(book.get("/?show=%30")) == []


def test_oldest_entry_makes_room_and_a_page_of_many_blocks_arrives_whole(book: ServerProcess) -> None:
    for number in range(103):
        assert sign(book, f"n{number}", f"{number % 10}" * 1000).status == 303
    page = book.get("/?show=1000")
    assert entries(page) == [(f"n{number}", f"{number % 10}" * 1000) for number in range(102, 2, -1)]
    assert len(page.body) == int(page.headers["Content-Length"]) > 6 * 16 * 1024


def test_chunked_body_is_read_to_its_end(book: ServerProcess) -> None:
    body = urlencode({"name": "chunk", "text": "c" * 1000}).encode()
    pieces: Iterator[bytes] = (body[start : start + 100] for start in range(0, len(body), 100))
    assert book.request("POST", "/", pieces, FORM).status == 303
    assert entries(book.get("/")) == [("chunk", "c" * 1000)]


REFUSED: dict[str, tuple[int, Callable[[ServerProcess], Response]]] = {
    "no form": (415, lambda book: book.request("POST", "/", b"x", {"Content-Type": "text/plain"})),
    "no field": (400, lambda book: book.request("POST", "/", b"name=x", FORM)),
    "long field": (400, lambda book: sign(book, "n" * 64, "t")),
    "NUL in a field": (400, lambda book: sign(book, "a\0b", "t")),
    "NUL in the body": (400, lambda book: book.request("POST", "/", b"name=a&text=b\0c", FORM)),
    "long body": (413, lambda book: sign(book, "n", "t" * 9000)),
    "long chunked body": (
        413,
        lambda book: book.request("POST", "/", iter([b"name=n&text=t&x="] + [b"x" * 1000] * 90), FORM),
    ),
    "method": (405, lambda book: book.request("DELETE", "/")),
}


@pytest.mark.parametrize(("status", "ask"), REFUSED.values(), ids=REFUSED.keys())
def test_refusal_changes_nothing(
    book: ServerProcess, status: int, ask: Callable[[ServerProcess], Response]
) -> None:
    answer = ask(book)
    assert answer.status == status and answer.text.startswith(str(status))
    assert entries(book.get("/")) == []


def test_body_of_the_greatest_length_is_taken(book: ServerProcess) -> None:
    body = "name=n&text=t&x="
    assert book.request("POST", "/", body + "x" * (8192 - len(body)), FORM).status == 303


def test_head_has_the_pages_headers_and_no_body(book: ServerProcess) -> None:
    answer = book.request("HEAD", "/")
    assert answer.status == 200 and int(answer.headers["Content-Length"]) > 100 and answer.body == b""


def test_client_that_goes_away_ends_the_page_with_a_note_in_the_access_log(
    book: ServerProcess, tmp_path: Path
) -> None:
    for _ in range(100):
        sign(book, "n", '"' * 1023)

    def noted(note: bytes) -> bool:
        leave(book)  # again and again: it is chance which write the client's going hits
        return note in (tmp_path / "access.log").read_bytes()

    wait_until(lambda: noted(b"asynchronous+WriteClient+failed:+995 "), "an error out of a completion")
    wait_until(lambda: noted(b"show=100+WriteClient+failed:+10054 "), "an error out of errno")
    assert book.get("/").status == 200


def leave(book: ServerProcess) -> None:
    """Ask for the whole page and reset the connection at its beginning."""
    with book.connect() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.sendall(b"GET /?show=100 HTTP/1.1\r\nHost: x\r\n\r\n")
        receive_until(connection, b"\r\n\r\n")


def test_libraries_and_scripts_are_served_side_by_side(serve: Servers, library: Path) -> None:
    hello = SAMPLE.parent / "hello.py"
    server = serve(hello, "--mount", f"/book={library}")
    assert server.get("/").body == b"Hello from Python.\n"
    assert sign_at(server, "/book/any/path").status == 303
    assert entries(server.get("/book")) == [("n", "t")]


def test_library_that_was_built_anew_is_served_by_reload(serve: Servers, library: Path) -> None:
    server = serve(library, "--reload")
    assert sign(server, "n", "t").status == 303
    built, place = serve.directory / "fresh", serve.directory / library.name
    built.write_bytes(place.read_bytes())
    built.replace(place)
    # Its book is empty again.
    wait_until(lambda: is_empty(server.get("/")), "the server has started anew", 20)
    server.wait_for_log(rf"{library.name} has changed: restarting")


def is_empty(page: Response) -> bool:
    return page.status == 200 and not entries(page)


def sign_at(server: ServerProcess, path: str) -> Response:
    return server.request("POST", path, b"name=n&text=t", FORM)
