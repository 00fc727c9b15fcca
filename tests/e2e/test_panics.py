"""A panic inside the bridge stays inside: each entry point answers its failure value and the server lives.

There is no way to order a panic from outside, but PyO3 turns one Python exception into one: its own
PanicException, which nobody but these tests would raise.
"""

from __future__ import annotations

import http.client
import signal

import pytest
from conftest import Servers
from server_process import StartFailed

SCRIPT = """
from isapi.simple import SimpleExtension

kept = []

def panic():
    [panic_exception] = [c for c in BaseException.__subclasses__() if c.__name__ == "PanicException"]
    raise panic_exception("on demand")

class Extension(SimpleExtension):
    "panics"

    def GetExtensionVersion(self, info):
        kept.append(info)
        if {at!r} == "GetExtensionVersion":
            panic()

    def HttpExtensionProc(self, ecb):
        if ecb.PathInfo == b"/panic":
            kept.append(ecb)
            panic()
        ecb.SendResponseHeaders("200 OK", "Content-Type: text/plain\\r\\n\\r\\n", True)
        for value in kept:
            for name in ("Method", "ExtensionDesc"):
                try:
                    print(name, getattr(value, name), file=ecb)
                except (RuntimeError, AttributeError) as error:
                    print(type(error).__name__, file=ecb)
        return 1

    def TerminateExtension(self, status):
        if {at!r} == "TerminateExtension":
            panic()

def __ExtensionFactory__():
    return Extension()
"""


def test_a_panic_in_http_extension_proc_is_a_500_and_ends_the_request(serve: Servers) -> None:
    server = serve(SCRIPT.format(at=""))
    assert server.get("/").status == 200
    assert server.get("/panic").status == 500
    answer = server.get("/")
    assert answer.status == 200
    # What the panicking call had is over: nothing of it can be read any more.
    assert "RuntimeError" in answer.text
    assert "b'GET'" not in answer.text
    server.wait_for_log("on demand")


def test_a_panic_in_get_extension_version_is_a_failed_load(serve: Servers) -> None:
    with pytest.raises(StartFailed, match="ISAPI0303"):
        serve(SCRIPT.format(at="GetExtensionVersion"))


def test_a_panic_in_terminate_extension_does_not_keep_the_server(serve: Servers) -> None:
    server = serve(SCRIPT.format(at="TerminateExtension"))
    assert server.get("/").status == 200
    assert server.stop(signal.SIGTERM) == 0
    server.wait_for_log("on demand")


POOL = """
from isapi.threaded_extension import ThreadPoolExtension

def panic():
    [panic_exception] = [c for c in BaseException.__subclasses__() if c.__name__ == "PanicException"]
    raise panic_exception("on demand")

class Extension(ThreadPoolExtension):
    "panics in its workers"
    max_workers = 2

    def Dispatch(self, ecb):
        if ecb.PathInfo == b"/panic":
            panic()
        ecb.SendResponseHeaders("200 OK", "Content-Type: text/plain\\r\\n\\r\\n", False)
        ecb.close()

    def HandleDispatchError(self, ecb):
        raise

def __ExtensionFactory__():
    return Extension()
"""


def test_a_panic_in_a_worker_ends_its_request_and_keeps_the_worker(serve: Servers) -> None:
    server = serve(POOL)
    # More often than there are workers.
    assert [server.get("/panic").status for _ in range(5)] == [500] * 5
    assert server.get("/").status == 200


CALLBACK = """
from isapi import isapicon
from isapi.simple import SimpleExtension

def panic(ecb, argument, count, error):
    [panic_exception] = [c for c in BaseException.__subclasses__() if c.__name__ == "PanicException"]
    raise panic_exception("on demand")

class Extension(SimpleExtension):
    "panics in its callback"

    def HttpExtensionProc(self, ecb):
        ecb.SendResponseHeaders("200 OK", "Content-Type: text/plain\\r\\n\\r\\n", False)
        ecb.IOCompletion(panic)
        ecb.WriteClient(b"begun", isapicon.HSE_IO_ASYNC)
        return isapicon.HSE_STATUS_PENDING

def __ExtensionFactory__():
    return Extension()
"""


def test_a_panic_in_a_completion_callback_cuts_its_request(serve: Servers) -> None:
    server = serve(CALLBACK)
    for _ in range(3):
        with pytest.raises(http.client.IncompleteRead):
            server.get("/")
