"""The old name of :mod:`pyisapi`.

The submodules of this package are those of pyisapi, the very same objects. Inside a server ``isapi`` is
pyisapi itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyisapi
from pyisapi import ExtensionError as ExtensionError
from pyisapi import FilterError as FilterError
from pyisapi import InternalReloadException as InternalReloadException
from pyisapi import ISAPIError as ISAPIError
from pyisapi import __version__ as __version__

if TYPE_CHECKING:
    from pyisapi import EXTENSION_CONTROL_BLOCK as EXTENSION_CONTROL_BLOCK
    from pyisapi import HSE_VERSION_INFO as HSE_VERSION_INFO
    from pyisapi import HTTP_FILTER_CONTEXT as HTTP_FILTER_CONTEXT
    from pyisapi import HTTP_FILTER_VERSION as HTTP_FILTER_VERSION


def __getattr__(name: str) -> object:
    """Look everything else up in pyisapi."""
    if name.startswith("__"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(pyisapi, name)
