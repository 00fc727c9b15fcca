"""`isapi` is `pyisapi` under its old name."""

from __future__ import annotations

from package_under_test import run_python


def test_submodules_are_the_very_same_objects() -> None:
    code = """
import isapi.simple, isapi.threaded_extension, isapi.isapicon, isapi.install
import pyisapi.simple, pyisapi.threaded_extension, pyisapi.isapicon, pyisapi.install
for name in ("simple", "threaded_extension", "isapicon", "install"):
    assert getattr(isapi, name) is getattr(pyisapi, name), name
    assert __import__("sys").modules["isapi." + name] is getattr(pyisapi, name), name
print("same")
"""
    assert run_python(code) == "same\n"


def test_the_usual_imports_work_and_classes_are_one() -> None:
    code = """
from isapi import isapicon, ExtensionError, ISAPIError, FilterError, InternalReloadException
from isapi.simple import SimpleExtension
from isapi.threaded_extension import ThreadPoolExtension, ISAPI_REQUEST, ISAPI_SHUTDOWN
import pyisapi, pyisapi.simple
assert ExtensionError is pyisapi.ExtensionError
assert SimpleExtension is pyisapi.simple.SimpleExtension
assert issubclass(ThreadPoolExtension, SimpleExtension)
print(isapicon.HSE_STATUS_PENDING, ISAPI_REQUEST, ISAPI_SHUTDOWN)
"""
    assert run_python(code) == "3 1 2\n"


def test_the_names_that_scripts_take_from_threaded_extension_are_there() -> None:
    code = """
from isapi.threaded_extension import (
    OVERLAPPED, INFINITE, CloseHandle, CreateIoCompletionPort, GetQueuedCompletionStatus,
    PostQueuedCompletionStatus, SetThreadToken, ExtensionError, WorkerThread, isapi, isapicon,
    sys, threading, time, traceback,
)
print(INFINITE == 0xFFFFFFFF, issubclass(WorkerThread, threading.Thread))
"""
    assert run_python(code) == "True True\n"
