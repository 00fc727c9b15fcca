from __future__ import annotations

import optparse
import os
import sys
from collections.abc import Callable
from typing import Any

import pytest

from pyisapi import install
from pyisapi.install import (
    FilterParameters,
    GetLoaderModuleName,
    HandleCommandLine,
    ISAPIParameters,
    ScriptMapParams,
    VirtualDirParameters,
    split_path,
)

SUFFIX = ".dll" if sys.platform == "win32" else ".so"


REFUSED: dict[str, list[Any]] = {
    "AddExtensionFiles": [None, None],
    "AssignScriptMaps": [[], None],
    "CheckLoaderModule": ["_x.dll"],
    "CreateDirectory": [None, None],
    "CreateISAPIFilter": [None, None],
    "DeleteExtensionFileRecords": [None, None],
    "DeleteISAPIFilter": [None, None],
    "FindPath": [None, None, "name"],
    "FindWebServer": [None, None],
    "GetWebServer": [],
    "Install": [None, None],
    "InstallModule": ["script.py", None, None],
    "LoadWebServer": ["IIS://LocalHost/W3SVC/1"],
    "LocateWebServerPath": ["1"],
    "RemoveDirectory": [None, None],
    "RemoveScriptMaps": [None, None],
    "Uninstall": [None, None],
    "UninstallModule": ["script.py", None, None],
}


@pytest.mark.parametrize(("name", "arguments"), REFUSED.items())
def test_what_would_touch_a_web_server_is_refused(name: str, arguments: list[Any]) -> None:
    with pytest.raises(install.InstallationError, match=f"ISAPI0090 {name}|ISAPI0090 (install|remove) "):
        getattr(install, name)(*arguments)


def test_the_star_import_brings_what_scripts_expect() -> None:
    names: dict[str, Any] = {}
    exec("from isapi.install import *", names)
    modules = ["importlib", "os", "shutil", "stat", "sys", "traceback"]
    assert {name: names[name].__name__ for name in modules} == {name: name for name in modules}
    others = ["HandleCommandLine", "ISAPIParameters", "InstallationError", "ItemNotFound", "Mapping"]
    assert [name for name in [*REFUSED, *others, "verbose", "standard_arguments"] if name not in names] == []
    assert names["this_dir"] == os.path.dirname(install.__file__)


def test_a_whole_path_of_a_directory_is_taken_as_it_is() -> None:
    path = "iis://LocalHost/W3SVC/1/ROOT/a"
    assert install.FindPath(optparse.Values(), None, path) == path


def test_unique_items_are_those_not_in_the_reference() -> None:
    assert install.get_unique_items(["a", "b", "c"], ["b"]) == ("a", "c")


def test_lists_belong_to_the_instance() -> None:
    first, second = ISAPIParameters(), ISAPIParameters()
    first.Filters.append(FilterParameters(Name="f"))
    assert second.Filters == []
    assert ISAPIParameters.Filters == []


def test_a_subclass_may_set_default_lists() -> None:
    class Parameters(ISAPIParameters):
        Filters = [FilterParameters(Name="f")]

    assert [each.Name for each in Parameters().Filters] == ["f"]


def test_keywords_become_attributes_even_unknown_ones() -> None:
    hook = print
    directory = VirtualDirParameters(Name="a", PostInstall=hook, Anything=1)
    assert directory.PostInstall is hook
    assert vars(directory)["Anything"] == 1


def test_positional_arguments_are_refused() -> None:
    parameters: Any = VirtualDirParameters
    with pytest.raises(TypeError):
        parameters("a")


def test_hooks_are_absent_unless_given() -> None:
    assert not hasattr(ISAPIParameters(), "PreInstall")


def test_defaults_of_a_directory() -> None:
    directory = VirtualDirParameters()
    assert (directory.AppProtection, directory.Headers) == (2, "X-Powered-By: Python")
    assert (directory.Type, directory.ScriptMapUpdate) == ("IIsWebVirtualDir", "end")
    assert (directory.AccessExecute, directory.AccessRead) == (True, False)


def test_a_script_map_as_text() -> None:
    assert str(ScriptMapParams(Extension="*", Module=r"C:\x.dll")) == r"*,C:\x.dll,5"
    mapped = ScriptMapParams(Extension=".py", Module=r"C:\x.dll", Flags=1, Verbs="GET,POST")
    assert str(mapped) == r".py,C:\x.dll,1,GET,POST"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/", ["", ""]),
        ("", ["", ""]),
        ("foo", ["", "foo"]),
        ("/foo", ["", "foo"]),
        ("/foo/bar", ["/foo", "bar"]),
        ("foo/bar", ["/foo", "bar"]),
        ("/foo/", ["/foo", ""]),
    ],
)
def test_split_path(path: str, expected: list[str]) -> None:
    assert split_path(path) == expected


def test_the_root_directory_is_known_by_its_name() -> None:
    assert VirtualDirParameters(Name="/").is_root()
    assert not VirtualDirParameters(Name="app").is_root()


def test_the_loader_is_named_after_the_script() -> None:
    assert GetLoaderModuleName("a.b.py") == os.path.abspath(f"_a.b{SUFFIX}")


@pytest.mark.parametrize("program", ["foo.exe", "foow.exe"])
def test_a_frozen_program_names_the_library_without_underscore(
    monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    assert GetLoaderModuleName(program) == os.path.abspath(f"foo{SUFFIX}")


@pytest.mark.parametrize("words", [[], ["install"], ["remove"], ["uninstall"]])
def test_installing_is_refused_in_one_line(capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    with pytest.raises(SystemExit) as exit_info:
        HandleCommandLine(ISAPIParameters(), ["script.py", *words], "script.py")
    assert exit_info.value.code == 1
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("ISAPI0090 ")
    assert line.endswith(f"run: pyisapi serve {os.path.abspath('script.py')}")


def test_an_unknown_word_stops_before_anything_runs(capsys: pytest.CaptureFixture[str]) -> None:
    calls: list[str] = []
    handlers = {"status": lambda *arguments: calls.append("status")}
    with pytest.raises(SystemExit) as exit_info:
        HandleCommandLine(ISAPIParameters(), ["s", "status", "nonsense"], "s", custom_arg_handlers=handlers)
    assert exit_info.value.code == 2
    assert calls == []
    assert "nonsense" in capsys.readouterr().err


def test_custom_handlers_get_four_arguments_or_the_documented_three() -> None:
    seen: list[tuple[Any, ...]] = []

    def four(name: str, params: ISAPIParameters, options: optparse.Values, log: Any) -> None:
        seen.append((name, params))

    def three(options: optparse.Values, log: Any, arg: str) -> None:
        seen.append((log, arg))

    params = ISAPIParameters()
    handlers: dict[str, Callable[..., object]] = {"four": four, "three": three}
    HandleCommandLine(params, ["s", "four", "three"], "s", custom_arg_handlers=handlers)
    assert seen == [(os.path.abspath("s"), params), (install.log, "three")]


def test_a_key_error_in_a_handler_is_not_an_unknown_word() -> None:
    def status(*arguments: object) -> None:
        raise KeyError("inside")

    with pytest.raises(KeyError, match="inside"):
        HandleCommandLine(ISAPIParameters(), ["s", "status"], "s", custom_arg_handlers={"status": status})


def test_a_custom_word_may_replace_a_standard_one() -> None:
    calls: list[str] = []
    handlers = {"install": lambda *arguments: calls.append("mine")}
    HandleCommandLine(ISAPIParameters(), ["s"], "s", custom_arg_handlers=handlers)
    assert calls == ["mine"]


def test_a_parser_with_its_own_usage_and_options(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(install, "verbose", 1)
    parser = optparse.OptionParser("my usage")
    parser.add_option("--description")
    seen: list[tuple[str, int, str]] = []

    def status(name: str, params: ISAPIParameters, options: optparse.Values, log: Any) -> None:
        seen.append((options.description, options.verbose, options.server))

    arguments = ["s", "-v", "--server=2", "--description=x", "status"]
    HandleCommandLine(
        ISAPIParameters(), arguments, "s", opt_parser=parser, custom_arg_handlers={"status": status}
    )
    assert seen == [("x", 2, "2")]
    assert "my usage" in parser.get_usage()
