from __future__ import annotations

from typing import Any

import pytest

from pyisapi.simple import SimpleExtension, SimpleFilter, _description


class Described(SimpleExtension):
    """A description."""


class Bare(SimpleExtension):
    pass


class LongDescription(SimpleExtension):
    __doc__ = "ä" * 200


def test_the_docstring_describes_the_extension() -> None:
    assert _description(Described(), 255) == "A description."


def test_a_class_without_docstring_is_described_by_its_name() -> None:
    assert _description(Bare(), 255) == "Bare"


def test_a_long_docstring_is_cut_between_characters() -> None:
    assert _description(LongDescription(), 255) == "ä" * 127


def test_the_server_is_given_the_docstring_as_text() -> None:
    class Info:
        ExtensionDesc: object = None

    info: Any = Info()
    Described().GetExtensionVersion(info)
    assert info.ExtensionDesc == "A description."


def test_version_methods_accept_none_after_a_reload() -> None:
    assert Described().GetExtensionVersion(None) is None


def test_a_filter_without_flags_cannot_load() -> None:
    with pytest.raises(RuntimeError, match="filter_flags"):
        SimpleFilter().GetFilterVersion(None)


def test_a_filter_sets_flags_and_description() -> None:
    class Version:
        Flags = 0
        FilterDesc: object = None

    class Filter(SimpleFilter):
        """A filter."""

        filter_flags = 0x4000

    version: Any = Version()
    Filter().GetFilterVersion(version)
    assert (version.Flags, version.FilterDesc) == (0x4000, "A filter.")


def test_a_handler_that_does_not_override_is_told_so() -> None:
    context: Any = None
    with pytest.raises(NotImplementedError, match="SimpleFilter"):
        SimpleFilter().HttpFilterProc(context)
