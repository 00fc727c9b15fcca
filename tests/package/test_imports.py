"""Importing has no side effect, with and without the native part."""

from __future__ import annotations

import pytest
from package_under_test import run_python

MODULES = (
    "pyisapi, pyisapi.simple, pyisapi.isapicon, pyisapi.threaded_extension, pyisapi.install, "
    "pyisapi.request, pyisapi.response, pyisapi.filters"
)
OLD_NAMES = "isapi, isapi.simple, isapi.isapicon, isapi.threaded_extension, isapi.install"

OBSERVE = f"""
import signal, sys, threading
def observe():
    return (
        sys.stdout, sys.stderr, sys.excepthook, list(sys.path), list(sys.argv), list(sys.meta_path),
        threading.enumerate(), signal.getsignal(signal.SIGINT), hasattr(sys, "isapidllhandle"),
    )
before = observe()
import {MODULES}, {OLD_NAMES}
assert observe() == before
print("clean")
"""


@pytest.mark.parametrize("without_bridge", [False, True])
def test_importing_changes_nothing(without_bridge: bool) -> None:
    assert run_python(OBSERVE, without_bridge=without_bridge) == "clean\n"


def test_starting_a_pool_without_the_bridge_says_what_is_missing() -> None:
    code = """
from pyisapi.threaded_extension import OVERLAPPED, ThreadPoolExtension
for start in (OVERLAPPED, lambda: ThreadPoolExtension().GetExtensionVersion(None)):
    try:
        start()
    except ImportError as error:
        print(str(error).split()[0])
"""
    assert run_python(code, without_bridge=True) == "ISAPI0093\nISAPI0093\n"
