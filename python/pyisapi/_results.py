"""What some methods of ``EXTENSION_CONTROL_BLOCK`` return: plain tuples with names.

The native part makes them; a script needs this module for annotations only.
"""

from __future__ import annotations

from typing import AnyStr, Generic, NamedTuple


class MappedURL(NamedTuple, Generic[AnyStr]):
    """Where a URL of this site leads, of ``MapURLToPathEx``."""

    path: AnyStr
    """The file-system path, of the URL's own type; the file need not exist."""
    flags: int
    """What the place allows and demands: ``HSE_URL_FLAGS_*``, or-ed."""
    matching_path: int
    """How many characters of ``path`` the virtual directory accounts for."""
    matching_url: int
    """How many characters of the URL the virtual directory accounts for."""


class TraceInfo(NamedTuple):
    """The server's trace of a request, of ``GetTraceInfo``."""

    traced: bool
    """Whether the server traces this request."""
    context_id: bytes
    """The request's GUID, 16 bytes in Windows order: ``uuid.UUID(bytes_le=context_id)``."""


class Certificate(NamedTuple):
    """The client's certificate, of ``GetCertInfo``."""

    encoded: bytes
    """The certificate in DER; empty if the client sent none."""
    encoding_type: int
    """How it is encoded; 1 is X.509."""
    flags: int
    """The server's ``dwCertificateFlags``, as they are."""
