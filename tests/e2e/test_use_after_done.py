"""A control block whose request has ended: what would touch the server raises, and nothing crashes.

Ended means DoneWithSession was called, or HttpExtensionProc has returned anything but pending.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import Servers
from probe_client import Probe, Raised, Value
from raising import pool, simple

ATTRIBUTES = [
    "Method",
    "QueryString",
    "PathInfo",
    "PathTranslated",
    "AvailableData",
    "ContentType",
    "HttpStatusCode",
]
COPIED = {
    "Version": "int",
    "TotalBytes": "int",
    "AvailableBytes": "int",
    "softspace": "int",
    "ConnID": "int",
    "Done": "bool",
    "HeadersSent": "bool",
}
CALLS = [
    "WriteClient(b'late')",
    "write('late')",
    "WriteClient(b'late', 2)",
    "ReadClient()",
    "ReadClient(1)",
    "GetServerVariable('URL')",
    "GetServerVariable('URL', 'default')",
    "GetServerVariable('NO_SUCH')",
    "SendResponseHeaders('200 OK', '\\r\\n')",
    "Redirect('/')",
    "MapURLToPath('/')",
    "DoneWithSession()",
    "close()",
    "IsKeepConn()",
    "IsKeepAlive()",
    "GetImpersonationToken()",
    "GetAnonymousToken(b'/')",
    "SetFlushFlag(1)",
    "ExecURL(None, None, None, None, None, 0)",
    "GetExecURLStatus()",
    "IOCompletion(print)",
    "ReportUnhealthy()",
    "ReportUnhealthy('late')",
    "TransmitFile(print, None, 0, '', 0, 0, None, None, 0)",
    "VectorSend([b'late'], 1)",
    "VectorSend([b'late'], 2, None, None, print)",
    "AsyncReadClient(1, print)",
    "SendCustomError('404 Not Found')",
    "AppendLog('late')",
    "IsConnected()",
    "CloseConnection()",
]


@pytest.mark.parametrize("source", [f"ecb.{name}" for name in ATTRIBUTES + CALLS])
def test_use_after_done_raises(probe: Probe, source: str) -> None:
    outcome = probe.late(source)
    assert isinstance(outcome, Raised) and outcome.name == "RuntimeError", outcome


@pytest.mark.parametrize("source", [f"old.{name}" for name in ATTRIBUTES + CALLS])
def test_use_in_a_later_request_raises(probe: Probe, source: str) -> None:
    outcome = probe.kept(source)
    assert isinstance(outcome, Raised) and outcome.name == "RuntimeError", outcome


@pytest.mark.parametrize("call", CALLS)
def test_bound_method_kept_from_before_raises(probe: Probe, call: str) -> None:
    name, _, arguments = call.partition("(")
    assert probe.value(f"kept.update(method=ecb.{name})") is None
    outcome = probe.outcome(f"kept['method']({arguments}")
    assert isinstance(outcome, Raised) and outcome.name == "RuntimeError", outcome


@pytest.mark.parametrize(("name", "kind"), COPIED.items())
def test_copied_number_stays_readable(probe: Probe, name: str, kind: str) -> None:
    for outcome in (probe.late(f"ecb.{name}"), probe.kept(f"old.{name}")):
        assert isinstance(outcome, Value) and outcome.type == kind


@pytest.mark.parametrize("setting", ["HttpStatusCode = 404", "LogData = 'late'", "LogData = b'late'"])
def test_setting_after_done_raises(probe: Probe, setting: str) -> None:
    for outcome in (probe.late(f"ecb.{setting}\nNone"), probe.kept(f"old.{setting}\nNone")):
        assert isinstance(outcome, Raised) and outcome.name == "RuntimeError", outcome


def test_done_tells_that_the_request_has_ended(probe: Probe) -> None:
    assert probe.late("ecb.Done") == Value("bool", "True")
    assert probe.kept("old.Done") == Value("bool", "True")


def test_old_block_never_shows_the_next_request(probe: Probe) -> None:
    assert probe.value("kept.update(ecb=ecb)", query="?first") is None
    outcome = probe.outcome("(kept['ecb'] == ecb, kept['ecb'].QueryString)", query="?second")
    assert isinstance(outcome, Raised) and outcome.name == "RuntimeError"


def test_other_thread_may_be_late(probe: Probe) -> None:
    source = """
import threading
def use():
    for call in (lambda: ecb.WriteClient(b"late"), lambda: ecb.DoneWithSession(), lambda: ecb.PathInfo):
        try:
            results.append(call())
        except Exception as error:
            results.append(type(error).__name__)
results = []
thread = threading.Thread(target=use)
thread.start()
thread.join(5)
results"""
    assert probe.late(source) == Value("list", repr(["RuntimeError"] * 3))


def test_two_threads_that_finish_at_once_finish_once(probe: Probe) -> None:
    source = """
import threading
reply(ecb, "once")
results = []
def finish():
    barrier.wait()
    try:
        results.append(ecb.DoneWithSession())
    except RuntimeError:
        results.append("late")
barrier = threading.Barrier(8)
threads = [threading.Thread(target=finish) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join(5)
sorted(map(str, results))"""
    for _ in range(20):
        assert probe.send("pending", source).body == b"once"
        assert probe.last() == Value("list", repr(["None"] + ["late"] * 7))


# What fails after the answer is complete only goes to the log


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("reply(ecb)\necb.DoneWithSession()\nraise KeyError('after done')", "ISAPI0206"),
        ("reply(ecb)\necb.DoneWithSession()\nreturn 'after done'", "ISAPI0207"),
        ("reply(ecb)\necb.DoneWithSession()\nreturn None", "ISAPI0207"),
        ("reply(ecb)\necb.DoneWithSession()\nsys.exit(3)", "ISAPI0206"),
        ("reply(ecb)\necb.DoneWithSession()\necb.WriteClient('late')", "ISAPI0206"),
    ],
)
def test_failure_after_done_is_logged_and_the_answer_stays(serve: Servers, body: str, code: str) -> None:
    server = serve(simple(body))
    for _ in range(3):
        response = server.get("/")
        assert (response.status, response.body) == (200, b"fine")
    server.wait_for_log(code)
    assert server.get("/fine").body == b"fine"


@pytest.mark.parametrize(
    "body",
    [
        "reply(ecb)\necb.DoneWithSession()\nraise KeyError('after done')",
        "reply(ecb)\necb.DoneWithSession()\necb.WriteClient('late')",
    ],
)
def test_failure_of_dispatch_after_done_is_logged_and_the_answer_stays(serve: Servers, body: str) -> None:
    server = serve(pool(body))
    for _ in range(3):
        response = server.get("/")
        assert (response.status, response.body) == (200, b"fine")
    server.wait_for_log("ISAPI0211")
    assert server.get("/fine").body == b"fine"


def test_failing_transmit_callback_after_done_is_logged(serve: Servers, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"content")
    server = serve(
        simple(f"""
        descriptor = os.open({str(path)!r}, os.O_RDONLY)
        def sent(block, argument, count, error):
            block.DoneWithSession()
            raise KeyError("after done")
        ecb.TransmitFile(sent, None, descriptor, "200 OK", 0, 0, "Content-Type: text/plain\\r\\n\\r\\n", None, 2 | 8)
        return 3""")
    )
    assert server.get("/").body == b"content"
    server.wait_for_log("ISAPI0210")
    assert server.get("/fine").body == b"fine"


def test_failing_completion_callback_after_done_finishes_once(serve: Servers) -> None:
    server = serve(
        simple("""
        def written(block, argument, count, error):
            block.DoneWithSession()
            raise KeyError("after done")
        ecb.SendResponseHeaders("200 OK", "Content-Length: 4\\r\\n\\r\\n", 1)
        ecb.IOCompletion(written)
        ecb.WriteClient(b"text", isapicon.HSE_IO_ASYNC)
        return 3""")
    )
    for _ in range(5):
        assert server.get("/").body == b"text"
    server.wait_for_log("ISAPI0210")
    assert server.get("/fine").body == b"fine"
    assert "ISAPI0306" not in server.log()
