"""Values by name where a name may come several times: query, cookies, form fields and headers.

Read-only mappings, built once by whoever parsed the text; safe on any thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from typing import Generic, TypeVar
from urllib.parse import parse_qsl

from pyisapi._request_source import RequestError

Value = TypeVar("Value")


class Fields(Mapping[str, Value], Generic[Value]):
    """A read-only mapping of names to their first value; the others are in ``get_list`` and ``pairs``.

    As a mapping it has each name once, in the order in which the names first came.
    """

    def __init__(self, pairs: Iterable[tuple[str, Value]] = ()) -> None:
        self._values: dict[str, list[Value]] = {}
        self._pairs = list(pairs)
        for name, value in self._pairs:
            self._values.setdefault(name, []).append(value)

    def __getitem__(self, name: str) -> Value:
        return self._values[name][0]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._pairs!r})"

    def get_list(self, name: str) -> list[Value]:
        """Return all values of a name, as they came; an empty list if there is none."""
        return list(self._values.get(name, ()))

    def pairs(self) -> list[tuple[str, Value]]:
        """Return every name with its value, as they came."""
        return list(self._pairs)


class Headers(Mapping[str, str]):
    """The headers of a request or a part: a read-only mapping, in which the case of names does not count.

    The values of a name that came several times are one value with commas (semicolons for cookies);
    ``get_all`` has them apart. Text is ISO-8859-1, so every byte is one character. ``read`` is called when
    the first header is asked for.
    """

    def __init__(self, read: Callable[[], bytes]) -> None:
        self._read = read

    def __getitem__(self, name: str) -> str:
        values = self.get_all(name)
        if not values:
            raise KeyError(name)
        return ("; " if name.lower() == "cookie" else ", ").join(values)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names.values())

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._names

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._lines!r})"

    def get_all(self, name: str) -> list[str]:
        """Return the values of each line of that name, as they came; an empty list if there is none."""
        return self._by_name.get_list(name.lower())

    def lines(self) -> list[tuple[str, str]]:
        """Return every line as name and value, as they came."""
        return list(self._lines)

    @cached_property
    def _lines(self) -> list[tuple[str, str]]:
        return list(_header_lines(self._read().decode("iso-8859-1")))

    @cached_property
    def _names(self) -> dict[str, str]:
        """Each name as it was first written, in the order in which they came, by its lower-case form."""
        names: dict[str, str] = {}
        for name, _ in self._lines:
            names.setdefault(name.lower(), name)
        return names

    @cached_property
    def _by_name(self) -> Fields[str]:
        return Fields((name.lower(), value) for name, value in self._lines)


def _header_lines(block: str) -> Iterator[tuple[str, str]]:
    """Yield the lines of a header block; servers differ in the line end, in letter case and in folding."""
    unfolded = block.replace("\r\n", "\n").replace("\n ", " ").replace("\n\t", " ")
    for line in unfolded.split("\n"):
        name, colon, value = line.partition(":")
        if colon and name.strip():
            yield name.strip(), value.strip(" \t\r")


def urlencoded(text: str, max_fields: int) -> Fields[str]:
    """Parse "a=1&b=2" as ``urllib.parse`` does, blank values kept; 400 when there are too many fields."""
    try:
        return Fields(
            parse_qsl(
                text, keep_blank_values=True, encoding="utf-8", errors="replace", max_num_fields=max_fields
            )
        )
    except ValueError:
        raise RequestError(400, f"there are more than {max_fields} fields") from None


def cookie_pairs(header: str) -> Iterator[tuple[str, str]]:
    """Yield the cookies of a header; what is no pair is left out, as clients send all kinds of things."""
    for part in header.split(";"):
        name, equals, value = part.partition("=")
        value = value.strip()
        if equals and name.strip():
            yield name.strip(), value[1:-1] if len(value) > 1 and value[0] == value[-1] == '"' else value
