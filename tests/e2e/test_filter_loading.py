"""The filter half of a script beside a server that is not ours: loading, results, reloading, the end.

The number behind `D` is that of the defect in docs/compatibility.md.
"""

from __future__ import annotations

import pytest
from foreign_process import Foreign

NEXT, FAILED = 0x08000002, 0x08000004

# What the process writes to the log, from here on.
LOG = r"""
import io
log = sys.stderr = io.StringIO()
def codes():
    import re
    return re.findall(r"\bISAPI[0-9]{4}\b", log.getvalue())
"""


def test_version_is_filled_in(foreign: Foreign) -> None:
    """The end of connections is asked for in any case, and the version set before Python is asked."""
    answer = foreign("(filters.load(), filters.version.filter, filters.version.flags, filters.version.text)")
    assert answer == ((1, 0), 0xA0000, 0x4100, b"fake")


def version(body: str) -> str:
    """Return a source that loads a filter with this GetFilterVersion and has its outcome in `outcome`."""
    return f"""
        outcomes = []
        sys.modules["builtins"].outcomes = outcomes
        filters.load(FILTER.replace("if fv is not None:", "{body}; return 1\\n        if fv:"))
        """


def test_attributes_of_the_version(foreign: Foreign) -> None:
    body = "outcomes.extend([fv.ServerFilterVersion, fv.FilterVersion, fv.Flags, fv.FilterDesc, type(fv).__name__])"
    assert foreign(version(body) + "outcomes") == [0x70000, 0xA0000, 0xFFFF, b"", "HTTP_FILTER_VERSION"]


def test_version_object_follows_the_ordinary_attribute_rules(foreign: Foreign) -> None:
    """D45."""
    body = "outcomes.extend([fv.__class__.__name__, 'Flags' in dir(fv), hasattr(fv, '__dict__')])"
    assert foreign(version(body) + "outcomes") == ["HTTP_FILTER_VERSION", True, False]


SET = """
        def attempt(name, value):
            try:
                setattr(kept[0], name, value)
            except Exception as error:
                return type(error).__name__
        sys.modules["builtins"].attempt = attempt
        kept = sys.modules["builtins"].kept = []
"""


@pytest.mark.parametrize(
    ("name", "value", "outcome"),
    [
        ("Flags", "0x80000000", None),
        ("Flags", "-1", None),
        ("Flags", "2**32", "OverflowError"),
        ("Flags", "'1'", "ValueError"),
        ("Flags", "None", "ValueError"),
        ("FilterVersion", "1.0", "ValueError"),
        ("FilterVersion", "2**40", "OverflowError"),
        ("ServerFilterVersion", "1", "AttributeError"),
        ("FilterDesc", "b'x' * 256", None),
        ("FilterDesc", "'\\xe9' * 128", None),
        ("FilterDesc", "b'x' * 257", "ValueError"),
        ("FilterDesc", "5", "ValueError"),
    ],
)
def test_version_takes_what_fits(foreign: Foreign, name: str, value: str, outcome: str | None) -> None:
    """D15, D16, D17."""
    body = f"kept.append(fv); outcomes.append(attempt({name!r}, {value}))"
    assert foreign(SET + version(body) + "outcomes") == [outcome]


def test_longest_description_stays_in_its_field(foreign: Foreign) -> None:
    """D16."""
    source = version("fv.FilterDesc = 'y' * 256; fv.Flags = 0x1000")
    assert foreign(source + "(filters.version.text, filters.version.flags)") == (b"y" * 256, 0x1100)


def test_kept_version_object_raises(foreign: Foreign) -> None:
    """D20."""
    source = SET + version("kept.append(fv)")
    assert foreign(source + "[attempt('Flags', 1), attempt('FilterDesc', b'')]") == ["RuntimeError"] * 2


# Results


@pytest.mark.parametrize(
    ("result", "status"),
    [
        ("None", NEXT),
        ("0x08000000", 0x08000000),
        ("0x08000003", 0x08000003),
        ("0", 0),
        ("-1", 0xFFFFFFFF),
        ("True", 1),
        ("2**31", FAILED),
        ("'text'", FAILED),
        ("1.0", FAILED),
    ],
)
def test_results_reach_the_server(foreign: Foreign, result: str, status: int) -> None:
    """D1; D13 for what does not fit 32 bits."""
    answer = foreign(
        LOG
        + f"""
status = filters.send(PREPROC, lambda fc: {result})
(status, codes(), filters.send(PREPROC, lambda fc: None))
"""
    )
    assert answer == (status, ["ISAPI0222"] if status == FAILED else [], NEXT)


def test_failing_handler_is_an_error_with_its_code_and_traceback(foreign: Foreign) -> None:
    answer = foreign(
        LOG
        + """
import ctypes
status = filters.send(PREPROC, lambda fc: 1 / 0)
(status, ctypes.get_errno(), codes(), "ZeroDivisionError" in log.getvalue(), filters.send(PREPROC, lambda fc: None))
"""
    )
    assert answer == (FAILED, 1359, ["ISAPI0221"], True, NEXT)


def test_leaving_python_does_not_leave_the_server(foreign: Foreign) -> None:
    """D9."""
    assert foreign(LOG + "(filters.send(PREPROC, lambda fc: sys.exit(3)), codes())") == (
        FAILED,
        ["ISAPI0221"],
    )


# Loading

BOTH = """
class Both:
    def GetExtensionVersion(self, vi): pass
    def HttpExtensionProc(self, ecb): return 1
    def TerminateExtension(self, status): made.append("extension ended")
    def GetFilterVersion(self, fv): pass
    def HttpFilterProc(self, fc): return handler(fc)
    def TerminateFilter(self, status): made.append("filter ended")
made = []
"""
EXTENSION = BOTH + "__ExtensionFactory__ = Both\n"
BOTH += "__ExtensionFactory__ = __FilterFactory__ = Both\n"


def load(script: str, *entries: str) -> str:
    """Return a source that calls these entry points on a script; its value is their results and what was logged."""
    calls = ", ".join(f"filters.get_version({entry!r})" for entry in entries)
    script_line = f'(server.folder / "fake.py").write_text({script!r})'
    return f"{LOG}\n{script_line}\nresults = [{calls}]\n"


def test_halves_of_one_script_are_independent(foreign: Foreign) -> None:
    source = load(BOTH, "GetExtensionVersion", "GetFilterVersion")
    answer = foreign(
        source
        + """
ended = (filters.library.TerminateFilter(2), list(filters.module.made))
after = (filters.send(PREPROC, lambda fc: None), server.ask(lambda ecb: None))
(results, ended, after, filters.get_version(), filters.send(PREPROC, lambda fc: None), codes())
"""
    )
    results, ended, after, again, status, codes = answer
    assert results == [(1, 0), (1, 0)] and ended == (1, ["filter ended"])
    assert after == (FAILED, ("status", 1))
    # Only the terminated half had anything to report.
    assert (again, status, codes) == ((1, 0), NEXT, ["ISAPI0221"])


def test_extension_refuses_to_be_a_filter_quietly(foreign: Foreign) -> None:
    source = load(
        "ran = globals().get('ran', 0) + 1\n" + EXTENSION, *["GetFilterVersion", "GetExtensionVersion"] * 2
    )
    answer = foreign(source + "(results, codes(), filters.module.ran)")
    assert answer == ([(0, 127), (1, 0)] * 2, [], 1)


def test_filter_refuses_to_be_an_extension_quietly(foreign: Foreign) -> None:
    answer = foreign(LOG + "(filters.load(), filters.get_version('GetExtensionVersion'), codes())")
    assert answer == ((1, 0), (0, 127), [])


def test_debug_mode_names_the_half_that_is_missing(foreign: Foreign) -> None:
    """D41."""
    source = 'import os\nos.environ["ISAPI_DEBUG"] = "1"\n' + load(EXTENSION, "GetFilterVersion")
    [code], text = foreign(source + "(codes(), log.getvalue())")
    assert code == "ISAPI0224" and "__FilterFactory__" in text and "no filter" in text


SHARED_FAILURES = {
    "import": ("raise ValueError('at import')\n", "ISAPI0201"),
    "syntax": ("def (:\n", "ISAPI0201"),
    "no factory": ("made = []\n", "ISAPI0202"),
}


@pytest.mark.parametrize(("script", "code"), SHARED_FAILURES.values(), ids=SHARED_FAILURES.keys())
def test_failure_of_both_halves_is_reported_once_for_each_load(
    foreign: Foreign, script: str, code: str
) -> None:
    entries = ["GetExtensionVersion", "GetFilterVersion"] * 2 + ["GetFilterVersion", "GetExtensionVersion"]
    answer = foreign(load(script, *entries) + "(results, codes())")
    assert answer == ([(0, 1114)] * 6, [code] * 3)


def test_corrected_script_loads_as_both_after_a_shared_failure(foreign: Foreign) -> None:
    source = load("raise ValueError('at import')\n", "GetExtensionVersion", "GetFilterVersion")
    answer = foreign(
        source
        + f"""
(server.folder / "fake.py").write_text({BOTH!r} + "# longer, so that no cached code passes for it")
(results, filters.get_version("GetExtensionVersion"), filters.get_version())
"""
    )
    assert answer == ([(0, 1114)] * 2, (1, 0), (1, 0))


FILTER_FAILURES = {
    "factory raises": ("def __FilterFactory__(): raise ValueError('in the factory')\n", "ISAPI0203"),
    "no version method": ("__FilterFactory__ = object\n", "ISAPI0204"),
    "version raises": (BOTH.replace("fv): pass", "fv): raise ValueError('no')"), "ISAPI0220"),
    "version of a wrong type": (BOTH.replace("fv): pass", "fv): return 'yes'"), "ISAPI0220"),
    "version refuses": (BOTH.replace("fv): pass", "fv): return False"), None),
}


@pytest.mark.parametrize(("script", "code"), FILTER_FAILURES.values(), ids=FILTER_FAILURES.keys())
def test_filter_that_cannot_be_loaded_says_why(foreign: Foreign, script: str, code: str | None) -> None:
    """D41: the codes of filters."""
    answer = foreign(load(script, "GetFilterVersion") + "(results, codes())")
    assert answer == ([(0, 1114)], [code] if code else [])


def test_filter_that_fails_leaves_the_extension_alone(foreign: Foreign) -> None:
    script = BOTH.replace("fv): pass", "fv): raise ValueError('no')")
    answer = foreign(
        load(script, "GetExtensionVersion", "GetFilterVersion") + "(results, server.ask(lambda ecb: 5))"
    )
    assert answer == ([(1, 0), (0, 1114)], ("status", 1))


def test_missing_handler_method_shows_when_it_is_called(foreign: Foreign) -> None:
    source = load(BOTH.replace("HttpFilterProc", "Other"), "GetFilterVersion")
    assert foreign(source + "(results, filters.send(PREPROC, None), codes())") == (
        [(1, 0)],
        FAILED,
        ["ISAPI0204"],
    )


# Reloading and the end


def test_reload_renews_the_filter_and_repeats_the_notification(foreign: Foreign) -> None:
    """The stored object of the connection stays, and the old handler is terminated with 0 and released."""
    answer = foreign(
        """
        import pyisapi
        thing = object()
        filters.notify(PREPROC, lambda fc: setattr(fc, "FilterContext", thing))
        rounds = []
        def handler(fc):
            rounds.append(fc.FilterContext is thing)
            if len(rounds) == 1:
                filters.module.handler = handler
                source = server.folder / "fake.py"
                source.write_text(source.read_text().replace("made = []", "made = globals().get('made', [])"))
                raise pyisapi.InternalReloadException
            return 0x08000003
        status = filters.send(PREPROC, handler)
        import gc
        gc.collect()
        (status, rounds, filters.module.made, filters.notify(END_OF_CONNECTION, lambda fc: fc.FilterContext is thing))
        """
    )
    assert answer == (0x08000003, [True, True], ["made", ("terminated", 0), "made", "released"], True)


def test_second_reload_request_is_an_error_of_that_notification(foreign: Foreign) -> None:
    answer = foreign(
        LOG
        + """
import pyisapi
def handler(fc):
    filters.module.handler = handler
    raise pyisapi.InternalReloadException
(filters.send(PREPROC, handler), codes(), filters.send(PREPROC, lambda fc: None))
"""
    )
    assert answer == (FAILED, ["ISAPI0221"], NEXT)


def test_filter_that_cannot_be_reloaded_fails_until_it_can(foreign: Foreign) -> None:
    """D10."""
    answer = foreign(
        LOG
        + """
import pyisapi
filters.load()
source = server.folder / "fake.py"
good = source.read_text()
def handler(fc):
    source.write_text("raise ValueError('gone')  #" + "x" * 500)
    raise pyisapi.InternalReloadException
first = filters.send(PREPROC, handler), filters.send(PREPROC, lambda fc: None)
source.write_text(good)
(first, codes(), filters.send(PREPROC, lambda fc: None))
"""
    )
    assert answer == ((FAILED, FAILED), ["ISAPI0209", "ISAPI0209"], NEXT)


def test_terminating_drops_the_filter_and_loading_again_works(foreign: Foreign) -> None:
    """D11."""
    answer = foreign(
        """
        import gc
        filters.load()
        ended = filters.library.TerminateFilter(2)
        gc.collect()
        (ended, list(filters.module.made), filters.get_version(), filters.send(PREPROC, lambda fc: None))
        """
    )
    assert answer == (1, ["made", ("terminated", 2), "released"], (1, 0), NEXT)


def test_failing_terminate_is_reported_and_drops_the_filter(foreign: Foreign) -> None:
    script = BOTH.replace('made.append("filter ended")', "raise ValueError('at the end')")
    source = load(script, "GetFilterVersion")
    answer = foreign(
        source + "(filters.library.TerminateFilter(2), codes(), filters.library.TerminateFilter(2))"
    )
    assert answer == (0, ["ISAPI0223"], 0)
