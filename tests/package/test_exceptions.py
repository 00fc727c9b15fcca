from __future__ import annotations

import copy
import pickle
import sys

import pytest

import pyisapi
from pyisapi import ExtensionError, FilterError, InternalReloadException, ISAPIError


def test_attributes_and_args_are_as_given() -> None:
    error = ExtensionError(1413, None, "GetServerVariable")
    assert (error.errno, error.strerror, error.funcname) == (1413, None, "GetServerVariable")
    assert error.args == (1413, None, "GetServerVariable")


def test_text_and_function_default_to_none() -> None:
    assert ISAPIError(5).args == (5, None, None)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has its own texts, in its own language")
def test_str_fills_in_the_text_and_leaves_args() -> None:
    error = ExtensionError(1413, None, "GetServerVariable")
    assert str(error) == "(1413, 'Invalid index.', 'GetServerVariable')"
    assert error.strerror == "Invalid index."
    assert error.args[1] is None


def test_str_keeps_a_text_that_was_given() -> None:
    assert str(FilterError(5, "no", "GetHeader")) == "(5, 'no', 'GetHeader')"


def test_an_unknown_code_has_a_text_too() -> None:
    assert "'" in str(ISAPIError(0x7FFFFFFF))


def test_hierarchy() -> None:
    assert issubclass(ExtensionError, ISAPIError)
    assert issubclass(FilterError, ISAPIError)
    assert ISAPIError.__bases__ == (Exception,)
    assert InternalReloadException.__bases__ == (Exception,)


def test_errors_can_be_copied_and_pickled() -> None:
    error = ExtensionError(64, None, "WriteClient")
    assert copy.copy(error).args == error.args
    assert pickle.loads(pickle.dumps(error)).errno == 64


def test_an_unknown_attribute_of_the_package_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        pyisapi.no_such_name  # noqa: B018
