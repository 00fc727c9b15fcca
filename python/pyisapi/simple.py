"""The simplest base classes: one for extensions, one for filters.

A script derives from one of them, overrides ``HttpExtensionProc`` or ``HttpFilterProc`` and returns an
instance from ``__ExtensionFactory__`` or ``__FilterFactory__``. All methods are called on the server's own
threads, many at once. A handler needs no base class; these only save the version methods.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyisapi._bridge import (
        EXTENSION_CONTROL_BLOCK,
        HSE_VERSION_INFO,
        HTTP_FILTER_CONTEXT,
        HTTP_FILTER_VERSION,
    )

# What the description fields of the two version structs hold, without their final NUL.
_MAX_EXTENSION_DESC_BYTES = 255
_MAX_FILTER_DESC_BYTES = 256


class SimpleExtension:
    """Base class of extensions that answer on the server's thread."""

    def __init__(self) -> None:
        """Do nothing; subclasses need not call this."""

    def GetExtensionVersion(self, vi: HSE_VERSION_INFO | None) -> Any:
        """Describe the extension to the server by its docstring; ``vi`` is None after a reload."""
        if vi is not None:
            vi.ExtensionDesc = _description(self, _MAX_EXTENSION_DESC_BYTES)

    def HttpExtensionProc(self, control_block: EXTENSION_CONTROL_BLOCK) -> int:
        """Answer one request and return an ``HSE_STATUS`` value; subclasses override this."""
        raise NotImplementedError(f"{type(self).__name__} must override HttpExtensionProc")

    def TerminateExtension(self, status: int) -> Any:
        """End the extension; ``status`` holds the server's flags, or 0 for a reload."""


class SimpleFilter:
    """Base class of filters; ``filter_flags`` names the notifications that it wants."""

    filter_flags: int | None = None

    def __init__(self) -> None:
        """Do nothing; subclasses need not call this."""

    def GetFilterVersion(self, fv: HTTP_FILTER_VERSION | None) -> Any:
        """Tell the server which notifications to send; ``fv`` is None after a reload."""
        if self.filter_flags is None:
            raise RuntimeError(f"{type(self).__name__} must set filter_flags to the notifications it wants")
        if fv is not None:
            fv.Flags = self.filter_flags
            fv.FilterDesc = _description(self, _MAX_FILTER_DESC_BYTES)

    def HttpFilterProc(self, fc: HTTP_FILTER_CONTEXT) -> int | None:
        """Handle one notification and return an ``SF_STATUS`` value; subclasses override this."""
        raise NotImplementedError(f"{type(self).__name__} must override HttpFilterProc")

    def TerminateFilter(self, status: int) -> Any:
        """End the filter; ``status`` holds the server's flags, or 0 for a reload."""


def _description(handler: object, max_bytes: int) -> str:
    """Return the handler's docstring, else its class name, cut to what the field holds as UTF-8."""
    text = handler.__doc__ or type(handler).__name__
    # Cut between characters: decoding drops the broken rest of the last one.
    return text.encode()[:max_bytes].decode(errors="ignore")
