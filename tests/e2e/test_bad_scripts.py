"""Scripts that cannot be served or misbehave: the right code in the log, a 500, a server that goes on."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Servers
from raising import pool, simple
from server_process import receive_until

HANDLER = """
class Extension:
    def GetExtensionVersion(self, vi):
        {version}

    def HttpExtensionProc(self, ecb):
        return 1

    def TerminateExtension(self, status):
        {terminate}


def __ExtensionFactory__():
    return Extension()
"""


def handler(version: str = "pass", terminate: str = "pass") -> str:
    return HANDLER.format(version=version, terminate=terminate)


UNLOADABLE = {
    "syntax error": ("def broken(:\n", "ISAPI0201"),
    "missing import": ("import no_such_module_anywhere\n", "ISAPI0201"),
    "raises on import": ("raise ValueError('at import')\n", "ISAPI0201"),
    "exits on import": ("import sys\nsys.exit(3)\n", "ISAPI0201"),
    "no factory": ("def factory():\n    pass\n", "ISAPI0202"),
    "factory raises": ("def __ExtensionFactory__():\n    raise ValueError('in the factory')\n", "ISAPI0203"),
    "factory is no function": ("__ExtensionFactory__ = 5\n", "ISAPI0203"),
    "factory wants arguments": ("def __ExtensionFactory__(server):\n    pass\n", "ISAPI0203"),
    "factory gives nothing": ("def __ExtensionFactory__():\n    pass\n", "ISAPI0204"),
    "version raises": (handler("raise ValueError('in the version method')"), "ISAPI0205"),
    "version exits": (handler("raise SystemExit(0)"), "ISAPI0205"),
    "version of a wrong type": (handler("return 'yes'"), "ISAPI0205"),
    "version refuses": (handler("return False"), "ISAPI0303"),
    "version returns zero": (handler("return 0"), "ISAPI0303"),
}


@pytest.mark.parametrize(("script", "code"), UNLOADABLE.values(), ids=UNLOADABLE.keys())
def test_single_script_that_cannot_be_loaded_ends_the_program(
    serve: Servers,
    run_serve: Callable[..., subprocess.CompletedProcess[str]],
    script: str,
    code: str,
) -> None:
    path = serve.place(script)
    ended = run_serve(str(path), "--port", "0")
    assert ended.returncode == 1
    assert "script" in ended.stderr and code in ended.stderr
    assert "http://" not in ended.stdout
    if "raise ValueError" in script:
        assert "Traceback" in ended.stderr and "ValueError: " in ended.stderr


def test_folder_serves_the_others_when_some_cannot_be_loaded(serve: Servers, tmp_path: Path) -> None:
    folder = tmp_path / "all"
    folder.mkdir()
    (folder / "good.py").write_text(simple("reply(ecb)\nreturn 1"), encoding="utf-8")
    # What defines no factory is no script; the rest is mounted and answers 500.
    bad = {
        f"bad{number}": script
        for number, (script, _) in enumerate(UNLOADABLE.values())
        if "Factory" in script
    }
    for name, script in bad.items():
        (folder / f"{name}.py").write_text(script, encoding="utf-8")
    server = serve(folder)
    assert server.get("/good").body == b"fine"
    assert {name: server.get(f"/{name}").status for name in bad} == dict.fromkeys(bad, 500)
    for code in ("ISAPI0203", "ISAPI0204", "ISAPI0205"):
        server.wait_for_log(code)
    assert server.get("/good").body == b"fine"


FAILING = {
    "raises": ("raise ValueError('reason')", "ISAPI0206"),
    "exits": ("sys.exit(0)", "ISAPI0206"),
    "recurses": ("def again(): again()\nagain()", "ISAPI0206"),
    "not an object's": ("no_such_name", "ISAPI0206"),
    "returns nothing": ("pass", "ISAPI0207"),
    "returns text": ("return '1'", "ISAPI0207"),
    "returns a fraction": ("return 1.0", "ISAPI0207"),
    "returns too much": ("return 2**31", "ISAPI0207"),
    "returns an unknown status": ("return 77", "ISAPI0304"),
    "returns minus one": ("return -1", "ISAPI0304"),
}


@pytest.mark.parametrize(("body", "code"), FAILING.values(), ids=FAILING.keys())
def test_failing_request_is_a_500_with_its_code_in_the_log(serve: Servers, body: str, code: str) -> None:
    server = serve(simple(body))
    assert server.get("/").status == 500
    server.wait_for_log(code)
    assert server.get("/fine").body == b"fine"
    assert server.stop() == 0


def test_reference_of_the_page_is_that_of_the_log(serve: Servers) -> None:
    server = serve(simple("raise ValueError('reason')"))
    pages = [server.get("/").text for _ in range(3)]
    references = {match.group() for page in pages if (match := re.search(r"\b[0-9a-f]{12}\b", page))}
    assert len(references) == 3, pages
    for reference in references:
        server.wait_for_log(rf"ISAPI0206 \[{reference}\]")


def test_terminate_that_raises_is_logged_and_the_stop_goes_on(serve: Servers) -> None:
    server = serve(handler(terminate="raise ValueError('at the end')"))
    server.get("/")
    assert server.stop() == 0
    assert "ISAPI0208" in server.log() and "ValueError: at the end" in server.log()


def test_request_that_is_never_answered_does_not_stop_others(serve: Servers) -> None:
    server = serve(simple("self.kept = ecb\nprint('began', file=sys.stderr)\nreturn 3"), "--grace", "1")
    with server.connect() as waiting:
        waiting.sendall(b"GET /never HTTP/1.1\r\nHost: x\r\n\r\n")
        server.wait_for_log("began")
        for _ in range(5):
            assert server.get("/fine").body == b"fine"
        assert server.stop() == 0
    assert "ISAPI0309" in server.log()


def test_handlers_that_never_return_do_not_stop_others(serve: Servers) -> None:
    server = serve(
        simple("print('began', path, file=sys.stderr)\nthreading.Event().wait(30)\nreturn 1"), "--grace", "1"
    )
    connections = [server.connect() for _ in range(3)]
    for number, connection in enumerate(connections):
        connection.sendall(f"GET /stuck{number} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        server.wait_for_log(f"began b'/stuck{number}'")
        assert server.get("/fine").body == b"fine"
    assert server.stop() == 0
    for connection in connections:
        connection.close()
    assert "ISAPI0309" in server.log()


def test_second_answer_is_refused_and_logged(serve: Servers) -> None:
    server = serve(
        simple("""
        reply(ecb, "first")
        try:
            reply(ecb, "second")
        except isapi.ExtensionError as error:
            print("refused with", error.errno, file=sys.stderr)
        return 1""")
    )
    with server.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET /fine HTTP/1.1\r\nHost: x\r\n\r\n")
        received = receive_until(connection, b"fine")
    assert received.count(b"HTTP/1.1 200") == 2 and b"second" not in received
    server.wait_for_log("ISAPI0311")


# Nothing that a client sends comes back as markup

MARKUP = "<script>alert(1)</script>"


@pytest.mark.parametrize("debug", [(), ("--debug",)], ids=["quiet", "debug"])
@pytest.mark.parametrize("script", [simple, pool], ids=["simple", "pool"])
def test_error_page_escapes_what_the_client_sent(
    serve: Servers, script: Callable[..., str], debug: tuple[str, ...]
) -> None:
    server = serve(
        script("""
        values = [ecb.GetServerVariable(name, b"") for name in ("HTTP_X_MARKUP", "PATH_INFO", "QUERY_STRING", "HTTP_URL")]
        raise ValueError(b" ".join(values).decode("latin-1"))"""),
        *debug,
    )
    for path in (f"/{MARKUP}?{MARKUP}", "/%3Cscript%3Ealert(1)%3C/script%3E?%3Cscript%3E"):
        response = server.request(
            "GET", path, None, {"X-Markup": MARKUP, "User-Agent": MARKUP, "Referer": MARKUP}
        )
        assert response.status in (400, 500)
        assert b"<script" not in response.body.lower()
    assert (b"alert(1)" in response.body) is bool(debug)


@pytest.mark.parametrize(
    "request_line",
    [f"GET /{MARKUP} HTTP/1.1", f"{MARKUP} / HTTP/1.1", f"GET / {MARKUP}", f"GET /missing?{MARKUP} HTTP/1.1"],
)
def test_refused_request_escapes_what_the_client_sent(
    serve: Servers, tmp_path: Path, request_line: str
) -> None:
    folder = tmp_path / "empty"
    (folder / "static").mkdir(parents=True)
    (folder / "app.py").write_text(simple("return 1"), encoding="utf-8")
    server = serve(folder)
    answer = server.raw(
        f"{request_line}\r\nHost: {MARKUP}\r\nX-Markup: {MARKUP}\r\nConnection: close\r\n\r\n".encode()
    )
    assert answer.startswith(b"HTTP/1.") and b"<script" not in answer.lower()
