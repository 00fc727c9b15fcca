"""EXTENSION_CONTROL_BLOCK: every attribute, its type, what can be set, and the rules common to all types."""

from __future__ import annotations

from typing import Any

import pytest
from probe_client import Probe, Raised, Value


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("ecb.Method", b"PUT"),
        ("ecb.QueryString", b"a=%20b&c=d"),
        ("ecb.PathInfo", b"/run"),
        ("ecb.ContentType", b"text/x-test; charset=utf-8"),
        ("ecb.TotalBytes", 6),
        ("ecb.AvailableBytes", 6),
        ("ecb.AvailableData", b"caf\xc3\xa9\x00"),
        ("ecb.softspace", 1),
        ("ecb.HeadersSent", False),
        ("ecb.Done", False),
    ],
)
def test_attribute_gives_what_the_client_sent(probe: Probe, source: str, value: object) -> None:
    headers = {"Content-Type": "text/x-test; charset=utf-8"}
    outcome = probe.outcome(
        source, method="PUT", query="?a=%20b&c=d", body=b"caf\xc3\xa9\x00", headers=headers
    )
    assert outcome == Value(type(value).__name__, repr(value))


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("ecb.QueryString", b""),
        ("ecb.ContentType", b""),
        ("ecb.TotalBytes", 0),
        ("ecb.AvailableBytes", 0),
        ("ecb.AvailableData", b""),
    ],
)
def test_attribute_of_a_request_without_body_is_empty(probe: Probe, source: str, value: object) -> None:
    assert probe.outcome(source) == Value(type(value).__name__, repr(value))


def test_version_is_that_of_iis_8(probe: Probe) -> None:
    assert probe.value("ecb.Version") == 0x00080000


def test_conn_id_is_a_positive_integer(probe: Probe) -> None:
    assert probe.value("ecb.ConnID") > 0


def test_path_translated_is_bytes_below_the_root(probe: Probe) -> None:
    assert probe.value("ecb.PathTranslated").replace(b"\\", b"/").endswith(b"/run")


def test_query_string_and_path_keep_bytes_beyond_ascii(probe: Probe) -> None:
    assert probe.value("ecb.QueryString", query="?q=%C3%A9%00") == b"q=%C3%A9%00"


@pytest.mark.parametrize("size", [1, 49151, 49152, 49153, 200_000])
def test_available_data_is_the_beginning_of_the_body(probe: Probe, size: int) -> None:
    body = bytes(range(256)) * (size // 256 + 1)
    source = (
        "(ecb.TotalBytes, ecb.AvailableBytes, len(ecb.AvailableData), ecb.AvailableData + ecb.ReadClient() == "
        "(bytes(range(256)) * (ecb.TotalBytes // 256 + 1))[:ecb.TotalBytes])"
    )
    total, available, length, same = probe.value(source, method="POST", body=body[:size])
    assert (total, length, same) == (size, available, True)
    assert 0 < available <= min(size, 49152)


def test_total_bytes_is_minus_one_for_a_long_chunked_body(probe: Probe) -> None:
    chunks = (b"x" * 10_000 for _ in range(20))
    source = "(ecb.TotalBytes, len(ecb.AvailableData + ecb.ReadClient()))"
    assert probe.value(source, method="POST", body=chunks) == (-1, 200_000)


# HttpStatusCode and LogData


@pytest.mark.parametrize(("given", "stored"), [("404", 404), ("0", 0), ("True", 1), ("2**31 - 1", 2**31 - 1)])
def test_http_status_code_gives_back_what_was_set(probe: Probe, given: str, stored: int) -> None:
    assert probe.value(f"ecb.HttpStatusCode = {given}\necb.HttpStatusCode") == stored


def test_http_status_code_accepts_unsigned_values(probe: Probe) -> None:
    assert probe.value("ecb.HttpStatusCode = 2**32 - 1\necb.HttpStatusCode % 2**32") == 2**32 - 1


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ("'200'", "TypeError"),
        ("None", "TypeError"),
        ("200.0", "TypeError"),
        ("2**40", "OverflowError"),
        ("-2**40", "OverflowError"),
    ],
)
def test_http_status_code_refuses_and_stays(probe: Probe, given: str, error: str) -> None:
    source = f"""
ecb.HttpStatusCode = 201
try:
    ecb.HttpStatusCode = {given}
except Exception as error:
    name = type(error).__name__
(name, ecb.HttpStatusCode)"""
    assert probe.value(source) == (error, 201)


def test_log_data_cannot_be_read(probe: Probe) -> None:
    assert probe.raised("ecb.LogData") == "AttributeError"


@pytest.mark.parametrize("given", ["'text'", "b'bytes'", "''", "'x' * 500", "'a\\0b'"])
def test_log_data_takes_text_and_bytes(probe: Probe, given: str) -> None:
    assert probe.value(f"ecb.LogData = {given}\nTrue") is True


@pytest.mark.parametrize("given", ["None", "1", "1.5", "['x']"])
def test_log_data_refuses_other_kinds(probe: Probe, given: str) -> None:
    assert probe.raised(f"ecb.LogData = {given}\nTrue") == "ValueError"


# Rules common to all types

ATTRIBUTES = [
    "Version",
    "TotalBytes",
    "AvailableBytes",
    "HttpStatusCode",
    "Method",
    "QueryString",
    "PathInfo",
    "PathTranslated",
    "AvailableData",
    "ContentType",
    "ConnID",
    "LogData",
    "softspace",
]
SETTABLE = {"HttpStatusCode", "LogData"}


@pytest.mark.parametrize(
    "name", [*sorted(set(ATTRIBUTES) - SETTABLE), "Nonsense", "WriteClient", "__class__", "HeadersSent"]
)
def test_attribute_cannot_be_set(probe: Probe, name: str) -> None:
    expected = {"AttributeError", "TypeError"} if name == "__class__" else {"AttributeError"}
    assert probe.raised(f"ecb.{name} = 1\nTrue") in expected


@pytest.mark.parametrize("name", [*ATTRIBUTES, "Nonsense", "WriteClient"])
def test_attribute_cannot_be_deleted(probe: Probe, name: str) -> None:
    assert probe.raised(f"del ecb.{name}\nTrue") == "AttributeError"


def test_unknown_attribute_is_an_attribute_error(probe: Probe) -> None:
    assert probe.raised("ecb.Nonsense") == "AttributeError"


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("type(ecb).__name__", "EXTENSION_CONTROL_BLOCK"),
        ("type(ecb).__module__", "builtins"),
        ("hasattr(ecb, '__dict__')", False),
        ("ecb == ecb, ecb != ecb", (True, False)),
        ("ecb == object()", False),
        ("{ecb: 1}[ecb]", 1),
        ("hash(ecb) == hash(ecb)", True),
    ],
)
def test_control_block_is_an_object_with_identity(probe: Probe, source: str, value: Any) -> None:
    assert probe.value(source) == value


@pytest.mark.parametrize(
    "source", ["type(ecb)()", "type('Sub', (type(ecb),), {})", "__import__('weakref').ref(ecb)"]
)
def test_control_block_cannot_be_made_derived_or_weakly_referenced(probe: Probe, source: str) -> None:
    outcome = probe.outcome(source)
    assert isinstance(outcome, Raised) and outcome.name == "TypeError"
