"""Python inside a web server through ISAPI.

This module owns what every script shares: the exceptions, the version and the way to the native loader.
Importing it loads nothing native and changes nothing, so it is safe anywhere, also off Windows.
The base classes are in :mod:`pyisapi.simple`, :mod:`pyisapi.threaded_extension` and :mod:`pyisapi.filters`,
the constants in :mod:`pyisapi.isapicon`. The name ``isapi`` is an alias of this package.
"""

from __future__ import annotations

import importlib.machinery
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pyisapi._error_text import describe

if TYPE_CHECKING:
    from pyisapi._bridge import EXTENSION_CONTROL_BLOCK as EXTENSION_CONTROL_BLOCK
    from pyisapi._bridge import HSE_VERSION_INFO as HSE_VERSION_INFO
    from pyisapi._bridge import HTTP_FILTER_CONTEXT as HTTP_FILTER_CONTEXT
    from pyisapi._bridge import HTTP_FILTER_VERSION as HTTP_FILTER_VERSION

__version__ = "0.1.0"

__all__ = [
    "ExtensionError",
    "FilterError",
    "ISAPIError",
    "InternalReloadException",
    "__version__",
    "loader_path",
]

_NATIVE_TYPES = frozenset(
    {"EXTENSION_CONTROL_BLOCK", "HSE_VERSION_INFO", "HTTP_FILTER_CONTEXT", "HTTP_FILTER_VERSION"}
)


class ISAPIError(Exception):
    """A call to the web server failed; ``errno`` is the Win32 error code, on every platform."""

    def __init__(self, errno: int, strerror: str | None = None, funcname: str | None = None) -> None:
        super().__init__(errno, strerror, funcname)
        self.errno = errno
        self.strerror = strerror
        self.funcname = funcname

    def __str__(self) -> str:
        # Looked up only now: most errors are caught (the client has gone) and never shown.
        if self.strerror is None:
            self.strerror = describe(self.errno)
        return str((self.errno, self.strerror, self.funcname))


class ExtensionError(ISAPIError):
    """A call through an ``EXTENSION_CONTROL_BLOCK`` failed."""


class FilterError(ISAPIError):
    """A call through an ``HTTP_FILTER_CONTEXT`` or one of its data objects failed."""


class InternalReloadException(Exception):
    """Raised by a handler to have its module reloaded and the same call repeated."""


def loader_path() -> Path:
    """Return the path of the template loader library, which is copied beside each script.

    Raises FileNotFoundError when this installation has no native parts.
    """
    package = Path(__file__).resolve().parent
    own_suffix = ".dll" if sys.platform == "win32" else ".so"
    # The wheel builder names every library like an extension module (`_loader.abi3.so`).
    suffixes = dict.fromkeys([own_suffix, *importlib.machinery.EXTENSION_SUFFIXES])
    for suffix in suffixes:
        candidate = package / f"_loader{suffix}"
        if candidate.is_file():
            return candidate
    raise FileNotFoundError(
        f"ISAPI0092 the loader library is missing: {package} has none of "
        + ", ".join(f"_loader{suffix}" for suffix in suffixes)
        + "; install pyisapi from a wheel, or build its native parts"
    )


def __getattr__(name: str) -> object:
    """Fetch the native types, which are meant for annotations, when they are first asked for."""
    if name in _NATIVE_TYPES:
        from pyisapi import _bridge

        return getattr(_bridge, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
