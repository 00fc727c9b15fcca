"""`pyisapi.request` and `pyisapi.response` over the real server, with requests as clients send them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator

import pytest
import test_documentation as documentation
from conftest import Servers
from probe_client import Probe, Raised, Value, parse
from raising import simple
from server_process import ServerProcess, receive_until

IMPORT = "from pyisapi import request\nfrom pyisapi.response import TextWriter, respond\n"


def raw_value(probe: Probe, source: str, *lines: bytes) -> object:
    """Send header lines as they are."""
    head = probe.head("run", IMPORT + source)
    answer = probe.server.raw(head[:-2] + b"\r\n".join([*lines, b"Connection: close", b"", b""]))
    outcome = parse(answer.partition(b"\r\n\r\n")[2].decode())
    assert isinstance(outcome, Value), outcome
    return outcome.value


def chunks(data: bytes, size: int) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


# Headers, URL, cookies


def test_duplicate_headers_are_told_apart(probe: Probe) -> None:
    source = "h = request.headers(ecb)\n(h.get_all('x-a'), h['X-A'], h['x-B'], 'x-c' in h, 'HOST' in h)"
    value = raw_value(probe, source, b"X-A: one", b"x-b: \xfc", b"x-a: two,three", b"X-A:")
    assert value == (["one", "two,three", ""], "one, two,three, ", "ü", False, True)


def test_headers_read_during_the_request_stay(probe: Probe) -> None:
    source = "h = request.headers(ecb)\nh['host']\nkept.update(read=h, unread=request.headers(ecb))"
    probe.value(IMPORT + source)
    assert probe.value("kept['read']['host']") == f"{probe.server.host}:{probe.server.port}"
    assert probe.raised("kept['unread']['host']") == "RuntimeError"


def test_cookies_of_several_headers_are_one_mapping(probe: Probe) -> None:
    source = "c = request.cookies(ecb)\n(c.pairs(), c.get_list('a'), c.get('z'))"
    value = raw_value(probe, source, b"Cookie: a=1; b=\xc3\xbc", b'Cookie: a=2; c="x y"; nonsense')
    assert value == ([("a", "1"), ("b", "ü"), ("a", "2"), ("c", "x y")], ["1", "2"], None)


def test_query_is_decoded(probe: Probe) -> None:
    query = "?q=%C3%BC+%2B&q=%F0%9F%98%80&empty=&raw=a/b"
    value = probe.value(IMPORT + "request.query(ecb).pairs()", query=query)
    assert value == [("q", "ü +"), ("q", "\U0001f600"), ("empty", ""), ("raw", "a/b")]
    refusal = probe.outcome(IMPORT + "request.query(ecb, 3)", query=query)
    assert isinstance(refusal, Raised) and (refusal.name, refusal.args[0]) == ("RequestError", 400)


@pytest.fixture(scope="module")
def paths(serve_module: Servers) -> ServerProcess:
    """Serve a script that answers the path, below a prefix too."""
    script = simple("respond(ecb, 200, ascii(request.path(ecb)))\nreturn 1", prelude=IMPORT)
    place = serve_module.place(script, "paths.py")
    return serve_module(script, "--mount", f"/app={place}")


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("/", "/"),
        ("/caf%C3%A9%20+?q", "/café +"),
        ("/app/a%2525", "/app/a%25"),
        ("/a/./b/../c%FF", "/a/c\ufffd"),
    ],
)
def test_path_is_decoded_once(paths: ServerProcess, url: str, path: str) -> None:
    assert paths.get(url).text == ascii(path)


# Body

LINES = b"".join(b"line %d\n" % number for number in range(40_000))


@pytest.mark.parametrize("chunked", [False, True])
def test_body_is_read_as_a_file(probe: Probe, chunked: bool) -> None:
    source = """
import hashlib
file = request.body(ecb, 1_000_000)
first = [file.readline(), file.read(3), file.readinto(bytearray(4))]
count, digest = 0, hashlib.sha256()
for line in file:
    count += 1
    digest.update(line)
(ecb.TotalBytes, first, count, digest.hexdigest(), file.read())"""
    body: object = chunks(LINES, 10_007) if chunked else LINES
    value = probe.value(IMPORT + source, method="POST", body=body)
    digest = hashlib.sha256(LINES[14:]).hexdigest()
    total = -1 if chunked else len(LINES)
    assert value == (total, [b"line 0\n", b"lin", 4], 39_998, digest, b"")


@pytest.mark.parametrize("chunked", [False, True])
def test_body_over_the_limit_is_refused(probe: Probe, chunked: bool) -> None:
    body: object = chunks(LINES, 10_007) if chunked else LINES
    outcome = probe.outcome(IMPORT + "len(request.body(ecb, 100_000).read())", method="POST", body=body)
    assert isinstance(outcome, Raised) and (outcome.name, outcome.args[0]) == ("RequestError", 413)


def test_client_that_goes_away_within_its_body_is_an_error(probe: Probe) -> None:
    with probe.server.connect() as connection:
        source = IMPORT + "request.body(ecb).read()"
        connection.sendall(probe.head("quiet", source, "POST", 400_000) + b"x" * 60_000)
        run = probe.runs
        # The read-ahead is full, so the handler is waiting for the rest.
        assert probe.value("1") == 1
    outcome = probe.last(run)
    assert isinstance(outcome, Raised) and outcome.name == "ExtensionError", outcome


def test_json_body_is_a_value(probe: Probe) -> None:
    headers = {"Content-Type": "application/json; charset=utf-8"}
    body = json.dumps({"ü": [1.5, None, "\U0001f600"]}, ensure_ascii=False).encode()
    for sent in (body, chunks(body, 5)):
        value = probe.value(IMPORT + "request.json(ecb)", method="POST", body=sent, headers=headers)
        assert value == {"ü": [1.5, None, "\U0001f600"]}
    outcome = probe.outcome(IMPORT + "request.json(ecb)", method="POST", body=body[:-1], headers=headers)
    assert isinstance(outcome, Raised) and outcome.args[0] == 400


# Forms


def test_urlencoded_form_is_read(probe: Probe) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    source = IMPORT + "request.form(ecb).fields.pairs()"
    value = probe.value(source, method="POST", body=b"a=%C3%BC&a=2+3&b=", headers=headers)
    assert value == [("a", "ü"), ("a", "2 3"), ("b", "")]


BINARY = bytes(range(256)) * 6000 + b"\r\n--edge\r\n--" + b"\r\n--edg"
MULTIPART = {"Content-Type": 'multipart/form-data; boundary="edge-1"'}
UPLOAD = (
    b'--edge-1\r\nContent-Disposition: form-data; name="note"\r\n\r\nl\xc3\xbcne 1\r\nline 2\r\n'
    b'--edge-1\r\nContent-Disposition: form-data; name="file"; filename="\xc3\xbc.bin"\r\n'
    b"Content-Type: application/x-own\r\n\r\n" + BINARY + b"\r\n--edge-1--\r\n"
)

TAKE = """
import hashlib
with request.form(ecb) as form:
    file = form.files["file"]
    seen = (file.filename, file.content_type, file.size, hashlib.sha256(file.file.read()).hexdigest())
(dict(form.fields), seen, file.file.closed)"""


@pytest.mark.parametrize("chunk", [0, 9_973, 65_536])
def test_multipart_upload_of_a_binary_file_arrives_whole(probe: Probe, chunk: int) -> None:
    body: object = chunks(UPLOAD, chunk) if chunk else UPLOAD
    value = probe.value(IMPORT + TAKE, method="POST", body=body, headers=MULTIPART)
    digest = hashlib.sha256(BINARY).hexdigest()
    file = ("ü.bin", "application/x-own", len(BINARY), digest)
    assert value == ({"note": "lüne 1\r\nline 2"}, file, True)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, UPLOAD[:-6]),
        (400, UPLOAD[:1000]),
        (400, UPLOAD.replace(b"form-data", b"form-date", 1)),
        (400, b""),
        (413, UPLOAD.replace(b"line 2", b"x" * 1_100_000)),
    ],
)
def test_malformed_or_too_large_multipart_is_answered_with_its_status(
    probe: Probe, status: int, body: bytes
) -> None:
    """The answer to one request says nothing about the next one on the connection."""
    source = """
try:
    request.form(ecb)
except request.RequestError as error:
    respond(ecb, error.status, str(error))
None"""
    answer = probe.send("quiet", IMPORT + source, "POST", "", body, MULTIPART)
    assert answer.status == status and "form" in answer.text
    assert probe.last() == Value("NoneType", "None")


# Responses


def test_prints_arrive_as_they_were_printed(probe: Probe) -> None:
    source = """
ecb.SendResponseHeaders("200 OK", "Content-Type: text/plain; charset=iso-8859-1\\r\\n\\r\\n")
with TextWriter(ecb, "iso-8859-1", "replace") as page:
    for number in range(20_000):
        print(number, "ü€", file=page)
None"""
    body = probe.send("quiet", IMPORT + source).body
    assert body == b"".join(b"%d \xfc?\n" % number for number in range(20_000))


def test_flush_sends_before_the_request_ends(probe: Probe) -> None:
    source = """
import threading
kept["go"] = threading.Event()
ecb.SendResponseHeaders("200 OK", "Content-Type: text/plain\\r\\n\\r\\n")
page = TextWriter(ecb)
print("first", file=page, flush=True)
went = kept["go"].wait(8)
print("second", went, file=page)
page.close()"""
    with probe.server.connect() as connection:
        connection.sendall(probe.head("quiet", IMPORT + source))
        assert b"second" not in receive_until(connection, b"first\n")
        probe.value("kept['go'].set()")
        receive_until(connection, b"second True\n")


def test_writer_that_is_closed_after_the_request_has_ended_raises(probe: Probe) -> None:
    outcome = probe.late(IMPORT + "page = TextWriter(ecb)\npage.write('lost')\npage.close()")
    assert isinstance(outcome, Raised) and outcome.name == "RuntimeError"


def test_forgotten_text_is_sent_or_reported(serve: Servers) -> None:
    body = """
page = TextWriter(ecb)
ecb.SendResponseHeaders("200 OK", "Content-Type: text/plain\\r\\n\\r\\n")
page.write("forgotten")
if query:
    ecb.DoneWithSession()
return isapicon.HSE_STATUS_SUCCESS if not query else isapicon.HSE_STATUS_PENDING"""
    server = serve(simple(body, prelude=IMPORT))
    assert server.get("/").body == b"forgotten"
    assert server.get("/?done").body == b""
    server.wait_for_log("Exception ignored in.*TextWriter.__del__(.|\n)*RuntimeError")


def test_respond_keeps_the_connection(serve: Servers) -> None:
    server = serve(simple("respond(ecb, 201, 'ü', {'X-A': 'b'})\nreturn 1", prelude=IMPORT))
    with server.connect() as connection:
        for _ in range(3):
            connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            answer = receive_until(connection, "\r\n\r\nü".encode()).lower()
            assert answer.startswith(b"http/1.1 201 created\r\n") and b"\r\nx-a: b\r\n" in answer
            assert b"\r\ncontent-length: 2\r\n" in answer and b"charset=utf-8" in answer


def test_examples_of_the_guide_work(serve: Servers) -> None:
    examples = documentation.examples(documentation.GUIDE)
    prelude = "".join(text for text in examples if "def answer(" in text or "def countdown(" in text)
    server = serve(
        simple("answer(ecb) if ecb.Method == b'POST' else countdown(ecb)\nreturn 1", prelude=prelude)
    )
    assert server.get("/").text == "3\n2\n1\n"
    headers = {**MULTIPART, "Accept-Language": "de", "Cookie": "session=7"}
    answer = server.request("POST", "/?page=3", UPLOAD.replace(b'"note"', b'"name"'), headers)
    assert answer.text == f"l\xfcne 1\r\nline 2 ['\xfc.bin: {len(BINARY)}'] de 3 7\n"
    assert answer.headers["Set-Cookie"] == "session=1; HttpOnly"
    assert server.request("POST", "/", b"x", {"Content-Type": "text/plain"}).status == 415
