"""Whole answers, and printing into the body of one."""

from __future__ import annotations

import gc
import sys
from typing import Any

import pytest
from request_stand_in import Request

from pyisapi import ExtensionError
from pyisapi.response import TextWriter, respond

# Whole answers


def test_text_is_answered_as_utf_8_with_its_length() -> None:
    sink = Request()
    respond(sink, 404, "grün\n")
    head = b"Content-Type: text/plain; charset=utf-8\r\nContent-Length: 6\r\n\r\n"
    assert (sink.heads, sink.written) == ([("404 Not Found", head, True)], ["grün\n".encode()])


def test_headers_that_are_given_come_first_and_are_not_replaced() -> None:
    sink = Request()
    respond(
        sink, "299 Own", b"x", [("Set-Cookie", "a=1"), ("content-type", "image/png"), ("Set-Cookie", "b=ü")]
    )
    head = b"Set-Cookie: a=1\r\ncontent-type: image/png\r\nSet-Cookie: b=\xfc\r\nContent-Length: 1\r\n\r\n"
    assert sink.heads == [("299 Own", head, True)]


def test_bytes_are_of_no_known_type_and_a_mapping_will_do() -> None:
    sink = Request()
    respond(sink, 599, b"x", {"A": "b"})
    head = b"A: b\r\nContent-Type: application/octet-stream\r\nContent-Length: 1\r\n\r\n"
    assert sink.heads == [("599 Unknown", head, True)]


@pytest.mark.parametrize("status", [204, 304])
def test_status_without_body_has_no_length(status: int) -> None:
    sink = Request()
    respond(sink, status)
    assert sink.heads[0][1:] == (b"\r\n", True) and sink.written == []
    with pytest.raises(ValueError, match="has no body"):
        respond(sink, status, "x")


def test_head_request_gets_the_length_and_no_body() -> None:
    sink = Request()
    sink.Method = b"HEAD"
    respond(sink, 200, "body")
    assert b"Content-Length: 4\r\n" in sink.heads[0][1] and sink.written == []


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        ("200 OK\r\nSet-Cookie: x", {}),
        (302, {"Location": "/\r\nSet-Cookie: x"}),
        (200, {"A\nB": "x"}),
        (200, {"A:": "x"}),
        (200, {"": "x"}),
        (200, {"A": "\0"}),
        (200, {"A": "€"}),
    ],
)
def test_what_is_no_header_is_refused_before_anything_is_sent(
    status: int | str, headers: dict[str, str]
) -> None:
    sink = Request()
    with pytest.raises(ValueError):
        respond(sink, status, "x", headers)
    assert sink.heads == []


@pytest.mark.parametrize(
    ("body", "error"),
    [([b"x"], TypeError), (7, TypeError), (None, TypeError), ({}, TypeError), ("\ud800", UnicodeEncodeError)],
)
def test_what_is_no_body_is_refused_before_anything_is_sent(body: Any, error: type[Exception]) -> None:
    for status in (200, 204):
        sink = Request()
        with pytest.raises(error):
            respond(sink, status, body)
        assert (sink.heads, sink.written) == ([], [])


def test_other_objects_of_bytes_are_counted_in_bytes() -> None:
    for body in (bytearray(b"1234"), memoryview(b"1234").cast("H")):
        sink = Request()
        respond(sink, 200, body)  # type: ignore[arg-type]
        assert b"Content-Length: 4\r\n" in sink.heads[0][1] and sink.written == [b"1234"]


# The text writer


def test_small_prints_become_one_write() -> None:
    sink = Request()
    with TextWriter(sink) as writer:
        for number in range(100):
            print(number, "grün", file=writer)
        assert sink.written == []
    assert [block.decode() for block in sink.written] == [
        "".join(f"{number} grün\n" for number in range(100))
    ]


def test_full_buffer_and_flush_are_sent() -> None:
    sink = Request()
    writer = TextWriter(sink, buffer_bytes=4)
    assert [writer.write("123"), writer.write("4"), writer.write("5\r\n\n")] == [3, 1, 4]
    assert sink.written == [b"1234", b"5\r\n\n"]
    print("x", end="", file=writer, flush=True)
    writer.flush()
    assert sink.written[2:] == [b"x"]
    writer.close()
    assert len(sink.written) == 3


def test_encoding_and_errors_are_heeded() -> None:
    sink = Request()
    with TextWriter(sink, "ISO-8859-1", "xmlcharrefreplace") as writer:
        writer.write("ü€")
        assert (writer.encoding, writer.errors) == ("iso8859-1", "xmlcharrefreplace")
        assert writer.writable() and not writer.readable() and not writer.seekable()
    assert sink.written == [b"\xfc&#8364;"]


def test_encoding_with_a_beginning_and_an_end_has_each_once() -> None:
    sink = Request()
    with TextWriter(sink, "utf-16") as utf_16:
        utf_16.writelines(["a", "b"])
    with TextWriter(sink, "iso-2022-jp") as iso_2022:
        iso_2022.write("日本")
    assert [sink.written[0].decode("utf-16"), sink.written[1].decode("iso-2022-jp")] == ["ab", "日本"]
    assert sink.written[1].endswith(b"\x1b(B")


def test_text_that_cannot_be_encoded_is_refused_whole() -> None:
    sink = Request()
    with TextWriter(sink, "ascii") as writer:
        writer.write("a")
        with pytest.raises(UnicodeEncodeError):
            writer.write("bü")
        with pytest.raises(TypeError, match="bytes"):
            writer.write(b"c")  # type: ignore[arg-type]
    assert sink.written == [b"a"]


@pytest.mark.parametrize("arguments", [("no-such-encoding", "strict"), ("utf-8", "no-such-errors")])
def test_unknown_encoding_is_refused_at_once(
    arguments: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = record_unraisable(monkeypatch)
    with pytest.raises(LookupError):
        TextWriter(Request(), *arguments)
    gc.collect()
    assert lost == []


def test_short_writes_are_gone_on_with() -> None:
    sink = Request()
    sink.takes_at_most = 2
    with TextWriter(sink) as writer:
        writer.write("12345")
    assert sink.written == [b"12", b"34", b"5"]


def test_server_that_takes_nothing_is_an_error() -> None:
    sink = Request()
    sink.takes_at_most = 0
    with pytest.raises(OSError, match="none of 1 bytes"), TextWriter(sink) as writer:
        writer.write("1")


def test_what_the_client_did_not_get_is_an_exception_once() -> None:
    sink = Request()
    sink.error = ExtensionError(10054)
    writer = TextWriter(sink)
    writer.write("lost")
    with pytest.raises(ExtensionError):
        writer.close()
    assert writer.closed
    writer.close()


def test_exception_in_the_block_is_the_one_that_is_raised() -> None:
    sink = Request()
    with pytest.raises(ZeroDivisionError), TextWriter(sink) as writer:
        writer.write("before")
        raise ZeroDivisionError
    assert sink.written == [b"before"]


def test_closed_writer_takes_nothing() -> None:
    writer = TextWriter(Request())
    writer.close()
    for call in (lambda: writer.write(""), writer.flush):
        with pytest.raises(ValueError, match="closed"):
            call()


def test_forgotten_writer_sends_its_text() -> None:
    sink = Request()
    print("x", file=TextWriter(sink))
    gc.collect()
    assert sink.written == [b"x\n"]


def test_forgotten_writer_of_a_finished_request_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    lost = record_unraisable(monkeypatch)
    sink = Request()
    writer = TextWriter(sink)
    writer.write("lost")
    sink.error = RuntimeError("the request is finished")
    del writer
    gc.collect()
    assert lost == [sink.error]


def record_unraisable(monkeypatch: pytest.MonkeyPatch) -> list[BaseException | None]:
    errors: list[BaseException | None] = []

    def record(unraisable: Any) -> None:
        errors.append(unraisable.exc_value)

    monkeypatch.setattr(sys, "unraisablehook", record)
    return errors
