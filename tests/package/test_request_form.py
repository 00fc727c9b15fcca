"""Forms: urlencoded and multipart, their limits, and what is malformed."""

from __future__ import annotations

import dataclasses
import random
from typing import IO, Any

import pytest
from request_stand_in import Request
from test_request import refused

from pyisapi import _request_multipart, request
from pyisapi.request import Form, FormLimits, RequestError

URLENCODED = "application/x-www-form-urlencoded"
MULTIPART = 'multipart/form-data; boundary="a b"'
DELIMITER = b"--a b"


def part(disposition: str, content: bytes, *lines: str) -> bytes:
    head = "\r\n".join([f"Content-Disposition: form-data; {disposition}", *lines])
    return DELIMITER + b"\r\n" + head.encode() + b"\r\n\r\n" + content + b"\r\n"


def multipart(*parts: bytes, **limits: int) -> Form:
    body = b"".join(parts) + DELIMITER + b"--\r\n"
    return request.form(Request(body, available=7, total=-1, content_type=MULTIPART), FormLimits(**limits))


def taken_from(body: bytes, content_type: str = MULTIPART) -> Form:
    return request.form(Request(body, content_type=content_type))


# Urlencoded


def test_urlencoded_form_has_fields() -> None:
    form = taken_from(b"a=1&b=%C3%BC+x&a=2&c", URLENCODED + "; charset=UTF-8")
    assert form.fields.pairs() == [("a", "1"), ("b", "ü x"), ("a", "2"), ("c", "")]
    assert len(form.files) == 0


@pytest.mark.parametrize("limits", [{"max_bytes": 5}, {"max_fields": 1}, {"max_field_bytes": 2}])
def test_urlencoded_form_over_a_limit_is_413(limits: dict[str, int]) -> None:
    def form(changed: dict[str, int]) -> Form:
        source = Request(b"a=&b=%41%C3%BC", total=-1, content_type=URLENCODED)
        return request.form(source, FormLimits(**changed))

    assert refused(lambda: form(limits)) == 413
    [(name, value)] = limits.items()
    enough = {"max_bytes": 14, "max_fields": 2, "max_field_bytes": 3}[name]
    assert form({name: enough}).fields["b"] == "Aü" and value < enough


@pytest.mark.parametrize("content_type", ["", "text/plain", "multipart/mixed; boundary=x", ";;", "multipart"])
def test_other_type_is_415(content_type: str) -> None:
    assert refused(lambda: taken_from(b"a=1", content_type)) == 415


# Multipart


def test_multipart_form_has_fields_and_files() -> None:
    binary = bytes(range(256)) * 1000 + b"\r\n--a" + b"\r\n-" * 10
    with multipart(
        part('name="a"', "ü\r\n".encode()),
        part('name="f"; filename="ü \\"1\\".bin"', binary, "Content-Type: Image/PNG; x=y", "X-Own: 1"),
        part("name=a", b""),
        part('filename="C:\\dir\\b.txt"; name="f"', b"b"),
    ) as form:
        assert form.fields.pairs() == [("a", "ü\r\n"), ("a", "")]
        first, second = form.files.get_list("f")
        assert (first.filename, first.content_type, first.size) == ('ü "1".bin', "image/png", len(binary))
        assert first.file.read() == binary and first.headers["x-own"] == "1"
        assert (second.filename, second.content_type, second.file.read()) == ("b.txt", "text/plain", b"b")
    assert first.file.closed and second.file.closed


@pytest.mark.parametrize(
    ("disposition", "filename"),
    [
        ('filename="../../etc/passwd"', "passwd"),
        ("filename=plain.txt", "plain.txt"),
        ("filename=x.txt; filename*=UTF-8''%E2%82%AC.txt", "€.txt"),
        ("filename*=iso-8859-1'de'%FC", "ü"),
        ("filename=x; filename*=rot13''abc", "x"),
    ],
)
def test_filename_is_decoded_and_without_folders(disposition: str, filename: str) -> None:
    with multipart(part(f'name="f"; {disposition}', b"1")) as form:
        assert form.files["f"].filename == filename


def test_file_field_without_a_choice_is_no_file() -> None:
    with multipart(part('name="f"; filename=""', b"", "Content-Type: application/octet-stream")) as form:
        assert len(form.files) == 0
    with multipart(part('name="f"; filename=""', b"1")) as form:
        assert form.files["f"].size == 1


def test_text_before_and_after_the_parts_is_none_of_them() -> None:
    body = b"before\r\n" + part('name="a"', b"1") + DELIMITER + b"-- \r\nafter" + b"x" * 100_000
    assert taken_from(body).fields.pairs() == [("a", "1")]
    assert taken_from(DELIMITER + b"--").fields.pairs() == []
    padded = part('name="a"', b"1").replace(DELIMITER, DELIMITER + b" \t") + DELIMITER + b"--"
    assert taken_from(padded).fields.pairs() == [("a", "1")]


def test_cuts_between_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    content = b"\r\n--a\r\n\r--a b\n--a b-" * 5
    for size in range(1, 40):
        monkeypatch.setattr(_request_multipart, "BLOCK_BYTES", size)
        with multipart(part('name="t"', content), part('name="f"; filename="f"', content)) as form:
            assert form.fields["t"].encode() == content == form.files["f"].file.read()


def test_character_set_of_a_field_is_heeded() -> None:
    form = multipart(part('name="a"', b"\xfc", "Content-Type: text/plain; charset=ISO-8859-1"))
    assert form.fields["a"] == "ü"
    assert multipart(part('name="a"', b"\xfc")).fields["a"] == "\ufffd"


def test_large_file_is_on_disk_and_a_small_one_is_not() -> None:
    form = multipart(
        part('name="s"; filename="s"', b"x" * 10), part('name="l"; filename="l"', b"x" * 11), spool_bytes=10
    )
    with form:
        in_memory = {name: not rolled(file.file) for name, file in form.files.items()}
        assert in_memory == {"s": True, "l": False}
        assert form.files["l"].file.read() == b"x" * 11


def rolled(file: Any) -> bool:
    return bool(file._rolled)


@pytest.mark.parametrize(
    ("name", "enough"), [("max_bytes", None), ("max_fields", 2), ("max_field_bytes", 100), ("spool_bytes", 0)]
)
def test_multipart_form_over_a_limit_is_413(name: str, enough: int | None) -> None:
    parts = [part('name="a"', b"x" * 100), part('name="f"; filename="f"', b"x" * 200)]
    limit = len(b"".join(parts)) + len(DELIMITER) + 4 if enough is None else enough
    multipart(*parts, **{name: limit}).close()
    if name != "spool_bytes":
        assert refused(lambda: multipart(*parts, **{name: limit - 1})) == 413


def test_limits_are_plain_and_fixed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        FormLimits().max_bytes = 1  # type: ignore[misc]


GOOD = part('name="a"', b"1") + DELIMITER + b"--\r\n"

MALFORMED = {
    "empty": b"",
    "no boundary": b"x" * 100_000,
    "no last boundary": GOOD[:-4],
    "half of the last boundary": GOOD[:-3],
    "text behind the boundary": GOOD.replace(b"b\r\n", b"bc\r\n", 1),
    "endless padding": DELIMITER + b" " * 100_000,
    "no headers": DELIMITER + b"\r\n\r\nvalue\r\n" + DELIMITER + b"--\r\n",
    "endless headers": DELIMITER + b"\r\n" + b"A: b\r\n" * 20_000,
    "lines that end in LF": GOOD.replace(b"\r\n", b"\n"),
    "no disposition": GOOD.replace(b"Content-Disposition", b"Content-Position"),
    "other disposition": GOOD.replace(b"form-data", b"attachment"),
    "no name": GOOD.replace(b"; name=", b"; game="),
    "quote without end": GOOD.replace(b'"a"', b'"a'),
    "text behind a quote": GOOD.replace(b'"a"', b'"a"b'),
    "transfer encoding": part('name="a"', b"MQ==", "Content-Transfer-Encoding: base64") + GOOD,
    "unknown character set": part('name="a"', b"1", "Content-Type: text/plain; charset=rot13") + GOOD,
}


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed_multipart_is_400(body: bytes) -> None:
    assert refused(lambda: taken_from(body)) == 400


@pytest.mark.parametrize(
    "boundary", ["", "; boundary=", '; boundary=" x "', "; boundary=" + "x" * 71, "; boundary=é"]
)
def test_unusable_boundary_is_400(boundary: str) -> None:
    assert refused(lambda: taken_from(GOOD, "multipart/form-data" + boundary)) == 400


def test_malformed_form_leaves_no_file_open(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[IO[bytes]] = []

    def keep(self: Form, file: IO[bytes]) -> None:
        kept.append(file)
        self._open_files.enter_context(file)

    monkeypatch.setattr(Form, "_keep", keep)
    assert refused(lambda: taken_from(part('name="f"; filename="f"', b"x" * 300_000))) == 400
    assert [file.closed for file in kept] == [True]


def test_random_damage_is_a_form_or_a_refusal() -> None:
    whole = part('name="f"; filename="f"', bytes(range(256))) + GOOD
    rng = random.Random(20260301)
    for _ in range(2000):
        damaged = bytearray(whole)
        for _ in range(rng.randint(1, 5)):
            position = rng.randrange(len(damaged))
            damaged[position : position + rng.randint(0, 3)] = rng.choice(
                [b"", b"\r\n", b"--", b'"', b";", b"\0"]
            )
        try:
            taken_from(bytes(damaged)).close()
        except RequestError as error:
            assert error.status == 400
