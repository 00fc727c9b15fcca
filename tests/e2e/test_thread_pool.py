"""ThreadPoolExtension: failing work, unknown keys, and what becomes of queued and stuck requests at the end."""

from __future__ import annotations

import contextlib
import http.client
import re
import socket
import threading
from collections.abc import Iterator

import pytest
from conftest import Servers
from raising import pool
from server_process import Response, ServerProcess, receive_all, receive_until

FAILURES = ["raise KeyError('secret')", "sys.exit(3)", "raise KeyboardInterrupt", "raise BaseException('x')"]


@pytest.mark.parametrize("body", FAILURES)
def test_failure_of_dispatch_is_a_500_and_the_worker_lives(serve: Servers, body: str) -> None:
    """D33, D34."""
    server = serve(pool(body))
    for _ in range(5):
        response = server.get("/")
        assert (response.status, response.reason) == (500, "Internal Server Error")
    assert server.get("/fine").body == b"fine"
    server.wait_for_log("ISAPI0211")


def test_traceback_stays_in_the_log(serve: Servers) -> None:
    """D32: the page shows a reference by which the log is searched."""
    server = serve(pool("raise KeyError('secret')"))
    page = server.get("/").text
    assert "secret" not in page and "Traceback" not in page and "script.py" not in page
    reference = re.search(r"\b[0-9a-f]{12}\b", page)
    assert reference, page
    server.wait_for_log(rf"ISAPI0211 \[{reference[0]}\][\s\S]*KeyError: 'secret'")


def test_debug_shows_the_traceback_escaped(serve: Servers) -> None:
    server = serve(pool("raise KeyError('<b>secret</b>')"), "--debug")
    page = server.get("/").text
    assert "Traceback" in page and "&lt;b&gt;secret" in page and "<b>secret" not in page


def test_failure_after_the_headers_cuts_the_connection(serve: Servers) -> None:
    """D33."""
    server = serve(
        pool(
            "ecb.SendResponseHeaders('200 OK', 'Content-Length: 100\\r\\n\\r\\n', 1)\necb.WriteClient('begun')\nraise KeyError('x')"
        )
    )
    with pytest.raises(http.client.IncompleteRead) as cut:
        server.get("/")
    assert cut.value.partial == b"begun"
    assert server.get("/fine").body == b"fine"


def test_failing_error_handler_still_ends_the_request(serve: Servers) -> None:
    server = serve(
        pool("raise KeyError('first')", "def HandleDispatchError(self, ecb):\n    raise ValueError('second')")
    )
    for _ in range(3):
        assert server.get("/").status == 500
    server.wait_for_log("ValueError: second")
    assert server.get("/fine").body == b"fine"


def test_unknown_key_is_logged_and_the_workers_live(serve: Servers) -> None:
    """D34."""
    server = serve(
        pool("""
        for _ in range(4):
            PostQueuedCompletionStatus(self.io_req_port, 0, 4711, OVERLAPPED())
        reply(ecb)
        ecb.DoneWithSession()""")
    )
    for _ in range(3):
        assert server.get("/").body == b"fine"
    server.wait_for_log("ISAPI0212.*4711")


def test_failure_of_posted_work_is_logged_and_the_workers_live(serve: Servers) -> None:
    """D34."""
    server = serve(
        pool(
            """
        for _ in range(4):
            self.io_req_port.post(1, 77, None)
        reply(ecb)
        ecb.DoneWithSession()""",
            """
        def __init__(self):
            ThreadPoolExtension.__init__(self)
            self.dispatch_map[77] = self.fail
        def fail(self, errCode, bytes, key, overlapped):
            raise KeyError("posted")""",
        )
    )
    for _ in range(3):
        assert server.get("/").body == b"fine"
    server.wait_for_log("ISAPI0213[\\s\\S]*KeyError: 'posted'")


@contextlib.contextmanager
def requests(server: ServerProcess, *paths: str) -> Iterator[list[socket.socket]]:
    """Begin requests, each over a connection that ends with the answer."""
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(server.connect()) for _ in paths]
        for path, connection in zip(paths, connections, strict=True):
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        yield connections


def in_background(server: ServerProcess, path: str, answers: list[Response]) -> threading.Thread:
    thread = threading.Thread(target=lambda: answers.append(server.get(path)), daemon=True)
    thread.start()
    return thread


def test_requests_run_on_all_workers_at_once(serve: Servers) -> None:
    server = serve(
        pool("barrier.wait(5)\nreply(ecb)\necb.DoneWithSession()", prelude="barrier = threading.Barrier(2)")
    )
    answers: list[Response] = []
    threads = [in_background(server, "/", answers) for _ in range(2)]
    for thread in threads:
        thread.join(10)
    assert [answer.body for answer in answers] == [b"fine", b"fine"]


def test_queued_requests_are_answered_when_the_server_stops(serve: Servers) -> None:
    """D35: one worker, five requests; each is finished or told that the server goes away."""
    server = serve(
        pool(
            """
        print("began", path, file=sys.stderr)
        time.sleep(0.3)
        reply(ecb)
        ecb.DoneWithSession()""",
            "max_workers = 1",
        )
    )
    with requests(server, *(f"/{number}" for number in range(5))) as connections:
        server.wait_for_log("began")
        assert server.stop() == 0
        answers = [receive_all(connection) for connection in connections]
    assert [answer[:12] for answer in answers] == [b"HTTP/1.1 200"] * 5, answers


def test_queued_requests_behind_a_stuck_worker_get_503(serve: Servers) -> None:
    """D35: the reload cannot wait for the worker, and says so to those who wait behind it."""
    server = serve(
        pool(
            """
        print("began", file=sys.stderr)
        self.wait_for_nothing()""",
            """
        max_workers = 1
        worker_shutdown_wait = 200
        def wait_for_nothing(self):
            threading.Event().wait()
        def HttpExtensionProc(self, ecb):
            if ecb.PathInfo == b"/reload" and not reloads:
                reloads.append(1)
                raise isapi.InternalReloadException
            print("came", ecb.PathInfo, file=sys.stderr)
            return ThreadPoolExtension.HttpExtensionProc(self, ecb)
        def DispatchConnection(self, *arguments):
            if reloads:
                ecb = arguments[-1].object
                reply(ecb, "after the reload")
                ecb.DoneWithSession()
            else:
                ThreadPoolExtension.DispatchConnection(self, *arguments)""",
            "reloads = globals().get('reloads', [])",
        ),
        "--grace",
        "1",
    )
    with requests(server, "/stuck") as stuck:
        server.wait_for_log("began")
        with requests(server, "/first", "/second") as queued:
            server.wait_for_log("came b'/first'")
            server.wait_for_log("came b'/second'")
            assert server.get("/reload").body == b"after the reload"
            answers = [receive_all(connection) for connection in queued]
        assert [answer[:12] for answer in answers] == [b"HTTP/1.1 503"] * 2, answers
        [reference] = set(re.findall(rb"<code>([0-9a-f]{12})</code>", b"".join(answers)))
        server.wait_for_log(rf"ISAPI0215 \[{reference.decode()}\] 2 queued")
        server.wait_for_log("ISAPI0214[\\s\\S]*wait_for_nothing")
        assert server.stop() == 0
        assert receive_all(stuck[0]) == b""


WORK_WHILE_RUNNING = """
print("began", path, file=sys.stderr)
while threading.current_thread().running:
    time.sleep(0.01)
reply(ecb, "told to stop")
ecb.DoneWithSession()
"""


def test_work_that_looks_at_running_ends_at_a_reload(serve: Servers) -> None:
    server = serve(
        pool(
            WORK_WHILE_RUNNING,
            """
        def HttpExtensionProc(self, ecb):
            if ecb.PathInfo == b"/fine" and not reloads:
                reloads.append(1)
                raise isapi.InternalReloadException
            return ThreadPoolExtension.HttpExtensionProc(self, ecb)""",
            "reloads = globals().get('reloads', [])",
        )
    )
    with requests(server, "/one", "/two") as connections:
        server.wait_for_log("began b'/one'")
        server.wait_for_log("began b'/two'")
        # Well before worker_shutdown_wait, which is longer than the clients' patience.
        assert server.get("/fine").body == b"fine"
        assert all(receive_all(connection).endswith(b"told to stop") for connection in connections)
    assert "ISAPI0214" not in server.log()


def test_work_that_looks_at_running_ends_when_the_server_stops(serve: Servers) -> None:
    server = serve(pool(WORK_WHILE_RUNNING), "--grace", "1")
    with requests(server, "/one", "/two"):
        server.wait_for_log("began b'/one'")
        server.wait_for_log("began b'/two'")
        assert server.stop(timeout=10) == 0
    assert "ISAPI0214" not in server.log()


def test_stuck_worker_is_reported_with_its_stack(serve: Servers) -> None:
    server = serve(
        pool(
            """
        print("began", file=sys.stderr)
        self.wait_for_nothing()""",
            """
        worker_shutdown_wait = 500
        def wait_for_nothing(self):
            threading.Event().wait()""",
        ),
        "--grace",
        "1",
    )
    with server.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        server.wait_for_log("began")
        assert server.stop() == 0
    assert "ISAPI0214" in server.log() and "wait_for_nothing" in server.log()


def test_terminate_is_quick_when_nothing_runs(serve: Servers) -> None:
    server = serve(pool("pass"))
    server.get("/fine")
    assert server.stop(timeout=5) == 0


def test_dispatch_that_does_not_finish_leaves_the_request_to_others(serve: Servers) -> None:
    server = serve(
        pool(
            """
        if path == b"/begin":
            ecb.SendResponseHeaders("200 OK", "Content-Length: 9\\r\\n\\r\\n", 1)
            ecb.WriteClient("begin, ")
            waiting.append(ecb)
        else:
            waiting[0].WriteClient("go")
            waiting[0].DoneWithSession()
            reply(ecb)
            ecb.DoneWithSession()""",
            prelude="waiting = []",
        )
    )
    with server.connect() as connection:
        connection.sendall(b"GET /begin HTTP/1.1\r\nHost: x\r\n\r\n")
        assert receive_until(connection, b"begin, ").endswith(b"begin, ")
        assert server.get("/end").body == b"fine"
        assert receive_until(connection, b"go") == b"go"
