"""The program's life: stopped by signals, scripts that change, logs, starts that cannot succeed, mounts."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Servers
from raising import pool, simple
from server_process import receive_all, wait_until

Run = Callable[..., "subprocess.CompletedProcess[str]"]

SLOW = "print('began', file=sys.stderr)\ntime.sleep(0.5)\nreply(ecb, 'in the end')\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
@pytest.mark.parametrize(
    "script", [simple(SLOW + "return 1"), pool(SLOW + "ecb.DoneWithSession()")], ids=["simple", "pool"]
)
def test_stop_drains_a_running_request(serve: Servers, script: str, number: signal.Signals) -> None:
    server = serve(script)
    with server.connect() as connection:
        connection.sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        server.wait_for_log("began")
        assert server.stop(number) == 0
        assert receive_all(connection).endswith(b"\r\n\r\nin the end")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_stop_of_an_idle_server_is_quick_and_status_0(serve: Servers, number: signal.Signals) -> None:
    server = serve(simple("return 1"))
    with server.connect():
        assert server.stop(number, timeout=5) == 0
    assert "Traceback" not in server.log()


def test_stop_calls_terminate_once_with_must_unload(serve: Servers) -> None:
    server = serve(
        simple(
            "return 1",
            "def TerminateExtension(self, status):\n    print('terminated with', status, file=sys.stderr)",
        )
    )
    assert server.stop() == 0
    assert re.findall(r"terminated with (\d)", server.log()) == ["2"]


def test_stopping_server_takes_no_new_connection(serve: Servers) -> None:
    server = serve(simple(SLOW.replace("0.5", "1") + "return 1"))
    with server.connect() as connection:
        connection.sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        server.wait_for_log("began")
        server.send_signal(signal.SIGTERM)
        wait_until(lambda: refuses(server.host, server.port), "connections are refused")
        assert server.wait() == 0


def refuses(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), 1) as connection:
            connection.sendall(b"GET /fine HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            return not receive_all(connection)
    except OSError:
        return True


def test_second_interrupt_ends_at_once(serve: Servers) -> None:
    """The status says nothing here; what counts is that a person can get out."""
    script = simple("print('began', file=sys.stderr)\nthreading.Event().wait(60)\nreturn 1")
    server = serve(script, "--grace", "60")
    with server.connect() as connection:
        connection.sendall(b"GET /stuck HTTP/1.1\r\nHost: x\r\n\r\n")
        server.wait_for_log("began")
        server.send_signal(signal.SIGINT)
        wait_until(lambda: refuses(server.host, server.port), "connections are refused")
        server.send_signal(signal.SIGINT)
        server.wait(10)
    serve.started.remove(server)


def test_reload_serves_the_changed_script_without_refusing_anyone(serve: Servers) -> None:
    server = serve(simple("reply(ecb, 'before')\nreturn 1"), "--reload")
    assert server.get("/").body == b"before"
    seen: list[bytes] = []
    failures: list[Exception] = []
    enough = threading.Event()

    def ask() -> None:
        while not enough.is_set():
            try:
                seen.append(server.get("/").body)
            except Exception as error:  # whatever it is, it is one too many
                failures.append(error)
                return

    client = threading.Thread(target=ask)
    client.start()
    (serve.directory / "script.py").write_text(simple("reply(ecb, 'changed')\nreturn 1"), encoding="utf-8")
    try:
        wait_until(lambda: b"changed" in seen or bool(failures), "the changed script answers", 20)
    finally:
        enough.set()
        client.join()
    assert not failures and set(seen) <= {b"before", b"changed"}


def test_reload_of_a_broken_script_says_so_and_recovers(serve: Servers) -> None:
    server = serve(simple("reply(ecb, 'before')\nreturn 1"), "--reload")
    assert server.get("/").body == b"before"
    path = serve.directory / "script.py"
    path.write_text("def broken(:\n", encoding="utf-8")
    server.wait_for_log(r"the server has ended \(exit status: 1\)", 20)
    assert "SyntaxError" in server.log()
    # Nobody is left waiting meanwhile.
    assert server.get("/").status == 503
    path.write_text(simple("reply(ecb, 'repaired')\nreturn 1"), encoding="utf-8")
    wait_until(lambda: server.get("/").body == b"repaired", "the repaired script answers", 20)


# Logs


def test_json_log_is_one_object_for_each_line(serve: Servers) -> None:
    server = serve(simple("raise KeyError('reason')"), "--log-format", "json")
    server.get("/")
    server.wait_for_log("ISAPI0206")
    assert server.stop() == 0
    records = [json.loads(line) for line in server.log().splitlines()]
    assert records and all({"timestamp", "level"} <= record.keys() for record in records)
    assert [record for record in records if "ISAPI0305" in record.get("message", "")]
    [failure] = [record for record in records if record.get("message", "").startswith("ISAPI0206")]
    assert failure["level"] == "ERROR" and failure["message"].endswith("KeyError: 'reason'")


def test_access_log_has_w3c_lines(serve: Servers, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    server = serve(simple("reply(ecb, 'x', '404 Not There')\nreturn 1"), "--access-log", str(log))
    server.get("/a%20b?c=d", {"User-Agent": "agent/1 (of test)"})
    server.get("/plain")
    assert server.stop() == 0
    lines = log.read_text("utf-8").splitlines()
    fields = next(line for line in lines if line.startswith("#Fields:")).split(" ")[1:]
    rows = [dict(zip(fields, line.split(" "), strict=True)) for line in lines if not line.startswith("#")]
    assert [row["cs-method"] for row in rows] == ["GET", "GET"]
    assert [row["sc-status"] for row in rows] == ["404", "404"]
    assert [row["cs-uri-query"] for row in rows] == ["c=d", "-"]
    assert rows[1]["cs-uri-stem"] == "/plain" and rows[0]["cs-uri-stem"].startswith("/a")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", rows[0]["date"]) and re.fullmatch(
        r"\d\d:\d\d:\d\d(\.\d+)?", rows[0]["time"]
    )


def test_access_log_cannot_be_forged(serve: Servers, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    server = serve(
        simple("ecb.LogData = 'data\\r\\n2000-01-01 00:00:00 forged'\nreply(ecb)\nreturn 1"),
        "--access-log",
        str(log),
    )
    server.get("/%0d%0a2000-01-01%20forged")
    assert server.stop() == 0
    assert not [line for line in log.read_text("utf-8").splitlines() if line.startswith("2000-01-01")]


def test_access_log_may_go_to_standard_output(serve: Servers) -> None:
    server = serve(simple("return 1"), "--access-log", "-")
    server.get("/seen")
    assert server.stop() == 0
    assert " /seen " in server.output()


# Starts that cannot succeed


def test_port_in_use_is_said_clearly(serve: Servers, run_serve: Run) -> None:
    path = serve.place(simple("return 1"))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = run_serve(str(path), "--port", str(port))
    assert ended.returncode != 0 and "http://" not in ended.stdout
    assert str(port) in ended.stderr and "in use" in ended.stderr and "Traceback" not in ended.stderr


@pytest.mark.parametrize("name", ["no_such_script.py", "no/such/folder/script.py", "no_such_folder/"])
def test_script_not_found_is_said_clearly(run_serve: Run, name: str) -> None:
    ended = run_serve(name, "--port", "0")
    assert ended.returncode != 0 and "http://" not in ended.stdout
    assert (
        name.strip("/") in ended.stderr and "Traceback" not in ended.stderr and "panicked" not in ended.stderr
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ["--port", "70000"],
        ["--port", "x"],
        ["--threads", "-1"],
        ["--threads", "0"],
        ["--log-format", "xml"],
        ["--no-such-option"],
    ],
)
def test_wrong_arguments_are_refused(serve: Servers, run_serve: Run, arguments: list[str]) -> None:
    ended = run_serve(str(serve.place(simple("return 1"))), *arguments)
    assert ended.returncode == 2 and any(word in ended.stderr for word in arguments)


# What is served


def folder_of(tmp_path: Path, **scripts: str) -> Path:
    folder = tmp_path / "site"
    (folder / "static").mkdir(parents=True)
    (folder / "static" / "page.html").write_text("<p>static</p>", encoding="utf-8")
    for name, text in scripts.items():
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
    return folder


SHOW = simple(
    "reply(ecb, ' '.join(ecb.GetServerVariable(n).decode() for n in ('SCRIPT_NAME', 'PATH_INFO')))\nreturn 1"
)


def test_folder_mounts_each_script_and_serves_the_rest(serve: Servers, tmp_path: Path) -> None:
    server = serve(folder_of(tmp_path, one=SHOW, two=SHOW, library="value = 1\n"))
    assert server.get("/one/a/b").status == 200 and server.get("/one/a/b").text.endswith("/one/a/b")
    assert server.get("/two").status == 200
    assert server.get("/library").status == 404
    page = server.get("/page.html")
    assert (page.status, page.body, page.headers.get_content_type()) == (200, b"<p>static</p>", "text/html")
    assert server.get("/nothing.html").status == 404


def test_source_of_a_script_is_not_served(serve: Servers, tmp_path: Path) -> None:
    server = serve(folder_of(tmp_path, one=SHOW))
    for path in ("/one.py", "/_one.so", "/_one.cfg", "/static/../one.py", "/../one.py"):
        assert b"ExtensionFactory" not in server.raw(
            f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
        )


def test_folder_with_one_broken_script_serves_the_others(serve: Servers, tmp_path: Path) -> None:
    server = serve(folder_of(tmp_path, good=SHOW, broken="def __ExtensionFactory__(:\n    pass\n"))
    assert server.get("/broken").status == 500
    assert server.get("/good").status == 200
    server.wait_for_log("ISAPI0201[\\s\\S]*SyntaxError")


def test_mount_adds_a_script_below_a_prefix(serve: Servers, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere" / "other.py"
    other.parent.mkdir()
    other.write_text(simple("reply(ecb, 'other')\nreturn 1"), encoding="utf-8")
    server = serve(simple("reply(ecb, 'main')\nreturn 1"), "--mount", f"/deep/other={other}")
    assert server.get("/deep/other/x").body == b"other"
    assert server.get("/deep").body == b"main"


def test_single_script_gets_every_url(serve: Servers) -> None:
    server = serve(SHOW)
    for path in ("/", "/a", "/a/b.html", "/static/page.html"):
        assert server.get(path).text == f"{path} {path}"


def test_address_printed_is_the_one_asked_for(serve: Servers) -> None:
    server = serve(simple("reply(ecb)\nreturn 1"), "--host", "127.0.0.2")
    assert server.host == "127.0.0.2" and server.get("/").body == b"fine"


@pytest.mark.skipif(sys.platform == "win32", reason="asks /proc")
def test_stopped_server_leaves_no_process_behind(serve: Servers) -> None:
    server = serve(simple("reply(ecb, str(os.getpid()))\nreturn 1"))
    worker = int(server.get("/").text)
    assert server.stop() == 0
    wait_until(lambda: not os.path.exists(f"/proc/{worker}"), "the process that ran the script is gone")
