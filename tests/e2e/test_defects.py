"""Defects of the old package that must not come back: failures of the extension half and its reloads.

Each test is named after what is right; the number behind `D` is that of the defect in docs/compatibility.md.
Use after the end of a request (D2 to D4, D20, D25), the thread pool (D32 to D35) and data (D16, D24 to
D30, D43, D44) have files of their own.
"""

from __future__ import annotations

import http.client
import re
from pathlib import Path

import pytest
from conftest import Servers
from probe_client import Probe
from raising import simple
from server_process import ServerProcess

FAILURES = {
    "exception": "raise KeyError('reason')",
    "wrong type": "return 'text'",
    "none": "return None",
    "exit": "sys.exit(3)",
    "too large": "return 2**40",
    "too small": "return -2**40",
    "interrupt": "raise KeyboardInterrupt",
    "base": "raise BaseException('x')",
}


@pytest.mark.parametrize("body", FAILURES.values(), ids=FAILURES.keys())
def test_any_failure_is_a_500_and_the_server_goes_on(serve: Servers, body: str) -> None:
    """D5, D9, D13."""
    server = serve(simple(body))
    for _ in range(2):
        response = server.get("/")
        assert (response.status, response.reason) == (500, "Internal Server Error")
        assert server.get("/fine").body == b"fine"
    server.wait_for_log("ISAPI020[67]")
    assert "SystemError" not in server.log()


def test_failure_is_logged_with_status_500(serve: Servers, tmp_path: Path) -> None:
    """D5."""
    log = tmp_path / "access.log"
    server = serve(simple("raise KeyError('reason')"), "--access-log", str(log))
    server.get("/failing")
    assert server.stop() == 0
    assert [line for line in log.read_text("utf-8").splitlines() if "/failing" in line and " 500 " in line]


@pytest.mark.parametrize("failure", ["raise KeyError('secret')", "return None", "sys.exit()"])
def test_failure_after_the_headers_cuts_the_connection(serve: Servers, failure: str) -> None:
    """D6."""
    server = serve(
        simple(
            f"ecb.SendResponseHeaders('200 OK', 'Content-Length: 100\\r\\n\\r\\n', 1)\necb.WriteClient('begun')\n{failure}"
        )
    )
    with pytest.raises(http.client.IncompleteRead) as cut:
        server.get("/")
    assert cut.value.partial == b"begun"
    server.wait_for_log("ISAPI020[67]")
    assert server.get("/fine").body == b"fine"


def test_harmless_earlier_error_is_not_shown(serve: Servers) -> None:
    """D7."""
    server = serve(simple("ecb.GetServerVariable('NO_SUCH', None)\nraise KeyError('reason')"), "--debug")
    page = server.get("/").text
    server.wait_for_log("KeyError")
    assert not re.search(r"\b1413\b|Invalid index", page + server.log())


def test_slow_reader_of_an_answer_does_not_stop_other_threads(serve: Servers) -> None:
    """D8: the interpreter is free while a write blocks."""
    server = serve(
        simple(
            "ecb.SendResponseHeaders('200 OK', '\\r\\n')\nwhile True:\n    ecb.WriteClient(b'x' * 1000000)"
        )
    )
    with server.connect() as slow:
        slow.sendall(b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n")
        assert slow.recv(1)
        for _ in range(5):
            assert server.get("/fine").body == b"fine"


RELOADING = """
class Extension:
    answered = False

    def GetExtensionVersion(self, vi):
        pass

    def HttpExtensionProc(self, ecb):
        from isapi import InternalReloadException
        assert not self.terminated, "a terminated object was called"
        if ecb.QueryString == b"reload" and self.answered:
            raise InternalReloadException()
        self.answered = True
        ecb.SendResponseHeaders("200 OK", "Content-Type: text/plain\\r\\n\\r\\n")
        ecb.WriteClient("generation GENERATION")
        return 1

    terminated = False

    def TerminateExtension(self, status):
        self.terminated = True

    def __del__(self):
        import sys
        print("released GENERATION", file=sys.stderr)


def __ExtensionFactory__():
    return Extension()
"""

BROKEN = {
    "syntax": "def broken(:\n",
    "import": "import no_such_module_anywhere\n",
    "factory": "def __ExtensionFactory__():\n    raise KeyError('factory')\n",
    "missing": "del __ExtensionFactory__\n",
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN.keys())
def test_failed_reload_is_a_500_until_the_script_is_repaired(serve: Servers, broken: str) -> None:
    """D10."""
    server = serve(RELOADING.replace("GENERATION", "1"))
    assert server.get("/").body == b"generation 1"
    rewrite(serve, broken)
    assert server.get("/?reload").status == 500
    assert server.get("/").status == 500
    server.wait_for_log("ISAPI0209")
    rewrite(serve, RELOADING.replace("GENERATION", "2"))
    assert server.get("/").body == b"generation 2"
    assert "terminated object was called" not in server.log()


def rewrite(serve: Servers, text: str) -> None:
    """Change the script; its length changes, so no cached byte code can match."""
    path = serve.directory / "script.py"
    path.write_text(text + "#" * (path.stat().st_size % 97 + 1), encoding="utf-8")


def test_reload_releases_the_old_handler(serve: Servers) -> None:
    """D11."""
    server = serve(RELOADING.replace("GENERATION", "1"))
    server.get("/")
    rewrite(serve, RELOADING.replace("GENERATION", "2"))
    assert server.get("/?reload").body == b"generation 2"
    server.wait_for_log("released 1")


def test_second_reload_in_one_request_is_an_error(serve: Servers) -> None:
    server = serve(simple("raise InternalReloadException('again and again')"))
    assert server.get("/").status == 500
    assert server.get("/fine").body == b"fine"
    assert server.get("/").status == 500


@pytest.mark.parametrize("query", ["", "?fail"])
def test_requests_do_not_leak(serve: Servers, query: str) -> None:
    """D12, D48: neither answered nor failed requests leave blocks behind."""
    server = serve(
        simple("""
        if path == b"/blocks":
            import gc
            gc.collect()
            reply(ecb, str(sys.getallocatedblocks()))
        elif query:
            raise KeyError("leak?")
        else:
            reply(ecb, ecb.GetServerVariable("URL").decode())
            ecb.DoneWithSession()
        return 1"""),
        "--threads",
        "1",
    )

    def blocks_after_requests() -> int:
        for _ in range(300):
            server.get("/x" + query)
        return int(server.get("/blocks").text)

    blocks_after_requests()
    first = blocks_after_requests()
    assert blocks_after_requests() - first < 300


def test_missing_method_is_named_once(serve: Servers) -> None:
    """D14."""
    server = serve(
        "class E:\n    def GetExtensionVersion(self, vi): pass\n\ndef __ExtensionFactory__():\n    return E()\n"
    )
    assert server.get("/").status == 500
    server.wait_for_log("ISAPI0204.*HttpExtensionProc")
    assert (
        len([line for line in server.log().splitlines() if "ISAPI0" in line and "HttpExtensionProc" in line])
        == 1
    )


def test_interrupt_handler_of_python_is_not_installed(probe: Probe) -> None:
    """D18."""
    assert (
        probe.value("import signal\nsignal.getsignal(signal.SIGINT) is signal.default_int_handler") is False
    )


def test_traceback_goes_to_the_log_whole(serve: Servers) -> None:
    """D23."""
    server = serve(simple("self.deeper()", "def deeper(self):\n    raise ValueError('from below')"))
    server.get("/")
    server.wait_for_log("ValueError: from below")
    log = server.log()
    assert "Traceback (most recent call last)" in log and "in deeper" in log and "script.py" in log


def test_last_traceback_is_not_kept(serve: Servers) -> None:
    """D48."""
    server = serve(
        simple(
            "if query:\n    raise KeyError('kept?')\nreply(ecb, str(hasattr(sys, 'last_traceback')))\nreturn 1"
        )
    )
    server.get("/?fail")
    assert server.get("/").body == b"False"


def test_each_version_method_failure_refuses_the_script(serve: Servers, tmp_path: Path) -> None:
    """The description set before the failure does no harm, and the other script is served."""
    folder = tmp_path / "both"
    folder.mkdir()
    (folder / "good.py").write_text(simple("reply(ecb)\nreturn 1"), encoding="utf-8")
    failing = (
        "def GetExtensionVersion(self, vi):\n    vi.ExtensionDesc = 'x' * 255\n    raise KeyError('version')"
    )
    (folder / "bad.py").write_text(simple("return 1", failing), encoding="utf-8")
    server: ServerProcess = serve(folder)
    assert (server.get("/bad").status, server.get("/good").body) == (500, b"fine")
    server.wait_for_log("ISAPI0205")
