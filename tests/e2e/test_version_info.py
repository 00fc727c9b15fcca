"""HSE_VERSION_INFO: what GetExtensionVersion can read and set, and that the object is dead after the call."""

from __future__ import annotations

import json
from typing import Any

import pytest
from conftest import Servers

SOURCES = {
    "first read": "vi.ExtensionDesc",
    "str": "vi.ExtensionDesc = 'caf\\u00e9'\nvi.ExtensionDesc",
    "bytes": "vi.ExtensionDesc = b'\\xff\\xfe'\nvi.ExtensionDesc",
    "empty": "vi.ExtensionDesc = ''\nvi.ExtensionDesc",
    "up to NUL": "vi.ExtensionDesc = b'before\\0after'\nvi.ExtensionDesc",
    "shorter after longer": "vi.ExtensionDesc = 'longer'\nvi.ExtensionDesc = 's'\nvi.ExtensionDesc",
    "255 bytes": "vi.ExtensionDesc = b'x' * 255\nlen(vi.ExtensionDesc)",
    "255 bytes of UTF-8": "vi.ExtensionDesc = '\\u00e9' * 127 + 'x'\nlen(vi.ExtensionDesc)",
    "256 bytes": "vi.ExtensionDesc = b'x' * 256\nNone",
    "256 bytes of UTF-8": "vi.ExtensionDesc = '\\u00e9' * 128\nNone",
    "None": "vi.ExtensionDesc = None\nNone",
    "number": "vi.ExtensionDesc = 1\nNone",
    "kept value": "vi.ExtensionDesc = 'kept'\ntry:\n    vi.ExtensionDesc = b'x' * 300\nexcept ValueError:\n    pass\nvi.ExtensionDesc",
    "unknown read": "vi.dwExtensionVersion",
    "unknown set": "vi.Other = 1\nNone",
    "delete": "del vi.ExtensionDesc\nNone",
    "name": "type(vi).__name__, type(vi).__module__",
    "make": "type(vi)()",
    "derive": "type('Sub', (type(vi),), {})",
    "dict": "hasattr(vi, '__dict__')",
    "weak": "__import__('weakref').ref(vi)",
    "identity": "vi == vi, hash(vi) == hash(vi), vi == object()",
}

SCRIPT = """
import ast
import json
from isapi import isapicon

SOURCES = %r
outcomes = {}


def outcome(source, vi):
    tree = ast.parse(source)
    last = ast.Expression(tree.body.pop().value)
    names = {"vi": vi}
    try:
        exec(compile(tree, "snippet", "exec"), names)
        return repr(eval(compile(last, "snippet", "eval"), names))
    except Exception as error:
        return type(error).__name__


class Extension:
    def GetExtensionVersion(self, vi):
        global kept
        kept = vi
        outcomes.update((name, outcome(source, vi)) for name, source in SOURCES.items())

    def HttpExtensionProc(self, ecb):
        outcomes["late read"] = outcome("vi.ExtensionDesc", kept)
        outcomes["late set"] = outcome("vi.ExtensionDesc = 'late'\\nNone", kept)
        ecb.SendResponseHeaders("200 OK", "Content-Type: application/json\\r\\n\\r\\n")
        print(json.dumps(outcomes), file=ecb)
        return isapicon.HSE_STATUS_SUCCESS

    def TerminateExtension(self, status):
        pass


def __ExtensionFactory__():
    return Extension()
"""


@pytest.fixture(scope="module")
def outcomes(serve_module: Servers) -> Any:
    return json.loads(serve_module(SCRIPT % SOURCES).get("/").text)


@pytest.mark.parametrize(
    ("name", "outcome"),
    [
        ("first read", repr(b"")),
        ("str", repr(b"caf\xc3\xa9")),
        ("bytes", repr(b"\xff\xfe")),
        ("empty", repr(b"")),
        ("up to NUL", repr(b"before")),
        ("shorter after longer", repr(b"s")),
        ("255 bytes", "255"),
        ("255 bytes of UTF-8", "255"),
        ("256 bytes", "ValueError"),
        ("256 bytes of UTF-8", "ValueError"),
        ("None", "ValueError"),
        ("number", "ValueError"),
        ("kept value", repr(b"kept")),
        ("unknown read", "AttributeError"),
        ("unknown set", "AttributeError"),
        ("delete", "AttributeError"),
        ("name", "('HSE_VERSION_INFO', 'builtins')"),
        ("make", "TypeError"),
        ("derive", "TypeError"),
        ("dict", "False"),
        ("weak", "TypeError"),
        ("identity", "(True, True, False)"),
        ("late read", "RuntimeError"),
        ("late set", "RuntimeError"),
    ],
)
def test_version_info(outcomes: dict[str, str], name: str, outcome: str) -> None:
    assert outcomes[name] == outcome
