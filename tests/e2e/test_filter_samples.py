"""The sample filters work as their README says, before an extension that tells what it was given.

`body_replacer.py` has a file of its own, test_body_replacer.py.
"""

from __future__ import annotations

import base64
import concurrent.futures
import http.client
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from conftest import Servers
from foreign_process import Foreign
from server_process import CLIENT_TIMEOUT, Response, ServerProcess, receive_until, wait_until
from test_samples import SAMPLES

FILTERS = SAMPLES / "filters"

# Says which URL and headers it was given, as JSON; with the query X=Y its answer has a header X of its own.
TELLER = """
import json
from isapi.simple import SimpleExtension

class Extension(SimpleExtension):
    def HttpExtensionProc(self, ecb):
        name, _, value = ecb.QueryString.decode().partition("=")
        own = f"{name}: {value}\\r\\n" if value else ""
        names = ["HTTP_URL", "HTTP_AUTHENTICATEDUSER", "HTTP_AUTHORIZATION", "ALL_RAW"]
        values = [ecb.GetServerVariable(name, b"") for name in names]
        body = json.dumps({n: v.decode("latin-1") for n, v in zip(names, values)}).encode()
        ecb.SendResponseHeaders("200 OK", f"Content-Length: {len(body)}\\r\\n{own}\\r\\n", True)
        ecb.WriteClient(body)
        return 1

def __ExtensionFactory__():
    return Extension()
"""


def serve_filter(
    servers: Servers, name: str, *arguments: str, variables: Mapping[str, str] | None = None
) -> ServerProcess:
    """Serve the teller behind a sample filter."""
    script = servers.place(FILTERS / f"{name}.py", folder=name)
    return servers(TELLER, "--filter", str(script), *arguments, folder=name, variables=variables)


def told(answer: Response) -> dict[str, str]:
    """Return what the teller says."""
    assert answer.status == 200, answer.body
    given: dict[str, str] = json.loads(answer.body)
    return given


@pytest.mark.parametrize("name", sorted(path.stem for path in FILTERS.glob("*.py")))
def test_readme_names_the_filter_and_it_needs_no_server_to_be_imported(name: str) -> None:
    assert f"## `{name}.py`" in (FILTERS / "README.md").read_text("utf-8")
    ended = subprocess.run(
        [sys.executable, "-B", "-W", "error", "-c", f"import {name}"],
        cwd=FILTERS,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr


# redirector_with_filter.py


@pytest.fixture(scope="module")
def mirrored(serve_module: Servers) -> ServerProcess:
    """Serve the redirector with its filter where it expects to be, with the teller as the other site."""
    site = serve_module(TELLER, folder="site")
    for name in ("redirector", "redirector_with_filter"):
        script = serve_module.place(SAMPLES / f"{name}.py", folder="mirror")
    return serve_module(
        TELLER,
        "--mount",
        f"/redirector_with_filter={script}",
        folder="mirror",
        variables={"REDIRECTOR_TARGET": f"http://{site.host}:{site.port}"},
    )


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        ("/mirror", "/"),
        ("/mirror?a=b", "/?a=b"),
        ("/mirror/", "/"),
        ("/mirror/a%2Fb/c?d=%26", "/a%2Fb/c?d=%26"),
        ("/mirror/mirror/x", "/mirror/x"),
    ],
)
def test_url_below_mirror_is_the_other_sites(mirrored: ServerProcess, url: str, asked: str) -> None:
    given = told(mirrored.get(url, {"X-Sent": "yes"}))
    assert given["HTTP_URL"] == asked and "X-Sent: yes" in given["ALL_RAW"]


@pytest.mark.parametrize("url", ["/mirrored", "/other/mirror/", "/MIRROR/x"])
def test_other_urls_stay_here(mirrored: ServerProcess, url: str) -> None:
    assert told(mirrored.get(url))["HTTP_URL"] == url


def test_connection_counts_its_own_rewritten_urls(mirrored: ServerProcess) -> None:
    with mirrored.connect() as idle:
        connection = http.client.HTTPConnection(mirrored.host, mirrored.port, timeout=CLIENT_TIMEOUT)
        for url in ["/mirror/1", "/here", "/mirror/2", "/mirror/3", "/mirror/4", "/mirror/5", "/mirror/6"]:
            connection.request("GET", url)
            told(Response.receive(connection.getresponse()))
        connection.close()
        mirrored.wait_for_log("URLs rewritten: 6$")
        idle.sendall(b"GET /mirror/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        receive_until(idle, b"}")
    mirrored.wait_for_log("URLs rewritten: 1$")


# url_rewriter.py

RULES = r"""
# a comment
/plain              /target
/sum/(\d+)/(?P<b>\d+)   /target/\g<b>/\1
/query              /target?own=1
/moved/(.*)         /\1             301
/away               https://example.org/there   307
(?i)/either         /first
/either             /second
"""


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("rules") / "rules.txt"
    path.write_text(RULES, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def rewriting(serve_module: Servers, rules: Path) -> ServerProcess:
    return serve_filter(serve_module, "url_rewriter", variables={"URL_REWRITER_RULES": str(rules)})


@pytest.mark.parametrize(
    ("url", "becomes"),
    [
        ("/plain", "/target"),
        ("/plain?a=b%20c", "/target?a=b%20c"),
        ("/sum/1/22", "/target/22/1"),
        ("/query?client=2", "/target?own=1"),
        ("/EITHER", "/first"),
        ("/either", "/first"),
        ("/plain/more", "/plain/more"),
        ("/sum/1/x", "/sum/1/x"),
    ],
)
def test_first_rule_that_fits_the_whole_path_counts(rewriting: ServerProcess, url: str, becomes: str) -> None:
    assert told(rewriting.get(url))["HTTP_URL"] == becomes


@pytest.mark.parametrize(
    ("url", "status", "location"),
    [
        ("/moved/a%20b?c=d", 301, "/a%20b?c=d"),
        ("/away", 307, "https://example.org/there"),
        # Not to another host, and not into another header.
        ("/moved//evil.example/", 301, "/evil.example/"),
        ("/moved/%0d%0aX-Evil:1", 301, "/%0d%0aX-Evil:1"),
    ],
)
def test_rule_with_a_status_redirects(rewriting: ServerProcess, url: str, status: int, location: str) -> None:
    answer = rewriting.get(url)
    assert (answer.status, answer.headers["Location"]) == (status, location)
    assert "X-Evil" not in answer.headers


@pytest.mark.parametrize("url", [b"/moved/\\evil.example/", b"/moved//\\evil.example", b"/moved/\tx"])
def test_redirect_never_leads_to_another_host(rewriting: ServerProcess, url: bytes) -> None:
    """These are no URLs: the server may refuse them as well."""
    answer = rewriting.raw(b"GET " + url + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    location = re.search(rb"(?i)^location: (.*)\r$", answer, re.MULTILINE)
    assert location is None or re.match(rb"/[^/\\]", location[1]), answer


def rewrite_rules(path: Path, text: str | bytes) -> None:
    """Change the file the way editors do: another one takes its place."""
    fresh = path.with_suffix(".new")
    fresh.write_bytes(text if isinstance(text, bytes) else text.encode())
    fresh.replace(path)


def test_changed_rules_count_for_the_next_request(serve: Servers, tmp_path: Path) -> None:
    path = tmp_path / "rules.txt"
    path.write_text("/a /one\n", encoding="utf-8")
    server = serve_filter(serve, "url_rewriter", variables={"URL_REWRITER_RULES": str(path)})
    assert told(server.get("/a"))["HTTP_URL"] == "/one"
    path.write_text("/a /two\n", encoding="utf-8")
    assert told(server.get("/a"))["HTTP_URL"] == "/two"
    rewrite_rules(path, "\ufeff/a /three\n")
    assert told(server.get("/a"))["HTTP_URL"] == "/three"
    rewrite_rules(path, "")
    assert told(server.get("/a"))["HTTP_URL"] == "/a"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("/b /y\n/a( /x", "rules.txt:2: missing \\)"),
        ("# one\n\n/a /x/\\1", "rules.txt:3: invalid group reference 1"),
        ("/a /x/\\g<no>", "rules.txt:1: .*no"),
        ("/a", "rules.txt:1: expected PATTERN ADDRESS"),
        ("/a /x 301 more", "rules.txt:1: expected PATTERN ADDRESS"),
        ("/a /x 200", "rules.txt:1: the status '200'"),
        ("/a x", "rules.txt:1: the address 'x'"),
        ("/a https://example.org/", "rules.txt:1: the address"),
        ("/a javascript:x 302", "rules.txt:1: the address"),
        ("/a(.*) https://example.org\\1 302", "rules.txt:1: the address"),
        ("/a //example.org/ 302", "rules.txt:1: the address"),
        ("/a /\u00e9", "rules.txt:1: the address"),
        (b"/a /\xff", "rules.txt: 'utf-8' codec"),
    ],
)
def test_bad_rule_is_reported_and_the_old_rules_go_on(
    serve: Servers, tmp_path: Path, text: str | bytes, reason: str
) -> None:
    path = tmp_path / "rules.txt"
    path.write_text("/a /old\n/a2 /old2\n", encoding="utf-8")
    server = serve_filter(serve, "url_rewriter", variables={"URL_REWRITER_RULES": str(path)})
    rewrite_rules(path, text)
    for _ in range(3):
        assert told(server.get("/a"))["HTTP_URL"] == "/old"
    server.wait_for_log(reason + ".*rules that stay in force: 2")
    assert server.log().count("rules that stay in force") == 1
    rewrite_rules(path, "/a /repaired")
    assert told(server.get("/a"))["HTTP_URL"] == "/repaired"


def test_rules_file_may_be_missing(serve: Servers, tmp_path: Path) -> None:
    path = tmp_path / "rules.txt"
    server = serve_filter(serve, "url_rewriter", variables={"URL_REWRITER_RULES": str(path)})
    assert told(server.get("/a"))["HTTP_URL"] == "/a"
    server.wait_for_log("No such file.*rules that stay in force: 0")
    rewrite_rules(path, "/a /new")
    assert told(server.get("/a"))["HTTP_URL"] == "/new"
    path.unlink()
    assert told(server.get("/a"))["HTTP_URL"] == "/new"
    server.wait_for_log("rules that stay in force: 1")


def test_rules_of_the_sample_are_about_the_samples(serve: Servers) -> None:
    for name in ("hello", "thread_pool"):
        serve.place(SAMPLES / f"{name}.py", folder="samples")
    rewriter = serve.place(FILTERS / "url_rewriter.py", folder="filters")
    serve.place(FILTERS / "url_rewriter.txt", folder="filters")
    server = serve(serve.directory / "samples", "--filter", str(rewriter))
    assert server.get("/greeting").text == "Hello from Python.\n"
    assert "worked for 0 s" in server.get("/sleep/0").text
    answer = server.get("/old/hello/")
    assert (answer.status, answer.headers["Location"]) == (301, "/hello/")
    assert server.get("/search?q=x").headers["Location"] == "https://www.python.org/?q=x"


# basic_auth.py


def user_command(database: Path, *arguments: str, password: str = "") -> subprocess.CompletedProcess[str]:
    """Run `python basic_auth.py ...` with the password in a pipe."""
    return subprocess.run(
        [sys.executable, "-B", str(FILTERS / "basic_auth.py"), *arguments],
        env=os.environ | {"BASIC_AUTH_USERS": str(database)},
        input=password + "\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Return a database with one user, mary."""
    path = tmp_path / "users.sqlite3"
    ended = user_command(path, "add", "mary", password="se:cret")
    assert ended.returncode == 0, ended.stderr
    return path


@pytest.fixture
def members(serve: Servers, database: Path) -> ServerProcess:
    return serve_filter(
        serve, "basic_auth", "--access-log", "-", variables={"BASIC_AUTH_USERS": str(database)}
    )


def basic(name: str, password: str) -> dict[str, str]:
    """Return the header of a client that logs on."""
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


MARY = basic("mary", "se:cret")


def test_client_without_a_name_is_challenged(members: ServerProcess) -> None:
    answer = members.get("/")
    assert answer.status == 401 and answer.text == "Members only.\n"
    assert answer.headers["WWW-Authenticate"] == 'Basic realm="Members", charset="UTF-8"'
    assert members.request("HEAD", "/").status == 401
    assert members.request("POST", "/", b"x" * 100_000).status == 401


def test_name_of_the_user_reaches_extension_and_log_and_the_password_does_not(members: ServerProcess) -> None:
    given = told(members.get("/page", MARY))
    assert given["HTTP_AUTHENTICATEDUSER"] == "mary"
    assert given["HTTP_AUTHORIZATION"] == "" and "basic" not in given["ALL_RAW"].lower()
    wait_until(lambda: " GET /page - " in members.output(), "the line of the access log")
    line = next(line for line in members.output().splitlines() if " GET /page - " in line)
    assert line.split()[7] == "mary"


def test_client_cannot_say_that_it_is_somebody_else(members: ServerProcess) -> None:
    spoofed = [f"{name}: root" for name in ("AuthenticatedUser", "AUTHENTICATEDUSER", "authenticateduser")]
    lines = ["GET / HTTP/1.1", "Host: x", *spoofed, "Connection: close"]
    head = "\r\n".join(lines).encode()
    assert members.raw(head + b"\r\n\r\n").startswith(b"HTTP/1.1 401 ")
    answer = members.raw(head + f"\r\nAuthorization: {MARY['Authorization']}\r\n\r\n".encode())
    given = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert given["HTTP_AUTHENTICATEDUSER"] == "mary" and "root" not in given["ALL_RAW"]


@pytest.mark.parametrize(
    "value",
    [
        basic("mary", "wrong")["Authorization"],
        basic("mary", "")["Authorization"],
        basic("mary", "se:cret\0")["Authorization"],
        basic("Mary", "se:cret")["Authorization"],
        basic("eve", "se:cret")["Authorization"],
        basic("", "")["Authorization"],
        basic("mary' OR '1'='1", "x")["Authorization"],
        basic("mary", "x" * 5000)["Authorization"],
        "Basic",
        "Basic !!!",
        "Basic " + base64.b64encode(b"mary").decode(),
        "Basic " + base64.b64encode(b"\xff\xfe:x").decode(),
        "Bearer " + MARY["Authorization"].partition(" ")[2],
        MARY["Authorization"] + ", " + MARY["Authorization"],
        "Basic \u00e9",
    ],
)
def test_wrong_credentials_are_a_401(members: ServerProcess, value: str) -> None:
    # Also when the right ones were there before, and are remembered.
    told(members.get("/", MARY))
    assert members.get("/", {"Authorization": value}).status == 401
    assert "Traceback" not in members.log()


def test_users_of_one_connection_are_told_apart(members: ServerProcess, database: Path) -> None:
    assert user_command(database, "add", "joe", password="other").returncode == 0
    connection = http.client.HTTPConnection(members.host, members.port, timeout=CLIENT_TIMEOUT)
    seen: list[object] = []
    for number, headers in enumerate([MARY, {}, basic("joe", "other"), basic("joe", "se:cret"), MARY]):
        connection.request("GET", f"/{number}", headers=headers)
        answer = Response.receive(connection.getresponse())
        seen.append(told(answer)["HTTP_AUTHENTICATEDUSER"] if answer.status == 200 else answer.status)
    connection.close()
    assert seen == ["mary", 401, "joe", 401, "mary"]
    wait_until(lambda: " GET /4 - " in members.output(), "the last line of the access log")
    lines = [line.split() for line in members.output().splitlines() if " GET /" in line]
    assert [words[7] for words in lines] == ["mary", "-", "joe", "-", "mary"]


def test_right_password_is_hashed_once_a_wrong_one_each_time(members: ServerProcess) -> None:
    def seconds(headers: Mapping[str, str], status: int) -> float:
        start = time.perf_counter()
        assert members.get("/", headers).status == status
        return time.perf_counter() - start

    first = seconds(MARY, 200)
    assert min(seconds(MARY, 200) for _ in range(5)) < first / 3
    assert min(seconds(basic("mary", "no"), 401) for _ in range(3)) > first / 3
    # Who is a user cannot be told by the time either.
    assert min(seconds(basic("nobody", "no"), 401) for _ in range(3)) > first / 3


def test_new_password_and_removal_count_at_once(members: ServerProcess, database: Path) -> None:
    told(members.get("/", MARY))
    assert user_command(database, "add", "mary", password="new").returncode == 0
    assert members.get("/", MARY).status == 401
    told(members.get("/", basic("mary", "new")))
    assert user_command(database, "remove", "mary").returncode == 0
    assert members.get("/", basic("mary", "new")).status == 401


def test_many_clients_log_on_at_once(members: ServerProcess) -> None:
    def ask(number: int) -> int:
        return members.get("/", MARY if number % 2 else basic("mary", f"wrong {number}")).status

    with concurrent.futures.ThreadPoolExecutor(8) as clients:
        assert list(clients.map(ask, range(16))) == [401, 200] * 8


def test_database_holds_no_password(database: Path) -> None:
    assert b"se:cret" not in database.read_bytes()
    before = database.read_bytes()
    assert user_command(database, "add", "mary", password="se:cret").returncode == 0
    assert database.read_bytes() != before, "the salt is another one"


@pytest.mark.parametrize(
    ("arguments", "password"),
    [
        (["add", "a:b"], "x"),
        (["add", ""], "x"),
        (["add", "a\nb"], "x"),
        (["add", "\u00e9"], "x"),
        (["add", " a"], "x"),
        (["add", "a"], ""),
        (["add", "a"], "x" * 257),
        (["remove", "nobody"], ""),
        (["add"], ""),
        ([], ""),
    ],
)
def test_command_refuses_what_cannot_be(database: Path, arguments: list[str], password: str) -> None:
    before = database.read_bytes()
    ended = user_command(database, *arguments, password=password)
    assert ended.returncode == 2 and "error:" in ended.stderr and "Traceback" not in ended.stderr
    assert database.read_bytes() == before


def test_without_a_database_nobody_gets_in(serve: Servers, tmp_path: Path) -> None:
    path = tmp_path / "none.sqlite3"
    server = serve_filter(serve, "basic_auth", variables={"BASIC_AUTH_USERS": str(path)})
    server.wait_for_log("nobody can log on yet.*basic_auth.py add NAME")
    assert server.get("/", MARY).status == 401
    assert user_command(path, "add", "mary", password="se:cret").returncode == 0
    told(server.get("/", MARY))


# response_headers.py

SECURITY = ["Content-Security-Policy", "Referrer-Policy", "X-Content-Type-Options", "X-Frame-Options"]


@pytest.fixture(scope="module")
def hardened(serve_module: Servers, tmp_path_factory: pytest.TempPathFactory) -> ServerProcess:
    root = tmp_path_factory.mktemp("root")
    (root / "page.html").write_text("a page", encoding="utf-8")
    return serve_filter(serve_module, "response_headers", "--root", str(root))


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_security_headers_are_there_once_and_server_is_not(hardened: ServerProcess, method: str) -> None:
    answer = hardened.request(method, "/")
    assert answer.status == 200
    assert [len(answer.headers.get_all(name, [])) for name in SECURITY] == [1] * len(SECURITY)
    assert "Server" not in answer.headers
    assert "Strict-Transport-Security" not in answer.headers, "this is no TLS"


def test_security_headers_are_there_on_errors(hardened: ServerProcess) -> None:
    answer = hardened.get("/%zz")
    assert answer.status == 400 and answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "Server" not in answer.headers


def test_header_that_the_response_has_is_left_as_it_is(hardened: ServerProcess) -> None:
    assert hardened.get("/?X-Frame-Options=SAMEORIGIN").headers.get_all("X-Frame-Options") == ["SAMEORIGIN"]
    assert "X-Powered-By" not in hardened.get("/?X-Powered-By=Python").headers


def test_strict_transport_security_is_for_tls(foreign: Foreign) -> None:
    """Beside a server that says whether the connection is secure, which ours cannot have."""
    source = (FILTERS / "response_headers.py").read_text("utf-8")
    answer = foreign(
        f"""
        filters.load({source!r})
        def set_names(**members):
            filters.connect(**members)
            filters.calls.clear()
            filters.send(SEND_RESPONSE, None, filters.preproc(200))
            return [call[1] for call in filters.calls if call[0] == "SetHeader"]
        (set_names(fIsSecurePort=1), set_names())
        """
    )
    common = [f"{name}:".encode() for name in SECURITY]
    assert answer == ([*common, b"Strict-Transport-Security:"], common)


# request_timing.py


@pytest.fixture
def timings(tmp_path: Path) -> Path:
    return tmp_path / "timings.jsonl"


@pytest.fixture
def timed(serve: Servers, timings: Path) -> ServerProcess:
    """Serve the thread pool, which takes as long as it is told, behind the clock."""
    script = serve.place(FILTERS / "request_timing.py")
    pool = SAMPLES / "thread_pool.py"
    return serve(pool, "--filter", str(script), variables={"REQUEST_TIMING_FILE": str(timings)})


def lines_of(path: Path, count: int) -> list[dict[str, Any]]:
    """Return the lines of the file once there are so many."""
    wait_until(lambda: path.exists() and path.read_bytes().count(b"\n") >= count, f"{count} lines in {path}")
    return [json.loads(line) for line in path.read_text("ascii").splitlines()]


def test_request_is_timed_from_its_head_to_its_end(timed: ServerProcess, timings: Path) -> None:
    answer = timed.get("/a?seconds=0.2&x=%22")
    (line,) = lines_of(timings, 1)
    assert (line["method"], line["url"], line["status"]) == ("GET", "/a?seconds=0.2&x=%22", 200)
    assert line["client"] == "127.0.0.1" and re.fullmatch(r"\d{4}-\d\d-\d\dT.*\+00:00", line["time"])
    assert 200 <= line["head_milliseconds"] <= line["milliseconds"] < 5000
    assert answer.headers["Server-Timing"] == f"total;dur={line['head_milliseconds']}"


def test_requests_of_a_connection_have_a_clock_each(timed: ServerProcess, timings: Path) -> None:
    connection = http.client.HTTPConnection(timed.host, timed.port, timeout=CLIENT_TIMEOUT)
    for seconds in ("0.3", "0", "0.3", "0"):
        connection.request("GET", f"/?seconds={seconds}")
        Response.receive(connection.getresponse())
    connection.close()
    taken = [line["milliseconds"] >= 300 for line in lines_of(timings, 4)]
    assert taken == [True, False, True, False]


def test_malformed_request_does_not_get_the_time_of_the_one_before(
    timed: ServerProcess, timings: Path
) -> None:
    answer = timed.raw(b"GET /?seconds=0 HTTP/1.1\r\nHost: x\r\n\r\nnonsense\r\n\r\n")
    assert answer.count(b"HTTP/1.1 ") == 2 and answer.count(b"erver-") == 1
    timed.get("/after?seconds=0")
    assert [line["url"] for line in lines_of(timings, 2)] == ["/?seconds=0", "/after?seconds=0"]


def test_requests_at_once_are_whole_lines(timed: ServerProcess, timings: Path) -> None:
    urls = [f"/{number}?seconds=0.01" for number in range(60)]
    with concurrent.futures.ThreadPoolExecutor(12) as clients:
        assert all(answer.status == 200 for answer in clients.map(timed.get, urls))
    assert sorted(line["url"] for line in lines_of(timings, 60)) == sorted(urls)


def test_client_that_goes_away_is_timed_too(serve: Servers, timings: Path) -> None:
    script = serve.place(FILTERS / "request_timing.py")
    variables = {"REQUEST_TIMING_FILE": str(timings)}
    server = serve(SAMPLES / "events.py", "--filter", str(script), variables=variables)
    with server.connect() as connection:
        connection.sendall(b"GET /gone?count=60&interval=0.05 HTTP/1.1\r\nHost: x\r\n\r\n")
        receive_until(connection, b"id: 1\n")
    (line,) = lines_of(timings, 1)
    assert line["url"].startswith("/gone?") and line["status"] == 200


def test_file_may_be_moved_away(timed: ServerProcess, timings: Path) -> None:
    timed.get("/1?seconds=0")
    lines_of(timings, 1)
    timings.rename(timings.with_suffix(".old"))
    timed.get("/2?seconds=0")
    assert [line["url"] for line in lines_of(timings, 1)] == ["/2?seconds=0"]
