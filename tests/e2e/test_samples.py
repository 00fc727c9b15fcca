"""The samples work as their docstrings say, all of them served from one folder, as their README shows it."""

from __future__ import annotations

import hashlib
import html
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import Servers
from server_process import ServerProcess, receive_until

SAMPLES = Path(__file__).parents[2] / "samples"
NAMES = sorted(path.stem for path in SAMPLES.glob("*.py"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy the samples, because the server puts libraries beside them."""
    target = tmp_path_factory.mktemp("samples") / "samples"
    return Path(shutil.copytree(SAMPLES, target, ignore=shutil.ignore_patterns("_*", "__pycache__")))


@pytest.fixture(scope="module")
def samples(serve_module: Servers, folder: Path) -> ServerProcess:
    return serve_module(folder)


def test_readme_names_every_sample() -> None:
    text = (SAMPLES / "README.md").read_text("utf-8")
    assert [name for name in NAMES if f"`{name}.py`" not in text] == []


@pytest.mark.parametrize("name", NAMES)
def test_sample_is_mounted_under_its_name(samples: ServerProcess, name: str) -> None:
    response = samples.get(f"/{name}/?seconds=0&count=1&interval=0")
    assert response.status == 200, response.body
    assert response.body


@pytest.mark.parametrize("name", NAMES)
def test_sample_can_be_imported_without_a_server(folder: Path, name: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-B", "-W", "error", "-c", f"import {name}"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr


def test_page_of_the_folder_links_to_every_sample(samples: ServerProcess) -> None:
    page = samples.get("/").text
    assert [name for name in NAMES if f'"/{name}/' not in page] == []


def test_hello(samples: ServerProcess) -> None:
    assert samples.get("/hello/").body == b"Hello from Python.\n"


REDIRECTORS = [name for name in NAMES if name.startswith("redirector")]


@pytest.mark.parametrize("name", REDIRECTORS)
def test_redirector_without_a_target_shows_the_servers_own_pages(
    samples: ServerProcess, folder: Path, name: str
) -> None:
    response = samples.get(f"/{name}/")
    assert (response.status, response.body) == (200, (folder / "static" / "index.html").read_bytes())
    assert samples.get(f"/{name}/hello/x?y").body == samples.get("/hello/").body
    assert samples.get(f"/{name}/not/there").status == 404


@pytest.mark.parametrize("name", REDIRECTORS)
def test_redirector_as_the_whole_site_does_not_ask_itself(serve: Servers, folder: Path, name: str) -> None:
    for script in REDIRECTORS:
        serve.place(folder / f"{script}.py")
    server = serve(folder / f"{name}.py")
    assert server.get("/").status == 502
    server.wait_for_log("set REDIRECTOR_TARGET")


@pytest.mark.parametrize("name", REDIRECTORS)
def test_redirector_to_a_site_that_does_not_answer_is_a_502(serve: Servers, folder: Path, name: str) -> None:
    # Nothing listens on port 1.
    server = serve(folder, variables={"REDIRECTOR_TARGET": "http://127.0.0.1:1"})
    assert server.get(f"/{name}/").status == 502
    assert server.get("/hello/").status == 200
    server.wait_for_log("http://127.0.0.1:1 does not answer")


def test_exec_url_has_the_rest_of_the_site_answer(samples: ServerProcess, folder: Path) -> None:
    page = (folder / "static" / "index.html").read_bytes()
    assert samples.get("/exec_url/").body == page
    assert samples.get("/exec_url/hello/x?y").body == samples.get("/hello/").body
    assert samples.get("/exec_url/not/there").status == 404
    assert samples.get("/exec_url/hello/x.bak").status == 403
    body = b"0123456789" * 20_000
    response = samples.request("POST", "/exec_url/upload/", body)
    assert response.text == f"size {len(body)}\nsha256 {hashlib.sha256(body).hexdigest()}\n"
    # Its own handler is passed by, so nothing answers here.
    assert samples.get("/exec_url/exec_url/").status == 404
    samples.wait_for_log("exec_url: /exec_url/not/there was answered with 404.0, error 0")


def test_exec_url_as_the_whole_site_stands_before_files(serve: Servers, folder: Path) -> None:
    server = serve(folder / "exec_url.py", "--root", str(folder / "static"))
    page = (folder / "static" / "index.html").read_bytes()
    assert server.get("/").body == page
    response = server.request("GET", "/index.html", headers={"Range": "bytes=0-14"})
    assert (response.status, response.body) == (206, page[:15])
    assert server.get("/none").status == 404
    assert server.get("/index.html~").status == 403
    assert server.request("POST", "/index.html", b"body").status == 405


def test_thread_pool_works_for_the_time_asked(samples: ServerProcess) -> None:
    assert samples.get("/thread_pool/?seconds=0.05").body.endswith(b" worked for 0.05 s.\n")


@pytest.mark.parametrize("size", [0, 1, 49152, 5_000_000])
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_upload_measures_what_arrived(samples: ServerProcess, method: str, size: int) -> None:
    body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    response = samples.request(method, "/upload/", body)
    assert response.text == f"size {size}\nsha256 {hashlib.sha256(body).hexdigest()}\n"


def test_upload_measures_a_chunked_body(samples: ServerProcess) -> None:
    body = b"0123456789" * 50_000
    response = samples.request(
        "PUT", "/upload/", (body[start : start + 9999] for start in range(0, len(body), 9999))
    )
    assert response.text == f"size {len(body)}\nsha256 {hashlib.sha256(body).hexdigest()}\n"


def test_form_shows_itself_and_says_what_came(samples: ServerProcess) -> None:
    assert b'enctype="multipart/form-data"' in samples.get("/form/").body
    files = {"tiny": b"\0", "large & <b>": bytes(range(256)) * 4000}
    parts = [b'name="name"\r\n\r\n' + "Zoë <i>".encode()]
    parts += [f'name="file"; filename="{name}"\r\n\r\n'.encode() + data for name, data in files.items()]
    body = b"".join(b"--x\r\nContent-Disposition: form-data; " + part + b"\r\n" for part in parts)
    answer = samples.request(
        "POST", "/form/", body + b"--x--\r\n", {"Content-Type": "multipart/form-data; boundary=x"}
    )
    lines = ["<p>Hello Zoë &lt;i&gt;.</p>"]
    for name, data in files.items():
        digest = hashlib.sha256(data).hexdigest()
        lines.append(f"<p>{html.escape(name)}: {len(data)} bytes, SHA-256 {digest}</p>")
    assert answer.status == 200 and answer.text.splitlines()[2:] == lines


@pytest.mark.parametrize(
    ("status", "body", "content_type"),
    [
        (400, b"nonsense", "multipart/form-data; boundary=x"),
        (413, b"name=" + b"x" * 10_001, "application/x-www-form-urlencoded"),
        (415, b"{}", "application/json"),
    ],
)
def test_form_refuses_what_is_none(
    samples: ServerProcess, status: int, body: bytes, content_type: str
) -> None:
    answer = samples.request("POST", "/form/", body, {"Content-Type": content_type})
    assert answer.status == status and "form" in answer.text


def test_transmit_file_sends_its_own_source(samples: ServerProcess, folder: Path) -> None:
    response = samples.get("/transmit_file/")
    assert response.body == (folder / "transmit_file.py").read_bytes()
    assert response.headers["Content-Length"] == str(len(response.body))


def test_transmit_file_sends_the_file_named(serve: Servers, folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "big"
    path.write_bytes(bytes(range(256)) * 40_000)
    server = serve(folder / "transmit_file.py", variables={"TRANSMIT_FILE": str(path)})
    assert server.get("/").body == path.read_bytes()


def test_events_come_one_by_one(samples: ServerProcess) -> None:
    with samples.connect() as connection:
        connection.sendall(b"GET /events/?count=60&interval=0.5 HTTP/1.1\r\nHost: x\r\n\r\n")
        received = receive_until(connection, b"id: 2\n")
    assert b"text/event-stream" in received and b"id: 3\n" not in received


def test_events_end_after_the_count_asked_for(samples: ServerProcess) -> None:
    text = samples.get("/events/?count=3&interval=0.01").text
    assert re.findall(r"^id: (\d+)$", text, re.MULTILINE) == ["1", "2", "3"]


def test_events_show_a_page_to_browsers(samples: ServerProcess) -> None:
    assert samples.get("/events/", {"Accept": "text/html,*/*"}).headers.get_content_type() == "text/html"


def test_event_stream_ends_when_the_server_stops(serve: Servers, folder: Path) -> None:
    server = serve(folder / "events.py", "--grace", "1")
    with server.connect() as connection:
        connection.sendall(b"GET /?count=60&interval=30 HTTP/1.1\r\nHost: x\r\n\r\n")
        receive_until(connection, b"id: 1\n")
        assert server.stop(timeout=10) == 0
    assert "ISAPI0214" not in server.log()


def test_auto_reload_shows_the_changed_greeting(serve: Servers, folder: Path) -> None:
    server = serve(folder / "auto_reload.py")
    path = serve.directory / "auto_reload.py"
    assert server.get("/").text == "Change this line and ask again.\nreloads 0\n"
    path.write_text(
        path.read_text("utf-8").replace(
            "Change this line and ask again.", "Changed, and longer than before."
        ),
        encoding="utf-8",
    )
    assert server.get("/").text == "Changed, and longer than before.\nreloads 1\n"
    assert server.get("/").text == "Changed, and longer than before.\nreloads 1\n"
