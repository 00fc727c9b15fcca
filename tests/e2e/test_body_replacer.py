"""The sample filter body_replacer.py: what it changes is changed byte for byte, and all else is not touched."""

from __future__ import annotations

import concurrent.futures
import http.client
import os
import random
import shutil
import subprocess
from collections.abc import Callable
from urllib.parse import urlencode

import pytest
from conftest import Servers
from foreign_process import Foreign
from server_process import CLIENT_TIMEOUT, Response, ServerProcess, receive_until
from test_samples import SAMPLES

SCRIPT = SAMPLES / "filters" / "body_replacer.py"
SEARCH, REPLACEMENT = "aabaac", "[REPLACED]"
VARIABLES = {"BODY_REPLACER_SEARCH": SEARCH, "BODY_REPLACER_REPLACEMENT": REPLACEMENT}

# Beginnings that come to nothing, the text inside of a beginning, twice in a row, and a beginning at the end.
TEXT = "aabaac aaba aabaabaac, aabaacaabaac\r\n\r\n0\r\n\r\naabaabaabaacaa aabaa"
CHANGED = TEXT.replace(SEARCH, REPLACEMENT)

# Sends what the request's body is, or the text, as the query says: `how` it is framed, in pieces of how many bytes.
SENDER = f"""
from urllib.parse import parse_qsl
from isapi import ExtensionError
from isapi.threaded_extension import ThreadPoolExtension

TEXT = {TEXT!r}.encode()

class Extension(ThreadPoolExtension):
    def Dispatch(self, ecb):
        query = dict(parse_qsl(ecb.QueryString.decode()))
        body, how = ecb.AvailableData, query.get("how", "length")
        while ecb.TotalBytes and (block := ecb.ReadClient(100_000)):
            body += block
        body = body or TEXT
        headers = f"Content-Type: {{query.get('type', 'text/html')}}\\r\\n"
        if "encoding" in query:
            headers += f"Content-Encoding: {{query['encoding']}}\\r\\n"
        headers += "X-Taken: " + ecb.GetServerVariable("HTTP_ACCEPT_ENCODING", b"").decode() + "\\r\\n"
        if how == "length":
            headers += f"Content-Length: {{len(body)}}\\r\\n"
        elif how == "own":
            headers += "Transfer-Encoding: chunked\\r\\n"
        ecb.SendResponseHeaders(query.get("status", "200 OK"), headers + "\\r\\n", how != "open")
        size = int(query.get("size", "10000"))
        for start in range(0, len(body), size):
            piece = body[start : start + size]
            ecb.WriteClient(b"%x;x=y\\r\\n%b\\r\\n" % (len(piece), piece) if how == "own" else piece)
        if how == "own":
            ecb.WriteClient(b"0\\r\\n\\r\\n")
        ecb.DoneWithSession()

def __ExtensionFactory__():
    return Extension()
"""


@pytest.fixture(scope="module")
def server(serve_module: Servers, tmp_path_factory: pytest.TempPathFactory) -> ServerProcess:
    """Serve the sender at /send, and a page and an image as files."""
    root = tmp_path_factory.mktemp("root")
    (root / "page.html").write_bytes(TEXT.encode())
    (root / "image.png").write_bytes(TEXT.encode())
    sender = serve_module.place(SENDER, name="sender.py")
    options = ["--mount", f"/send={sender}", "--root", str(root)]
    return serve_module(SCRIPT, *options, variables=VARIABLES)


def send(**query: object) -> str:
    return "/send?" + urlencode(query)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 64, 10_000])
@pytest.mark.parametrize("how", ["length", "open", "own"])
def test_text_is_replaced_however_it_is_framed_and_cut(server: ServerProcess, how: str, size: int) -> None:
    answer = server.get(send(how=how, size=size))
    assert answer.status == 200 and answer.text == CHANGED
    assert "Content-Length" not in answer.headers


@pytest.mark.parametrize("how", ["length", "open", "own"])
def test_http_1_0_gets_the_page_up_to_the_end_of_the_connection(server: ServerProcess, how: str) -> None:
    for line in (b"", b"Connection: keep-alive\r\n"):
        request = b"GET " + send(how=how, size=3).encode() + b" HTTP/1.0\r\nHost: x\r\n" + line + b"\r\n"
        head, _, body = server.raw(request).partition(b"\r\n\r\n")
        assert body == CHANGED.encode()
        assert b"chunked" not in head.lower() and b"content-length" not in head.lower()


def test_page_of_a_file_is_replaced(server: ServerProcess) -> None:
    answer = server.get("/page.html")
    assert answer.text == CHANGED
    assert answer.headers["ETag"].startswith('W/"') and answer.headers["Accept-Ranges"] == "none"


def test_error_page_of_the_server_is_replaced(serve: Servers) -> None:
    server = serve(SCRIPT, variables={"BODY_REPLACER_SEARCH": "<h1>", "BODY_REPLACER_REPLACEMENT": "<h1>!"})
    answer = server.get("/nothing")
    assert answer.status == 404 and "<h1>!404" in answer.text


@pytest.mark.parametrize(
    "query",
    [
        {"type": "text/plain"},
        {"type": "application/xhtml+xml"},
        {"type": "text/html-like"},
        {"type": "image/png"},
        {"encoding": "gzip"},
        {"status": "206 Partial Content"},
    ],
)
@pytest.mark.parametrize("how", ["length", "own"])
def test_other_bodies_are_left_alone(server: ServerProcess, how: str, query: dict[str, str]) -> None:
    answer = server.get(send(how=how, size=7, **query))
    assert answer.text == TEXT
    if how == "length":
        assert answer.headers["Content-Length"] == str(len(TEXT))


@pytest.mark.parametrize("kind", ["text/html; charset=utf-8", "TEXT/HTML", "text/html ;x=y"])
def test_page_is_known_by_its_type_however_that_is_written(server: ServerProcess, kind: str) -> None:
    assert server.get(send(type=kind)).text == CHANGED


def test_file_of_another_type_keeps_its_length_and_tag(server: ServerProcess) -> None:
    answer = server.get("/image.png")
    assert answer.text == TEXT and answer.headers["Content-Length"] == str(len(TEXT))
    assert answer.headers["Accept-Ranges"] == "bytes" and answer.headers["ETag"].startswith('"')
    assert server.get("/image.png", {"Range": "bytes=2-5"}).text == TEXT[2:6]


def test_part_of_a_page_is_left_alone(server: ServerProcess) -> None:
    answer = server.get("/page.html", {"Range": "bytes=0-9"})
    assert (answer.status, answer.text) == (206, TEXT[:10])


def test_application_does_not_hear_of_compression(server: ServerProcess) -> None:
    answer = server.get(send(), {"Accept-Encoding": "gzip, br"})
    assert answer.headers["X-Taken"] == "" and answer.text == CHANGED


def test_responses_of_a_connection_do_not_get_mixed_up(server: ServerProcess) -> None:
    tag = server.get("/page.html").headers["ETag"]
    steps: list[tuple[str, str, dict[str, str], int, str]] = [
        ("GET", send(how="own", size=1), {}, 200, CHANGED),
        ("HEAD", "/page.html", {}, 200, ""),
        ("HEAD", send(how="length"), {}, 200, ""),
        ("GET", "/image.png", {}, 200, TEXT),
        ("GET", "/page.html", {"If-None-Match": tag}, 304, ""),
        ("GET", "/page.html", {}, 200, CHANGED),
        ("GET", send(type="text/plain", how="own", size=2), {}, 200, TEXT),
        ("GET", send(status="204 No Content"), {}, 204, ""),
        ("GET", send(how="length", size=2), {}, 200, CHANGED),
        ("GET", "/page.html", {"Range": "bytes=0-1"}, 206, TEXT[:2]),
        ("POST", send(how="length"), {"Expect": "100-continue"}, 200, "aabaa " + REPLACEMENT),
        ("GET", send(how="own"), {}, 200, CHANGED),
    ]
    connection = http.client.HTTPConnection(server.host, server.port, timeout=CLIENT_TIMEOUT)
    connection.connect()
    for method, url, headers, status, text in steps * 2:
        body = "aabaa " + SEARCH if method == "POST" else None
        connection.request(method, url, body, headers)
        answer = Response.receive(connection.getresponse())
        assert (answer.status, answer.text) == (status, text), (method, url)
        assert answer.headers["Connection"] != "close", (method, url)
    connection.close()


def test_pipelined_requests_get_their_own_pages(server: ServerProcess) -> None:
    one = b"GET " + send(how="own", size=3).encode() + b" HTTP/1.1\r\nHost: x\r\n"
    plain = one.replace(b"how=", b"type=text/plain&how=")
    answer = server.raw(one + b"\r\n" + plain + b"\r\n" + one + b"Connection: close\r\n\r\n")
    assert answer.count(b"HTTP/1.1 200 OK") == 3
    assert [part.endswith(b"0\r\n\r\n") for part in answer.split(b"HTTP/1.1 200 OK")[1:]] == [True] * 3


def test_big_page_is_replaced_byte_for_byte(server: ServerProcess) -> None:
    source = random.Random(22)
    body = b"".join(source.choice([b"aabaac", b"aaba", b"a", source.randbytes(50)]) for _ in range(150_000))
    answer = server.request("POST", send(how="own", size=9973), body)
    assert answer.body == body.replace(SEARCH.encode(), REPLACEMENT.encode())


def test_many_connections_at_once_have_their_own_pages(server: ServerProcess) -> None:
    urls = [send(how=how, size=size) for how in ("length", "open", "own") for size in range(1, 15)]
    with concurrent.futures.ThreadPoolExecutor(12) as clients:
        assert {answer.text for answer in clients.map(server.get, urls)} == {CHANGED}


def test_client_that_goes_away_leaves_no_traceback(server: ServerProcess) -> None:
    with server.connect() as connection:
        connection.sendall(b"GET " + send(how="own", size=1).encode() + b" HTTP/1.1\r\nHost: x\r\n\r\n")
        receive_until(connection, b"HTTP/1.1 200 OK")
    assert server.get(send()).text == CHANGED
    assert "ISAPI0221" not in server.log()


def test_curl_takes_the_pages(server: ServerProcess) -> None:
    """One client that nobody here has written, over one connection."""
    curl = shutil.which("curl")
    if curl is None:
        reason = "curl is not installed"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    address = f"http://{server.host}:{server.port}"
    urls = [address + url for url in ("/page.html", send(how="own", size=1), "/image.png", "/page.html")]
    ended = subprocess.run(
        [curl, "--silent", "--show-error", *urls], capture_output=True, timeout=30, check=True
    )
    assert ended.stdout.decode() == CHANGED + CHANGED + TEXT + CHANGED


def test_nothing_to_search_for_is_told(
    serve: Servers,
    run_serve: Callable[..., subprocess.CompletedProcess[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BODY_REPLACER_SEARCH", "")
    ended = run_serve(str(serve.place(SCRIPT)), "--port", "0")
    assert ended.returncode != 0 and "BODY_REPLACER_SEARCH is empty" in ended.stderr


# Beside a server that cuts the wire wherever it is told.

WIRE = """
import ctypes, foreign_filters
filters.headers = {b"method": b"GET\\0", b"Content-Type:": b"text/html\\0"}

def cut(wire, places):
    filters.connect()
    filters.send(PREPROC, None, filters.preproc())
    filters.send(SEND_RESPONSE, None, filters.preproc(200))
    sent = b""
    for start, end in zip([0, *places], [*places, len(wire)]):
        buffer = ctypes.create_string_buffer(wire[start:end], end - start)
        raw = RawData(ctypes.addressof(buffer), end - start, end - start, 0)
        assert filters.send(SEND_RAW, None, raw) == NEXT
        sent += ctypes.string_at(raw.pvInData, raw.cbInData)
    filters.calls.clear()
    filters.send(END_OF_REQUEST, None)
    return sent + b"".join(call[1] for call in filters.calls if call[0] == "WriteClient")
"""

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"


def chunked(*pieces: bytes, trailer: bytes = b"") -> bytes:
    """Return a response in chunks."""
    framed = b"".join(b"%X; x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + framed + b"0\r\n" + trailer + b"\r\n"


def payload(wire: bytes) -> tuple[bytes, bytes]:
    """Take chunks apart again, strictly; return the body and what follows the last chunk's line."""
    body, rest = b"", wire.partition(b"\r\n\r\n")[2]
    while True:
        line, _, rest = rest.partition(b"\r\n")
        size = int(line, 16)
        if size == 0:
            return body, rest
        assert rest[size : size + 2] == b"\r\n"
        body, rest = body + rest[:size], rest[size + 2 :]


def at_each_place(foreign: Foreign, wire: bytes) -> list[bytes]:
    """Return what the client gets for a wire in two pieces, cut at each place, and for single bytes."""
    script = SCRIPT.read_text("utf-8")
    replaced = script.replace('"Hello"', repr(SEARCH)).replace('"Good day"', repr(REPLACEMENT))
    assert replaced != script
    source = f"filters.load({replaced!r})\n{WIRE}\nwire = {wire!r}\n"
    source += "[cut(wire, [n]) for n in range(1, len(wire))] + [cut(wire, range(1, len(wire)))]"
    answers: list[bytes] = foreign(source)
    assert len(answers) == len(wire)
    return answers


@pytest.mark.parametrize("trailer", [b"", b"X-Sum: 5\r\nX-More: y\r\n"])
def test_chunks_may_be_cut_anywhere(foreign: Foreign, trailer: bytes) -> None:
    text = TEXT.encode()
    wire = chunked(text[:3], text[3:20], text[20:21], text[21:], trailer=trailer)
    expected = CHANGED.encode(), trailer + b"\r\n"
    assert {payload(answer) for answer in at_each_place(foreign, wire)} == {expected}


def test_body_up_to_the_end_may_be_cut_anywhere(foreign: Foreign) -> None:
    wire = HEAD + b"\r\n" + TEXT.encode()
    assert set(at_each_place(foreign, wire)) == {HEAD + b"\r\n" + CHANGED.encode()}


def test_interim_response_is_passed_on_before_the_page(foreign: Foreign) -> None:
    interim = b"HTTP/1.1 103 Early Hints\r\nLink: </aabaac>\r\n\r\n"
    wire = interim + HEAD + b"\r\n" + TEXT.encode()
    assert set(at_each_place(foreign, wire)) == {interim + HEAD + b"\r\n" + CHANGED.encode()}


def test_page_whose_length_went_out_all_the_same_is_left_alone(foreign: Foreign) -> None:
    wire = HEAD + b"Content-Length: %d\r\n\r\n" % len(TEXT) + TEXT.encode()
    assert set(at_each_place(foreign, wire)) == {wire}


def test_page_that_is_broken_off_stays_without_its_end(foreign: Foreign) -> None:
    wire = chunked(b"one aabaac two aab")[: -len(b"0\r\n\r\n")]
    assert {payload(answer + b"0\r\n\r\n") for answer in at_each_place(foreign, wire)} == {
        (b"one [REPLACED] two aab", b"\r\n")
    }
