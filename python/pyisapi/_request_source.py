"""What the request helpers need to know of a control block, and how they say that a request is bad.

A protocol and not the native class, so that the helpers also take an object that a script has wrapped around
the control block, and a plain stand-in in tests.
"""

from __future__ import annotations

from typing import Any, Protocol


class RequestSource(Protocol):
    """The part of ``EXTENSION_CONTROL_BLOCK`` that tells about the request."""

    @property
    def TotalBytes(self) -> int: ...
    @property
    def AvailableData(self) -> bytes: ...
    @property
    def QueryString(self) -> bytes: ...
    @property
    def PathInfo(self) -> bytes: ...
    @property
    def ContentType(self) -> bytes: ...
    def ReadClient(self, n: int, /) -> bytes: ...
    def GetServerVariable(self, name: str, default: bytes | None, /) -> Any: ...


class RequestError(Exception):
    """The client's request cannot be used; ``status`` is the HTTP status to answer: 400, 413 or 415.

    The text is for the client as well: it holds nothing that the server alone knows.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(status, reason)
        self.status = status
        self.reason = reason

    def __str__(self) -> str:
        return self.reason
