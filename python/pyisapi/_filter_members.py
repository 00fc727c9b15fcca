"""How events of :mod:`pyisapi.filters` show what the server gave: text, numbers, headers by name.

Text is UTF-8; bytes that are not come and go unchanged (``surrogateescape``). Header values are ISO-8859-1,
as everywhere in this package, so every byte is one character.
"""

from __future__ import annotations

from typing import Any, ClassVar, Protocol, Self, overload


class HasData(Protocol):
    """An event, as the members see it."""

    @property
    def data(self) -> Any:
        """The server's data object."""
        ...


def decoded(text: bytes | None) -> str:
    """Return what the server gave as text; empty for what is missing."""
    return (text or b"").decode("utf-8", "surrogateescape")


def encoded(text: str) -> bytes:
    """Return text as the server takes it."""
    return text.encode("utf-8", "surrogateescape")


class Text:
    """A text member that can only be read."""

    def __init__(self, member: str, doc: str) -> None:
        self._member, self.__doc__ = member, doc

    @overload
    def __get__(self, event: None, owner: type) -> Self: ...
    @overload
    def __get__(self, event: HasData, owner: type) -> str: ...
    def __get__(self, event: HasData | None, owner: type) -> Self | str:
        return self if event is None else decoded(getattr(event.data, self._member))

    def __set__(self, event: HasData, value: Any) -> None:
        raise AttributeError(f"{self._member} cannot be set")


class WritableText(Text):
    """A text member that can be set."""

    def __set__(self, event: HasData, value: str) -> None:
        setattr(event.data, self._member, encoded(value))


class Number:
    """A number that can only be read."""

    def __init__(self, member: str, doc: str) -> None:
        self._member, self.__doc__ = member, doc

    @overload
    def __get__(self, event: None, owner: type) -> Self: ...
    @overload
    def __get__(self, event: HasData, owner: type) -> int: ...
    def __get__(self, event: HasData | None, owner: type) -> Self | int:
        if event is None:
            return self
        number: int = getattr(event.data, self._member)
        return number

    def __set__(self, event: HasData, value: Any) -> None:
        raise AttributeError(f"{self._member} cannot be set")


class WritableNumber(Number):
    """A number that can be set."""

    def __set__(self, event: HasData, value: int) -> None:
        setattr(event.data, self._member, value)


class LineMember:
    """A part of the request or status line: ``url``, ``method``, ``version``, ``status``."""

    def __init__(self, name: str, doc: str) -> None:
        self._name, self.__doc__ = name, doc

    @overload
    def __get__(self, event: None, owner: type) -> Self: ...
    @overload
    def __get__(self, event: HasData, owner: type) -> str: ...
    def __get__(self, event: HasData | None, owner: type) -> Self | str:
        return self if event is None else decoded(event.data.GetHeader(self._name, b""))

    def __set__(self, event: HasData, value: str) -> None:
        event.data.SetHeader(self._name, encoded(value))


class MessageHeaders:
    """The headers of a request or response by name, without the colon. No server lists them.

    A missing one is a ``KeyError``. A line break in a name or value is a ``ValueError``, and nothing has
    changed. Setting an empty value deletes.
    """

    __slots__ = ("_data",)
    __iter__: ClassVar[None] = None

    def __init__(self, data: Any) -> None:
        self._data = data

    def __getitem__(self, name: str) -> str:
        value = self.get(name)
        if value is None:
            raise KeyError(name)
        return value

    def __setitem__(self, name: str, value: str) -> None:
        self._data.SetHeader(_key(name), value.encode("iso-8859-1"))

    def __delitem__(self, name: str) -> None:
        self[name]
        self._data.SetHeader(_key(name), b"")

    def __contains__(self, name: str) -> bool:
        return self.get(name) is not None

    @overload
    def get(self, name: str, default: None = None) -> str | None: ...
    @overload
    def get(self, name: str, default: str) -> str: ...
    def get(self, name: str, default: str | None = None) -> str | None:
        """Return a header's value, or the default."""
        value: bytes | None = self._data.GetHeader(_key(name), None)
        return default if value is None else value.decode("iso-8859-1")

    def add(self, name: str, value: str) -> None:
        """Add a line, beside those of the same name."""
        self._data.AddHeader(_key(name), value.encode("iso-8859-1"))


def _key(name: str) -> str:
    if not name or ":" in name:
        raise ValueError(f"not a header's name: {name!r}")
    return name + ":"
