"""Which scripts are filters, what becomes of those that do not load, and reloading while the server serves."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Servers

RunServe = Callable[..., subprocess.CompletedProcess[str]]

IMPORTS = """
import os, sys
import isapi
from isapi import InternalReloadException, isapicon
from isapi.simple import SimpleExtension, SimpleFilter
print("imported", __name__, flush=True)
"""
FILTER = """
class Filter(SimpleFilter):
    filter_flags = isapicon.SF_NOTIFY_PREPROC_HEADERS | {flags}
    def HttpFilterProc(self, fc):
        if fc.NotificationType == isapicon.SF_NOTIFY_PREPROC_HEADERS:
            {body}
    def TerminateFilter(self, status):
        print("filter ended with", status, flush=True)
def __FilterFactory__():
    return Filter()
"""
EXTENSION = """
class Extension(SimpleExtension):
    def HttpExtensionProc(self, ecb):
        ecb.SendResponseHeaders("200 OK", "Content-Length: 2\\r\\n\\r\\n", 1)
        ecb.WriteClient("ok")
        return 1
def __ExtensionFactory__():
    return Extension()
"""


def filter_of(body: str = "fc.AddResponseHeaders('X-Filter: yes\\r\\n')", flags: str = "0") -> str:
    return FILTER.format(body=body, flags=flags)


# Both halves, one, or none


def test_script_with_both_halves_is_both(serve: Servers) -> None:
    server = serve(IMPORTS + filter_of() + EXTENSION)
    answer = server.get("/")
    assert (answer.body, answer.headers["X-Filter"]) == (b"ok", "yes")
    assert server.stop() == 0
    assert server.log().count("imported script") == 1
    assert server.log().count("filter ended with") == 1
    assert "\n  filter script.py\n" in server.output()


def test_script_that_is_only_a_filter_serves_nothing_itself(serve: Servers) -> None:
    server = serve(IMPORTS + filter_of())
    answer = server.get("/")
    assert (answer.status, answer.headers["X-Filter"]) == (404, "yes")
    assert "ISAPI" not in server.log()


def test_script_that_is_only_an_extension_is_no_filter(serve: Servers) -> None:
    server = serve(IMPORTS + EXTENSION)
    assert server.get("/").body == b"ok"
    assert "filter script.py" not in server.output() and "loaded the filter" not in server.log()


def test_filters_are_named_beside_what_is_served(serve: Servers) -> None:
    named = serve.place(IMPORTS + filter_of(), "named.py")
    server = serve(IMPORTS + EXTENSION, "--filter", str(named))
    assert server.get("/").headers["X-Filter"] == "yes"
    assert server.get("/").body == b"ok"


def test_filters_of_a_folder_are_found(serve: Servers, tmp_path: Path) -> None:
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "app.py").write_text(IMPORTS + EXTENSION)
    (folder / "gate.py").write_text(IMPORTS + filter_of())
    (folder / "both.py").write_text(
        IMPORTS + filter_of("fc.AddResponseHeaders('X-Both: yes\\r\\n')") + EXTENSION
    )
    server = serve(folder)
    for path, status in [("/app", 200), ("/both", 200), ("/gate", 404), ("/none", 404)]:
        answer = server.get(path)
        assert (answer.status, answer.headers["X-Filter"], answer.headers["X-Both"]) == (status, "yes", "yes")


def test_filter_that_is_named_twice_is_one(serve: Servers) -> None:
    script = serve.place(IMPORTS + filter_of(), "gate.py")
    server = serve(IMPORTS + EXTENSION, "--filter", str(script), "--filter", str(script))
    assert server.get("/").headers.get_all("X-Filter") == ["yes"]


def test_script_with_neither_half_is_refused(serve: Servers, run_serve: RunServe) -> None:
    script = serve.place("print('imported')\n", "none.py")
    ran = run_serve(str(script), "--port", "0")
    assert ran.returncode == 1
    assert "none defines neither __ExtensionFactory__ nor __FilterFactory__" in ran.stderr
    assert "Traceback" not in ran.stderr and ran.stderr.count("ISAPI0202") == 1


def test_script_that_is_named_as_a_filter_and_is_none_is_refused(serve: Servers, run_serve: RunServe) -> None:
    script = serve.place(IMPORTS + EXTENSION, "app.py")
    ran = run_serve("--filter", str(script), "--port", "0", "--debug")
    assert ran.returncode == 1
    assert "ISAPI0224" in ran.stderr and "app defines no __FilterFactory__, so it is no filter" in ran.stderr
    assert f"ISAPI0330 the filter {script.parent}/_app.so refused to be loaded" in ran.stderr
    assert "(last error 127)" in ran.stderr


# Filters that do not load stop the site

BROKEN = {
    "import": ("raise ValueError('reason')\n" + filter_of(), "ISAPI0201", 1),
    "syntax": ("def __FilterFactory__(:\n", "ISAPI0201", 1),
    "factory": ("def __FilterFactory__(): raise ValueError('reason')\n", "ISAPI0203", 1),
    "factory gives nothing": ("def __FilterFactory__(): pass\n", "ISAPI0204", 0),
    "version raises": (
        filter_of().replace(
            "    filter_flags =", "    def GetFilterVersion(self, fv): raise ValueError\n    x ="
        ),
        "ISAPI0220",
        1,
    ),
    "version returns text": (
        filter_of().replace("    filter_flags =", "    def GetFilterVersion(self, fv): return '1'\n    x ="),
        "ISAPI0220",
        0,
    ),
    "no flags": (filter_of().replace("filter_flags", "other"), "ISAPI0220", 1),
    "exits": ("import sys\nsys.exit(3)\n" + filter_of(), "ISAPI0201", 1),
}


@pytest.mark.parametrize(("source", "code", "traces"), BROKEN.values(), ids=BROKEN.keys())
@pytest.mark.parametrize("both", [False, True], ids=["filter", "both halves"])
def test_filter_that_does_not_load_stops_the_server(
    serve: Servers, run_serve: RunServe, source: str, code: str, traces: int, both: bool
) -> None:
    script = serve.place(IMPORTS + (EXTENSION if both else "") + source, "broken.py")
    ran = run_serve(str(script), "--port", "0")
    assert ran.returncode == 1
    assert ran.stderr.count(f"{code} ") == 1 and ran.stderr.count("Traceback (most recent call last)") <= 1
    assert ran.stderr.count("Traceback (most recent call last)") >= traces
    last = ran.stderr.splitlines()[-1]
    assert last.startswith(f"pyisapi: ISAPI0330 the filter {script.parent}/_broken.so refused to be loaded")
    assert "serving at" not in ran.stdout


def test_version_that_is_refused_stops_the_server(serve: Servers, run_serve: RunServe) -> None:
    source = filter_of().replace(
        "    filter_flags =", "    def GetFilterVersion(self, fv): return 0\n    filter_flags ="
    )
    ran = run_serve(str(serve.place(IMPORTS + source, "shy.py")), "--port", "0")
    assert ran.returncode == 1 and "_shy.so refused to be loaded" in ran.stderr


def test_filters_before_the_broken_one_are_ended(serve: Servers, run_serve: RunServe) -> None:
    good = serve.place(IMPORTS + filter_of(), "good.py")
    bad = serve.place(IMPORTS + "def __FilterFactory__(): raise ValueError('reason')\n", "bad.py")
    ran = run_serve("--filter", str(good), "--filter", str(bad), "--port", "0")
    assert ran.returncode == 1 and ran.stderr.count("filter ended with") == 1
    assert "_bad.so" in ran.stderr.splitlines()[-1]


@pytest.mark.parametrize("content", [b"", b"no library at all", b"\x7fELF" + bytes(100)])
def test_library_that_is_none_stops_the_server(tmp_path: Path, run_serve: RunServe, content: bytes) -> None:
    library = tmp_path / "filter.so"
    library.write_bytes(content)
    ran = run_serve("--filter", str(library), "--port", "0")
    assert ran.returncode == 1
    assert f"pyisapi: ISAPI0301 cannot load the filter {library}: " in ran.stderr


def test_missing_filter_stops_the_server(tmp_path: Path, run_serve: RunServe) -> None:
    ran = run_serve("--filter", str(tmp_path / "none.py"), "--port", "0")
    assert ran.returncode == 1 and f"ISAPI0001 {tmp_path / 'none.py'}: " in ran.stderr


def test_profile_of_iis_10_refuses_raw_reads(serve: Servers, run_serve: RunServe) -> None:
    raw = serve.place(IMPORTS + filter_of(flags="isapicon.SF_NOTIFY_READ_RAW_DATA"), "raw.py")
    ran = run_serve(str(raw), "--port", "0", "--filter-profile", "iis10")
    assert ran.returncode == 1
    assert ran.stderr.splitlines()[-1] == (
        f"pyisapi: ISAPI0331 the filter {raw.parent}/_raw.so asks for SF_NOTIFY_READ_RAW_DATA, which IIS 7 and later "
        "refuse to load"
    )
    assert ran.stderr.count("filter ended with") == 1
    assert serve(raw, "--filter-profile", "full", name="full.py").get("/").headers["X-Filter"] == "yes"


def test_profile_of_iis_10_takes_the_others(serve: Servers) -> None:
    server = serve(IMPORTS + filter_of(flags="isapicon.SF_NOTIFY_SEND_RAW_DATA"), "--filter-profile", "iis10")
    assert server.get("/").headers["X-Filter"] == "yes"


def test_unknown_profile_is_refused(run_serve: RunServe) -> None:
    ran = run_serve("--root", ".", "--filter-profile", "iis6")
    assert ran.returncode == 2 and "full, iis10" in ran.stderr


# Reloading


def replace(script: Path, source: str) -> None:
    """Change a script at once: the end of a connection may load it at any moment."""
    fresh = script.with_suffix(".new")
    fresh.write_text(source)
    fresh.replace(script)


def test_filter_without_its_method_fails_each_notification(serve: Servers) -> None:
    """As in pywin32 the method is looked for when it is called."""
    source = filter_of().replace("def HttpFilterProc", "def Other").replace("(SimpleFilter)", "")
    source = source.replace(
        "    def Other", "    def GetFilterVersion(self, fv): fv.Flags = self.filter_flags\n    def Other"
    )
    server = serve(IMPORTS + source)
    assert server.get("/").status == 500
    server.wait_for_log("ISAPI0204 .* Filter has no HttpFilterProc")


def test_filter_is_reloaded_when_it_asks_for_it(serve: Servers) -> None:
    """pywin32's InternalReloadException, and the notification that asked is handled by the new one."""
    source = IMPORTS + filter_of(
        "\n            if fc.GetData().GetHeader('url') == b'/reload' and GENERATION == os.environ['FIRST']:"
        "\n                raise InternalReloadException"
        "\n            fc.AddResponseHeaders('X-Generation: %s\\r\\n' % GENERATION)"
    )
    script = serve.place(source.replace("import os, sys", "GENERATION = 'one'\nimport os, sys"), "again.py")
    server = serve(script.parent / "again.py", name="served.py", variables={"FIRST": "one"})
    served = script.parent / "served.py"
    assert server.get("/").headers["X-Generation"] == "one"
    replace(served, served.read_text().replace("GENERATION = 'one'", "GENERATION = 'second one'"))
    assert server.get("/").headers["X-Generation"] == "one"
    assert server.get("/reload").headers["X-Generation"] == "second one"
    assert server.get("/").headers["X-Generation"] == "second one"
    assert server.log().count("filter ended with 0") == 1
    assert server.stop() == 0


def test_reload_that_fails_is_a_500_until_the_script_is_right(serve: Servers) -> None:
    source = IMPORTS + filter_of(
        "\n            if fc.GetData().GetHeader('url') == b'/reload': raise InternalReloadException"
        "\n            fc.AddResponseHeaders('X-Filter: yes\\r\\n')"
    )
    server = serve(source, name="served.py")
    served = server.directory / "served.py"
    assert server.get("/").headers["X-Filter"] == "yes"
    replace(served, "this is no Python\n")
    answer = server.get("/reload")
    assert answer.status == 500 and "ISAPI0333" in answer.text
    assert server.get("/").status == 500
    server.wait_for_log("ISAPI0209")
    replace(served, source.replace("X-Filter: yes", "X-Filter: repaired version"))
    assert server.get("/").headers["X-Filter"] == "repaired version"


def test_reload_that_is_asked_for_again_and_again_is_given_up(serve: Servers) -> None:
    server = serve(IMPORTS + filter_of("raise InternalReloadException"))
    assert server.get("/").status == 500
    assert server.get("/").status == 500
    assert server.log().count("imported script") == 3
    assert server.stop() == 0


def test_server_restarts_when_a_filter_changes(serve: Servers) -> None:
    """--reload watches filters too; the port changes with the server, which is asked for any free one."""
    named = serve.place(IMPORTS + filter_of(), "named.py")
    server = serve(IMPORTS + EXTENSION, "--filter", str(named), "--reload")
    assert server.get("/").headers["X-Filter"] == "yes"
    named.write_text(named.read_text().replace("X-Filter: yes", "X-Filter: changed now"))
    server.wait_for_log(r"(?s)imported named.*imported named")
