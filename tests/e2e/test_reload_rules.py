"""InternalReloadException from each entry point, and loads that fail half-way.

The rules: end the old object with 0, execute the module anew, make a new object, tell it None, then repeat
the call that asked. Whatever never came to be used leaves nothing behind.
"""

from __future__ import annotations

import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from conftest import Servers
from server_process import receive_all, wait_until

RECORDING = """
import sys
import isapi
from isapi.simple import SimpleExtension

calls = globals().get("calls", [])
generation = globals().get("generation", 0) + 1

class Extension(SimpleExtension):
    def GetExtensionVersion(self, info):
        calls.append(f"version({{'info' if info is not None else None}}) of {{generation}}")
        if info is not None:
            info.ExtensionDesc = f"generation {{generation}}"
        if {version_asks} and generation == 1:
            raise isapi.InternalReloadException

    def HttpExtensionProc(self, ecb):
        ecb.SendResponseHeaders("200 OK", "Content-Type: text/plain\\r\\n\\r\\n", False)
        print("; ".join(calls), file=ecb)
        return 1

    def TerminateExtension(self, status):
        calls.append(f"terminate({{status}}) of {{generation}}")
        if status and {terminate_asks} and generation == 1:
            raise isapi.InternalReloadException
        if status:
            print("ended:", "; ".join(calls), file=sys.stderr)

def __ExtensionFactory__():
    return Extension()
"""


def test_version_method_that_asks_for_a_reload_is_asked_again_with_the_struct(serve: Servers) -> None:
    server = serve(RECORDING.format(version_asks=True, terminate_asks=False))
    assert server.get("/").text.strip() == (
        "version(info) of 1; terminate(0) of 1; version(None) of 2; version(info) of 2"
    )
    # The description is that of the object which serves.
    server.wait_for_log("generation 2")


def test_terminate_that_asks_for_a_reload_is_repeated_on_the_new_object(serve: Servers) -> None:
    server = serve(RECORDING.format(version_asks=False, terminate_asks=True))
    server.get("/")
    assert server.stop(signal.SIGTERM) == 0
    server.wait_for_log(
        r"ended: version\(info\) of 1; terminate\(2\) of 1; terminate\(0\) of 1; "
        r"version\(None\) of 2; terminate\(2\) of 2"
    )


HALF_STARTED = """
import threading
from isapi.threaded_extension import ThreadPoolExtension

class Extension(ThreadPoolExtension):
    "never ready"
    max_workers = 8

    def GetExtensionVersion(self, info):
        ThreadPoolExtension.GetExtensionVersion(self, info)
        {then}

    def Dispatch(self, ecb):
        ecb.close()

def __ExtensionFactory__():
    return Extension()
"""

WELL = """
import threading
from isapi.simple import SimpleExtension

class Extension(SimpleExtension):
    "counts threads"

    def HttpExtensionProc(self, ecb):
        ecb.SendResponseHeaders("200 OK", "Content-Type: text/plain\\r\\n\\r\\n", False)
        names = [thread.name for thread in threading.enumerate()]
        print(sum("worker" in name for name in names), file=ecb)
        return 1

def __ExtensionFactory__():
    return Extension()
"""


def test_a_pool_whose_load_fails_leaves_no_worker_behind(serve: Servers, tmp_path: Path) -> None:
    folder = tmp_path / "scripts"
    folder.mkdir()
    (folder / "raises.py").write_text(HALF_STARTED.format(then="raise OSError('no database yet')"))
    (folder / "refuses.py").write_text(HALF_STARTED.format(then="return 0"))
    (folder / "well.py").write_text(WELL)
    server = serve(folder)
    assert server.get("/raises").status == server.get("/refuses").status == 500
    wait_until(lambda: server.get("/well").text.strip() == "0", "no worker is left")


CONCURRENT = """
import threading
import isapi
from isapi.simple import SimpleExtension

loads = globals().get("loads", 0) + 1
asked = globals().get("asked", set())
lock = globals().get("lock") or threading.Lock()

class Extension(SimpleExtension):
    "reloads under load"
    ended = False

    def HttpExtensionProc(self, ecb):
        with lock:
            fresh = ecb.PathInfo not in asked
            asked.add(ecb.PathInfo)
        if fresh and ecb.PathInfo.endswith(b"0"):
            raise isapi.InternalReloadException
        ecb.SendResponseHeaders("200 OK", "Content-Type: text/plain\\r\\n\\r\\n", False)
        print("fine", file=ecb)
        return 1

def __ExtensionFactory__():
    return Extension()
"""


def test_reloads_under_load_answer_every_request(serve: Servers) -> None:
    server = serve(CONCURRENT)
    with ThreadPoolExecutor(8) as clients:
        answers = list(clients.map(lambda number: server.get(f"/{number}").status, range(400)))
    assert answers == [200] * 400


PATCHED = """
from isapi.threaded_extension import ThreadPoolExtension

original = ThreadPoolExtension.HttpExtensionProc
seen = []

def counting(self, ecb):
    seen.append(ecb.PathInfo)
    return original(self, ecb)

ThreadPoolExtension.HttpExtensionProc = counting

class Extension(ThreadPoolExtension):
    "patched"

    def Dispatch(self, ecb):
        ecb.SendResponseHeaders("200 OK", "Content-Type: text/plain\\r\\n\\r\\n", False)
        print(len(seen), file=ecb)
        ecb.close()

def __ExtensionFactory__():
    return Extension()
"""


def test_a_method_replaced_on_the_pool_class_is_called(serve: Servers) -> None:
    server = serve(PATCHED)
    assert [server.get("/").text.strip() for _ in range(2)] == ["1", "2"]


ASYNCHRONOUS = """
import sys
from isapi import isapicon
from isapi.simple import SimpleExtension

class Extension(SimpleExtension):
    "asynchronous writes"

    def HttpExtensionProc(self, ecb):
        ecb.SendResponseHeaders("200 OK", "Content-Type: text/plain\\r\\n\\r\\n", False)
        reports = []

        def earlier(ecb, argument, count, error):
            later(ecb, "through the earlier one", count, error)

        def later(ecb, argument, count, error):
            reports.append((argument, error))
            print(reports, file=ecb)
            ecb.DoneWithSession()

        ecb.IOCompletion(earlier, "first")
        # The client does not read before the next two lines have run, and no socket takes so much.
        ecb.WriteClient(b"x" * (32 << 20), isapicon.HSE_IO_ASYNC)
        ecb.IOCompletion(later, "second")
        print("registered", file=sys.stderr)
        return isapicon.HSE_STATUS_PENDING

def __ExtensionFactory__():
    return Extension()
"""


def test_a_callback_registered_during_a_write_gets_its_completion(serve: Servers) -> None:
    server = serve(ASYNCHRONOUS)
    with server.connect() as connection:
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        server.wait_for_log("^registered$")
        assert receive_all(connection).endswith(b"x[('second', 0)]\n")


ENDED_FROM_ANOTHER_THREAD = """
import threading
from isapi.simple import SimpleExtension

class Extension(SimpleExtension):
    "ends in a race"

    def HttpExtensionProc(self, ecb):
        ecb.SendResponseHeaders("200 OK", "Content-Length: 2\\r\\n\\r\\n", True)
        go = threading.Barrier(3)

        def end():
            go.wait()
            try:
                ecb.DoneWithSession()
            except RuntimeError:
                pass

        def write():
            go.wait()
            try:
                ecb.WriteClient(b"ok")
                ecb.Method
            except RuntimeError:
                pass

        for target in (end, write):
            threading.Thread(target=target, daemon=True).start()
        go.wait()
        return 1

def __ExtensionFactory__():
    return Extension()
"""


def test_ending_writing_and_returning_at_once_harm_nobody(serve: Servers) -> None:
    server = serve(ENDED_FROM_ANOTHER_THREAD)

    def ask(_: int) -> None:
        with server.connect() as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            while connection.recv(4096):
                pass

    with ThreadPoolExecutor(8) as clients:
        for _ in clients.map(ask, range(600)):
            pass
    # Whatever the order was, the server is there and answers.
    assert server.stop(signal.SIGTERM) == 0
