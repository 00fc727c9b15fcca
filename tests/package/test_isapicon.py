from __future__ import annotations

import pytest

from pyisapi import isapicon

PUBLIC = {name: value for name, value in vars(isapicon).items() if not name.startswith("_")}


def test_every_public_name_is_a_plain_int() -> None:
    assert {name for name, value in PUBLIC.items() if type(value) is not int} == set()


def test_the_names_are_those_of_the_reference_and_our_own() -> None:
    counts = {prefix: sum(name.startswith(prefix) for name in PUBLIC) for prefix in PREFIXES}
    assert counts == PREFIXES
    assert len(PUBLIC) == sum(PREFIXES.values())


PREFIXES = {
    "HTTP_": 44,
    "HSE_STATUS_": 4,
    # One more than the reference.
    "HSE_IO_": 8,
    "HSE_EXEC_URL_": 6,
    # Not in the reference.
    "HSE_URL_FLAGS_": 11,
    # One more than the reference.
    "SF_NOTIFY_": 18,
    "SF_STATUS_": 6,
    # Not in the reference.
    "SF_DENIED_": 5,
    "SF_REQ_": 9,
    "SF_PROPERTY_": 2,
}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HTTP_OK", 200),
        ("HTTP_RANGE_NOT_SATISFIABLE", 416),
        ("HTTP_VARIANT_ALSO_VARIES", 506),
        ("HSE_STATUS_PENDING", 3),
        ("HSE_STATUS_ERROR", 4),
        ("HSE_IO_ASYNC", 2),
        ("HSE_IO_SEND_HEADERS", 8),
        ("HSE_IO_NODELAY", 0x1000),
        ("HSE_IO_TRY_SKIP_CUSTOM_ERRORS", 0x40),
        ("HSE_URL_FLAGS_SCRIPT", 0x200),
        ("HSE_URL_FLAGS_MASK", 0x3FF),
        ("HSE_EXEC_URL_IGNORE_CURRENT_INTERCEPTOR", 4),
        ("SF_NOTIFY_PREPROC_HEADERS", 0x4000),
        ("SF_NOTIFY_SEND_RESPONSE", 0x40),
        ("SF_NOTIFY_END_OF_NET_SESSION", 0x100),
        ("SF_NOTIFY_ORDER_DEFAULT", 0x20000),
        ("SF_STATUS_REQ_FINISHED", 134217728),
        ("SF_STATUS_REQ_READ_NEXT", 134217733),
        ("SF_NOTIFY_AUTH_COMPLETE", 0x04000000),
        ("SF_DENIED_BY_CONFIG", 0x10000),
        ("SF_REQ_DISABLE_NOTIFICATIONS", 8),
    ],
)
def test_values(name: str, value: int) -> None:
    assert PUBLIC[name] == value
