"""The package's facts agree with each other."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from package_under_test import needs_bridge

import pyisapi

ROOT = Path(__file__).resolve().parents[2]


def test_one_version_everywhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    workspace = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]
    assert pyisapi.__version__ == project["version"] == workspace["version"]


@needs_bridge
def test_the_bridge_has_the_packages_version() -> None:
    from pyisapi import _bridge

    assert _bridge.__version__ == pyisapi.__version__


def test_a_missing_loader_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(pyisapi, "__file__", str(tmp_path / "__init__.py"))
    with pytest.raises(FileNotFoundError, match="ISAPI0092"):
        pyisapi.loader_path()
    (tmp_path / "_loader.abi3.so").touch()
    if ".abi3.so" in __import__("importlib.machinery").machinery.EXTENSION_SUFFIXES:
        assert pyisapi.loader_path().name == "_loader.abi3.so"
