"""Header values with parameters, such as ``form-data; name="file"; filename="a.txt"``.

Pure. Bounded by the length of the text, which the server or the multipart parser bounds.
"""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

# A quoted string may hold semicolons, and quotes behind a backslash.
_PARAMETER = re.compile(r';\s*([^\s=;"]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;"]*))\s*')

_EXTENDED_CHARSETS = frozenset({"utf-8", "iso-8859-1"})


def value_and_parameters(text: str) -> tuple[str, dict[str, str]] | None:
    """Return the value in lower case and its parameters, names in lower case; None when it is malformed.

    Of parameters of one name the first counts. ``name*=utf-8''...`` takes precedence over ``name=``.
    """
    value, _, _ = text.partition(";")
    position = len(value)
    rest = text.rstrip(" \t;")
    parameters: dict[str, str] = {}
    while position < len(rest):
        found = _PARAMETER.match(rest, position)
        if found is None:
            return None
        name, quoted, plain = found.groups()
        parameters.setdefault(name.lower(), plain if quoted is None else _unescaped(quoted))
        position = found.end()
    return value.strip().lower(), {**parameters, **_extended(parameters)}


def _unescaped(quoted: str) -> str:
    r"""Undo ``\"`` and ``\\``. Another backslash is one: old clients send whole paths of Windows."""
    return re.sub(r'\\(["\\])', r"\1", quoted)


def _extended(parameters: dict[str, str]) -> dict[str, str]:
    """Decode the parameters that carry their own character set, under their plain names."""
    decoded = {}
    for name, text in parameters.items():
        charset, _, rest = text.partition("'")
        _, quote, escaped = rest.partition("'")
        if name.endswith("*") and quote and charset.lower() in _EXTENDED_CHARSETS:
            decoded[name[:-1]] = unquote_to_bytes(escaped).decode(charset, "replace")
    return decoded
