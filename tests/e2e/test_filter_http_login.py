"""Who may see a site: `pyisapi user`, `serve --users`, and filters that have a say in it."""

from __future__ import annotations

import base64
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import SCRIPTS, Servers
from filter_probe_client import FilterProbe, Visit, request
from probe_client import Value
from server_process import START_TIMEOUT, environment, program

RunServe = Callable[..., subprocess.CompletedProcess[str]]


def user(file: Path, name: str, *options: str, password: str = "") -> subprocess.CompletedProcess[str]:
    """Run `pyisapi user` with a password on standard input."""
    return subprocess.run(
        [program(), "user", str(file), *options, "--", name],
        input=password,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=START_TIMEOUT,
        check=False,
    )


def basic(name: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


@pytest.fixture(scope="module")
def users(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a password file with two users."""
    file = tmp_path_factory.mktemp("users") / "users"
    assert user(file, "mary", password="s:cret\n").returncode == 0
    assert user(file, "m\xfcller gro\xdf", password="pa\xdf w\xf6rd").returncode == 0
    return file


def start(servers: Servers, users: Path, *arguments: str, name: str) -> FilterProbe:
    log = servers.directory / f"{name}.log"
    options = ("--users", str(users), "--access-log", str(log), *arguments)
    return FilterProbe(servers(SCRIPTS / "filter_probe.py", *options, name=f"{name}.py"), log)


@pytest.fixture(scope="module")
def open_site(serve_module: Servers, users: Path) -> FilterProbe:
    """Return a client of a server that lets people log on."""
    return start(serve_module, users, "--realm", 'The "site"', name="open")


@pytest.fixture(scope="module")
def closed(serve_module: Servers, users: Path) -> FilterProbe:
    """Return a client of a server that lets in nobody else.

    Its plans are posted as mary, and so are the questions for outcomes.
    """
    probe = start(serve_module, users, "--no-anonymous", name="closed")
    ask = probe.server.request
    probe.server.request = (  # type: ignore[method-assign]
        lambda method, path, body=None, headers=None: ask(
            method, path, body, headers or basic("mary", "s:cret")
        )
    )
    return probe


# The password file


def test_user_is_added_changed_and_removed(tmp_path: Path, serve: Servers) -> None:
    file = tmp_path / "users"

    def status(password: str) -> int:
        probe = start(serve, file, "--no-anonymous", name="site")
        answer = probe.server.get("/", basic("ann", password)).status
        assert probe.server.stop() == 0
        return answer

    assert user(file, "bob", password="other\n").returncode == 0
    assert user(file, "ann", password="one\nsecond line\n").returncode == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "one" not in file.read_text() and file.read_text().startswith("bob:$argon2id$")
    assert (status("one"), status("two")) == (200, 401)
    assert user(file, "ann", password="two").returncode == 0
    assert (status("one"), status("two")) == (401, 200)
    assert user(file, "ann", "--remove").returncode == 0
    assert status("two") == 401
    assert [line.partition(":")[0] for line in file.read_text().splitlines()] == ["bob"]
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("users")] == ["users"]


def test_comments_and_others_stay_in_the_file(tmp_path: Path) -> None:
    file = tmp_path / "users"
    assert user(file, "ann", password="x").returncode == 0
    file.write_text("# people\n\n" + file.read_text())
    assert user(file, "bob", password="x").returncode == 0
    assert user(file, "bob", "--remove").returncode == 0
    assert file.read_text().startswith("# people\n\nann:$argon2id$")


def test_file_is_no_longer_for_strangers(tmp_path: Path) -> None:
    file = tmp_path / "users"
    file.write_text("")
    file.chmod(0o644)
    assert user(file, "ann", password="x").returncode == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o640


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("", "x"),
        ("a:b", "x"),
        ("a\nb", "x"),
        ("#a", "x"),
        (" a", "x"),
        ("a\t", "x"),
        ("x" * 257, "x"),
        ("a", ""),
        ("a", "\n"),
        ("a", "x" * 257),
        ("a", "\0"),
    ],
)
def test_name_or_password_that_cannot_be_is_refused(tmp_path: Path, name: str, password: str) -> None:
    file = tmp_path / "users"
    ran = user(file, name, password=password)
    assert ran.returncode == 1 and not file.exists()
    assert f"ISAPI0010 the password file {file} is as it was: " in ran.stderr
    assert "Traceback" not in ran.stderr and len(ran.stderr.splitlines()) == 1


def test_nobody_is_removed_who_is_not_there(tmp_path: Path) -> None:
    file = tmp_path / "users"
    assert user(file, "ann", password="x").returncode == 0
    before = file.read_text()
    ran = user(file, "an", "--remove")
    assert ran.returncode == 1 and "ISAPI0010" in ran.stderr and 'no user "an"' in ran.stderr
    assert file.read_text() == before


def test_file_that_cannot_be_written_is_as_it_was(tmp_path: Path) -> None:
    ran = user(tmp_path / "no" / "users", "ann", password="x")
    assert ran.returncode == 1 and "ISAPI0010" in ran.stderr


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("# people\nann\n", 2),
        ("ann:secret\n", 1),
        (":$argon2id$v=19$m=8,t=1,p=1$AAAAAAAAAAA$AAAAAAAAAAAAAAAA\n", 1),
        ("{twice}{twice}", 2),
    ],
    ids=["no colon", "no hash", "no name", "twice"],
)
def test_broken_password_file_stops_the_server(
    tmp_path: Path, run_serve: RunServe, users: Path, text: str, line: int
) -> None:
    file = tmp_path / "broken"
    file.write_text(text.format(twice=users.read_text().splitlines()[0] + "\n"))
    (tmp_path / "root").mkdir()
    ran = run_serve("--root", str(tmp_path / "root"), "--port", "0", "--users", str(file))
    assert ran.returncode == 1
    assert f"ISAPI0340 the password file {file} cannot be used, line {line}: " in ran.stderr
    assert "secret" not in ran.stderr


def test_missing_password_file_stops_the_server(tmp_path: Path, run_serve: RunServe) -> None:
    ran = run_serve("--root", str(tmp_path), "--port", "0", "--users", str(tmp_path / "none"))
    assert ran.returncode == 1
    assert f"ISAPI0340 the password file {tmp_path / 'none'} cannot be used: " in ran.stderr


@pytest.mark.parametrize("option", [("--no-anonymous",), ("--realm", "x")])
def test_option_without_users_is_refused(
    tmp_path: Path, run_serve: RunServe, option: tuple[str, ...]
) -> None:
    ran = run_serve("--root", str(tmp_path), "--port", "0", *option)
    assert ran.returncode == 2 and "--users" in ran.stderr


# Logging on


def test_anonymous_client_is_nobody(open_site: FilterProbe) -> None:
    visit = open_site.visit({"AUTHENTICATION": "[data.User, data.Password]"}, target="/nobody")
    assert visit.value("AUTHENTICATION") == [b"", b""]
    assert [visit.seen[name] for name in ("REMOTE_USER", "AUTH_TYPE", "LOGON_USER")] == ["", "", ""]
    assert open_site.log_line("/nobody")["cs-username"] == "-"


@pytest.mark.parametrize("site", ["open_site", "closed"])
def test_user_is_known_to_filter_extension_and_log(request: pytest.FixtureRequest, site: str) -> None:
    probe: FilterProbe = request.getfixturevalue(site)
    plan = {
        "AUTHENTICATION": "[data.User, data.Password]",
        "LOG": "data.ClientUserName",
    }
    visit = probe.visit(plan, target="/known", headers=basic("mary", "s:cret"))
    assert visit.value("AUTHENTICATION") == [b"mary", b"s:cret"]
    assert visit.value("LOG") == b"mary"
    names = ["REMOTE_USER", "LOGON_USER", "AUTH_USER", "AUTH_TYPE", "AUTH_PASSWORD"]
    assert [visit.seen[name] for name in names] == ["mary", "mary", "mary", "Basic", "s:cret"]
    line = probe.log_line("/known")
    assert (line["cs-username"], line["sc-status"], line["sc-substatus"]) == ("mary", "200", "0")


def test_user_is_known_in_auth_complete(closed: FilterProbe) -> None:
    """The probe asks for a variable in each notification, so also before."""
    visit = closed.visit(
        {"AUTH_COMPLETE": "fc.GetServerVariable('REMOTE_USER')"}, headers=basic("mary", "s:cret")
    )
    assert visit.value("AUTH_COMPLETE") == b"mary"


def test_name_and_password_are_utf_8(open_site: FilterProbe) -> None:
    visit = open_site.visit({}, target="/umlaut", headers=basic("m\xfcller gro\xdf", "pa\xdf w\xf6rd"))
    assert visit.seen["REMOTE_USER"].encode("latin-1") == "m\xfcller gro\xdf".encode()
    assert open_site.log_line("/umlaut")["cs-username"] == "m\xfcller+gro\xdf"


WRONG = {
    "wrong password": basic("mary", "S:cret"),
    "no password": basic("mary", ""),
    "wrong name": basic("Mary", "s:cret"),
    "unknown": basic("eve", "x"),
    "long": basic("mary", "s:cret" + "x" * 200),
}


@pytest.mark.parametrize("site", ["open_site", "closed"])
@pytest.mark.parametrize("headers", WRONG.values(), ids=WRONG.keys())
def test_wrong_credentials_are_denied(
    request: pytest.FixtureRequest, site: str, headers: dict[str, str]
) -> None:
    probe: FilterProbe = request.getfixturevalue(site)
    visit = probe.visit({"ACCESS_DENIED": "[data.URL, data.Reason]"}, target="/wrong", headers=headers)
    assert visit.status == 401 and visit.value("ACCESS_DENIED") == [b"/wrong", 1]
    [challenge] = visit.headers("WWW-Authenticate")
    assert challenge.startswith(b'Basic realm="') and b"extension" not in visit.received


@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": "Bearer x"}, {"Authorization": "Basic !!"}, basic("", "")],
    ids=["none", "another kind", "no base64", "empty"],
)
def test_who_does_not_log_on_is_denied(closed: FilterProbe, headers: dict[str, str]) -> None:
    visit = closed.visit({"ACCESS_DENIED": "[data.URL, hex(data.Reason)]"}, target="/none", headers=headers)
    assert visit.status == 401 and visit.value("ACCESS_DENIED") == [b"/none", "0x10001"]
    assert visit.headers("WWW-Authenticate") == [b'Basic realm="pyisapi", charset="UTF-8"']


def test_denial_names_the_realm(open_site: FilterProbe) -> None:
    visit = open_site.visit({}, headers=basic("mary", "wrong"))
    assert visit.headers("WWW-Authenticate") == [b'Basic realm="The \\"site\\"", charset="UTF-8"']


def test_denial_stands_in_the_log(closed: FilterProbe) -> None:
    closed.visit({}, target="/log-absent")
    closed.visit({}, target="/log-wrong", headers=basic("mary", "x"))
    lines = [closed.log_line(path) for path in ("/log-absent", "/log-wrong")]
    assert [(line["sc-status"], line["sc-substatus"]) for line in lines] == [("401", "2"), ("401", "1")]
    # Whoever could not show the password is not that user.
    assert [line["cs-username"] for line in lines] == ["-", "-"]


def test_credentials_mean_nothing_without_users(filter_probe: FilterProbe) -> None:
    visit = filter_probe.visit({}, headers=basic("mary", "s:cret"))
    assert (visit.status, visit.seen["REMOTE_USER"]) == (200, "")


# What filters have to say


@pytest.mark.parametrize("kind", ["str", "bytes"])
def test_filter_logs_a_user_on(closed: FilterProbe, kind: str) -> None:
    prefix = "b" if kind == "bytes" else ""
    source = f"data.User = {prefix}'mary'\ndata.Password = {prefix}'s:cret'\n[data.User, data.Password]"
    visit = closed.visit({"AUTHENTICATION": source}, target=f"/by-filter-{kind}")
    assert visit.value("AUTHENTICATION") == [b"mary", b"s:cret"]
    assert (visit.seen["REMOTE_USER"], visit.seen["AUTH_TYPE"]) == ("mary", "Basic")
    assert closed.log_line(f"/by-filter-{kind}")["cs-username"] == "mary"


def test_filter_replaces_the_user(closed: FilterProbe) -> None:
    source = "before = data.User\ndata.User, data.Password = 'mary', 's:cret'\nbefore"
    visit = closed.visit({"AUTHENTICATION": source}, headers=basic("alias", "whatever"))
    assert visit.value("AUTHENTICATION") == b"alias"
    assert (visit.seen["REMOTE_USER"], visit.seen["AUTH_USER"]) == ("mary", "mary")


def test_filter_makes_the_client_nobody(open_site: FilterProbe) -> None:
    source = "data.User = data.Password = ''\nNone"
    visit = open_site.visit({"AUTHENTICATION": source}, headers=basic("mary", "s:cret"))
    assert (visit.status, visit.seen["REMOTE_USER"]) == (200, "")


@pytest.mark.parametrize("name", ["ghost", "mary"])
def test_filter_cannot_make_up_a_user(open_site: FilterProbe, name: str) -> None:
    visit = open_site.visit({"AUTHENTICATION": f"data.User = {name!r}\ndata.Password = 'guess'\nNone"})
    assert visit.status == 401


def test_headers_are_added_to_the_servers_denial(closed: FilterProbe) -> None:
    plan = {
        "PREPROC_HEADERS": "fc.AddHeadersOnDenial('X-Denied: yes\\r\\nX-Help: /help\\r\\n')",
        "ACCESS_DENIED": "fc.AddHeadersOnDenial(b'WWW-Authenticate: Other\\r\\n')",
    }
    visit = closed.visit(plan)
    assert [o for _, o in visit.outcomes] == [Value("NoneType", "None")] * 2
    assert (visit.headers("X-Denied"), visit.headers("X-Help")) == ([b"yes"], [b"/help"])
    assert len(visit.headers("WWW-Authenticate")) == 2
    assert closed.visit({**plan}, headers=basic("mary", "s:cret")).headers("X-Denied") == []


@pytest.mark.parametrize("lines", ["no header\\r\\n", "X-A: b\\r\\n\\r\\nX", "Content-Length: 5\\r\\n"])
def test_malformed_headers_for_a_denial_are_refused(closed: FilterProbe, lines: str) -> None:
    visit = closed.visit({"ACCESS_DENIED": f"fc.AddHeadersOnDenial('{lines}')"})
    assert "(87, None, 'AddHeadersOnDenial')" in str(visit.outcome("ACCESS_DENIED"))
    assert visit.status == 401 and visit.received.count(b"HTTP/1.1 ") == 1


def test_filter_has_a_page_of_its_own_for_denials(closed: FilterProbe) -> None:
    source = (
        "fc.SendResponseHeader('403 Closed', 'Content-Type: text/plain\\r\\nContent-Length: 6\\r\\n\\r\\n')\n"
        "fc.WriteClient('go off')\nresult = sf.SF_STATUS_REQ_FINISHED_KEEP_CONN\nNone"
    )
    visit = closed.visit({"ACCESS_DENIED": source}, target="/own-page")
    assert (visit.status, visit.body, visit.headers("WWW-Authenticate")) == (403, b"go off", [])
    assert closed.log_line("/own-page")["sc-status"] == "403"


def test_error_status_does_not_deny(open_site: FilterProbe) -> None:
    """What Python's calls leave in errno is not the filter's reason: 5 would be ERROR_ACCESS_DENIED."""
    leaves_5 = (
        "import ctypes\nerrno = ctypes.CDLL(None).__errno_location\n"
        "errno.restype = ctypes.POINTER(ctypes.c_int)\nerrno()[0] = 5\n"
        "result = sf.SF_STATUS_REQ_ERROR\nNone"
    )
    visit = open_site.visit({"AUTH_COMPLETE": leaves_5})
    assert (visit.status, visit.of("ACCESS_DENIED")) == (500, [])
    open_site.server.wait_for_log(
        "ISAPI0333 the filter open answered AUTH_COMPLETE .* its last error was 1359"
    )


EVENTS = """
from pyisapi.filters import Filter as Base
class Filter(Base):
    def on_authenticate(self, login):
        if login.user == "guest":
            login.user, login.password = "mary", "s:cret"
    def on_authenticated(self, request):
        request.add_response_header("X-User", request.user)
        if request.path == "/for-bob":
            request.respond(403, "You are " + request.user)
    def on_denied(self, denial):
        denial.add_denial_header("X-Reason", hex(denial.reason) + " for " + denial.url)
def __FilterFactory__(): return Filter()
"""


def test_filter_by_events_has_its_say(serve: Servers, users: Path) -> None:
    server = serve(EVENTS, "--users", str(users), "--no-anonymous")
    assert server.get("/x", basic("guest", "")).headers["X-User"] == "mary"
    answer = server.get("/for-bob", basic("mary", "s:cret"))
    assert (answer.status, answer.text) == (403, "You are mary")
    assert server.get("/x").headers["X-Reason"] == "0x10001 for /x"


def test_each_request_of_a_connection_is_authenticated(closed: FilterProbe) -> None:
    right = f"Authorization: {basic('mary', 's:cret')['Authorization']}\r\n"
    lines = ["", right, ""]
    data = "".join(f"GET /{n} HTTP/1.1\r\nHost: x\r\n{line}\r\n" for n, line in enumerate(lines))
    last: bytes = request("/last", headers=basic("mary", "s:cret"))
    visit: Visit = closed.visit({"AUTHENTICATION": "data.User"}, data.encode() + last)
    assert [o.value for o in visit.of("AUTHENTICATION") if isinstance(o, Value)] == [
        b"",
        b"mary",
        b"",
        b"mary",
    ]
    assert (visit.received.count(b"HTTP/1.1 401 "), visit.received.count(b"HTTP/1.1 200 ")) == (2, 2)
