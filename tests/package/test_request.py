"""Headers, path, query, cookies, body and JSON out of a request."""

from __future__ import annotations

import io
from typing import Any

import pytest
from request_stand_in import Request

from pyisapi import ExtensionError, request
from pyisapi.request import RequestError


def refused(call: Any) -> int:
    with pytest.raises(RequestError) as caught:
        call()
    assert str(caught.value) == caught.value.reason
    return caught.value.status


# Headers


@pytest.mark.parametrize(
    "raw",
    [
        b"Host: x\r\nX-A: one\r\nCookie: a=1\r\nx-a:two\r\nCookie: b=2\r\nX-\xdc: \xfc\r\n",
        b"Host:x\nX-A:  one \nCookie: a=1\nx-a: two\t\nCookie: b=2\nX-\xdc: \xfc\n\n",
        b"Host: x\r\nX-A:\r\n one\r\nCookie: a=1\r\nx-a: two\r\nCookie: b=2\r\nX-\xdc: \xfc\r\n\r\n",
        b"Host: x\r\nno header\r\nX-A: one\r\nCookie: a=1\r\nx-a: two\r\n: none\r\nCookie: b=2\r\nX-\xdc: \xfc",
    ],
)
def test_headers_are_read_in_every_form_that_servers_give(raw: bytes) -> None:
    headers = request.headers(Request(raw_headers=raw))
    assert dict(headers) == {"Host": "x", "X-A": "one, two", "Cookie": "a=1; b=2", "X-Ü": "ü"}
    assert headers.get_all("X-a") == ["one", "two"] and headers.get_all("none") == []
    assert ("host" in headers, "nothing" in headers, len(headers)) == (True, False, 4)
    assert headers.get("HOST") == headers["hOsT"] == "x" and headers.get("nothing") is None
    assert headers.lines()[1:4] == [("X-A", "one"), ("Cookie", "a=1"), ("x-a", "two")]
    with pytest.raises(KeyError, match="nothing"):
        headers["nothing"]


def test_server_is_asked_for_headers_when_one_is_read_and_once() -> None:
    source = Request(raw_headers=b"A: 1\r\n")
    headers = request.headers(source)
    source.variables["ALL_RAW"] = b"A: 2\r\n"
    assert headers["a"] == "2"
    source.variables.clear()
    assert headers["a"] == "2"


# URL and cookies


def test_path_is_the_one_that_the_server_decoded() -> None:
    source = Request()
    assert request.path(source) == "/café \ufffd"
    source.variables["UNICODE_PATH_INFO"] = "/50%25/ü"
    assert request.path(source) == "/50%25/ü"


def test_query_has_every_value() -> None:
    query = request.query(Request(query=b"a=1&b=&a=2+3%20%C3%A9&\xc3\xbc=%ff&;c=4&d"))
    assert query.pairs() == [("a", "1"), ("b", ""), ("a", "2 3 é"), ("ü", "\ufffd"), (";c", "4"), ("d", "")]
    assert dict(query) == {"a": "1", "b": "", "ü": "\ufffd", ";c": "4", "d": ""}
    assert query.get_list("a") == ["1", "2 3 é"] and query.get_list("z") == []
    assert query.get("z") is None and query.get("z", "?") == "?" and len(query) == 5


def test_query_of_too_many_fields_is_refused() -> None:
    assert len(request.query(Request(query=b"a&b&c"), 3)) == 3
    assert refused(lambda: request.query(Request(query=b"a&b&c"), 2)) == 400


def test_cookies_are_pairs_of_all_cookie_headers() -> None:
    raw = b'Cookie: a=1; b="two; nonsense; a=2; =3\r\nCookie: c=x=y;d="q"; e=\xc3\xa9; f=\r\n'
    cookies = request.cookies(Request(raw_headers=raw))
    assert dict(cookies) == {"a": "1", "b": '"two', "c": "x=y", "d": "q", "e": "é", "f": ""}
    assert cookies.get_list("a") == ["1", "2"]
    assert dict(request.cookies(Request())) == {}


# Body

BODY = b"".join(b"line %d\n" % number for number in range(30_000))


@pytest.mark.parametrize("available", [0, 1, 49152, len(BODY)])
@pytest.mark.parametrize("total", [len(BODY), -1])
def test_body_is_a_file(available: int, total: int) -> None:
    def body() -> io.BufferedReader:
        return request.body(Request(BODY, available=available, total=total))

    assert body().read() == BODY
    assert list(body()) == BODY.splitlines(keepends=True)
    file, buffer = body(), bytearray(10)
    assert (file.readline(), file.read(3), file.readinto(buffer)) == (b"line 0\n", b"lin", 10)
    assert bytes(buffer) + file.read() == BODY[10:] and file.read() == file.readline() == b""


def test_no_more_is_asked_for_than_is_left_of_a_body_of_known_length() -> None:
    source = Request(b"x" * 100_000, available=40_000)
    source.rest += b"the next request"
    assert request.body(source).read() == b"x" * 100_000
    assert sum(source.asked) == 60_000


def test_body_over_the_limit_is_413_before_it_is_read() -> None:
    source = Request(b"12345")
    assert refused(lambda: request.body(source, 4)) == 413 and source.asked == []
    assert request.body(Request(b"12345"), 5).read() == b"12345"


@pytest.mark.parametrize("available", [0, 3, 5])
def test_body_of_unknown_length_over_the_limit_is_413_when_it_is_read(available: int) -> None:
    file = request.body(Request(b"12345" * 1000, available=available, total=-1), 4)
    assert refused(file.read) == 413 and refused(file.read) == 413
    assert request.body(Request(b"12345", available=available, total=-1), 5).read() == b"12345"


def test_body_that_ends_early_is_400() -> None:
    assert refused(request.body(Request(b"12345", available=2, total=6)).read) == 400


def test_empty_body_asks_for_nothing() -> None:
    source = Request()
    assert request.body(source, 0).read() == b"" and source.asked == []


@pytest.mark.parametrize("read", [request.body, request.form])
def test_chunked_body_over_the_servers_limit_is_413(read: Any) -> None:
    source = Request(b"a=12345", available=3, total=-1, content_type="application/x-www-form-urlencoded")
    source.read_error = ExtensionError(13, None, "ReadClient")
    assert refused(lambda: read(source).read()) == 413


@pytest.mark.parametrize(("total", "errno"), [(-1, 64), (-1, 1460), (5, 13)])
def test_other_failures_of_reading_are_the_servers_own(total: int, errno: int) -> None:
    source = Request(b"12345", total=total)
    source.read_error = ExtensionError(errno, None, "ReadClient")
    with pytest.raises(ExtensionError) as caught:
        request.body(source).read()
    assert caught.value.errno == errno


# JSON


def test_json_is_a_value() -> None:
    for content_type in ("application/json", "Application/JSON; charset=utf-8", "application/x+json"):
        source = Request('{"ä": [1, null]}'.encode(), content_type=content_type)
        assert request.json(source) == {"ä": [1, None]}


@pytest.mark.parametrize(
    ("status", "text", "content_type"),
    [
        (415, b"1", ""),
        (415, b"1", "text/plain"),
        (400, b"", "application/json"),
        (400, b"{", "application/json"),
        (400, b"NaN", "application/json"),
        (400, b'"\xff"', "application/json"),
        (400, b"[" * 200_000, "application/json"),
        (413, b" " * 1_048_576 + b"1", "application/json"),
    ],
)
def test_what_is_not_json_is_refused(status: int, text: bytes, content_type: str) -> None:
    assert refused(lambda: request.json(Request(text, content_type=content_type))) == status
