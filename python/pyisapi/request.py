"""The request in Python's terms: headers, path, query, cookies and body.

Every function takes the control block of a request that is not finished, and may be called on any thread;
what it returns stays usable afterwards. What the client got wrong is a :class:`RequestError`, whose
``status`` is the answer. Nothing here writes: see :mod:`pyisapi.response`.
"""

from __future__ import annotations

import contextlib
import json as _json
from types import TracebackType
from typing import IO, Any, NoReturn, Self

from pyisapi._request_body import body
from pyisapi._request_fields import Fields, Headers, cookie_pairs, urlencoded
from pyisapi._request_multipart import FormLimits, UploadedFile, parts
from pyisapi._request_parameters import value_and_parameters
from pyisapi._request_source import RequestError, RequestSource

__all__ = [
    "Fields",
    "Form",
    "FormLimits",
    "Headers",
    "RequestError",
    "RequestSource",
    "UploadedFile",
    "body",
    "cookies",
    "form",
    "headers",
    "json",
    "path",
    "query",
]


def headers(ecb: RequestSource) -> Headers:
    """Return the request's headers; the server is asked for them when the first one is read."""
    return Headers(lambda: ecb.GetServerVariable("ALL_RAW", b""))


def path(ecb: RequestSource) -> str:
    """Return the path of the URL, decoded: the whole path, with the prefix that the script is served at.

    The server has decoded it, once. Bytes that are not UTF-8 are U+FFFD.
    """
    decoded = ecb.GetServerVariable("UNICODE_PATH_INFO", None)
    return decoded if isinstance(decoded, str) else ecb.PathInfo.decode("utf-8", "replace")


def query(ecb: RequestSource, max_fields: int = 1000) -> Fields[str]:
    """Return the fields of the URL's query, decoded as by ``urllib.parse``; blank values are kept."""
    return urlencoded(ecb.QueryString.decode("utf-8", "replace"), max_fields)


def cookies(ecb: RequestSource) -> Fields[str]:
    """Return the cookies. Of two with one name the first is the more specific; bytes not UTF-8 are U+FFFD."""
    header = "; ".join(headers(ecb).get_all("Cookie"))
    return Fields(cookie_pairs(header.encode("iso-8859-1").decode("utf-8", "replace")))


def json(ecb: RequestSource, max_bytes: int = 1024 * 1024) -> Any:
    """Read the body as JSON and return its value.

    Status 415 if the content type is not JSON, 400 if the text is not (NaN and Infinity are not), 413 if it
    is longer than ``max_bytes``.
    """
    media_type, _ = _content_type(ecb)
    if media_type != "application/json" and not media_type.endswith("+json"):
        raise RequestError(415, "the body is not of type application/json")
    text = body(ecb, max_bytes).read()
    try:
        return _json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise RequestError(400, "the body is not valid JSON") from None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


class Form:
    """The fields and the files of a form; a context manager, which closes and so deletes the files."""

    fields: Fields[str]
    files: Fields[UploadedFile]

    def __init__(self) -> None:
        self.fields, self.files = Fields(), Fields()
        self._open_files = contextlib.ExitStack()

    def close(self) -> None:
        """Close the files."""
        self._open_files.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _keep(self, file: IO[bytes]) -> None:
        self._open_files.enter_context(file)


def form(ecb: RequestSource, limits: FormLimits | None = None) -> Form:
    """Read the body as a form, urlencoded or multipart, and return its fields and files.

    Use it in a ``with`` statement. Text is UTF-8, with U+FFFD for what is not. Status 415 if the body is no
    form, 400 if it is malformed, 413 if it passes a limit.
    """
    limits = limits or FormLimits()
    media_type, parameters = _content_type(ecb)
    taken = Form()
    if media_type == "application/x-www-form-urlencoded":
        taken.fields = _urlencoded_body(ecb, limits)
    elif media_type == "multipart/form-data":
        _take_multipart(taken, ecb, parameters.get("boundary", ""), limits)
    else:
        raise RequestError(415, "the body is not a form")
    return taken


def _urlencoded_body(ecb: RequestSource, limits: FormLimits) -> Fields[str]:
    text = body(ecb, limits.max_bytes).read()
    if text.count(b"&") >= limits.max_fields:
        raise RequestError(413, f"the form has more than {limits.max_fields} fields")
    fields = urlencoded(text.decode("utf-8", "replace"), limits.max_fields)
    if any(len(value.encode()) > limits.max_field_bytes for _, value in fields.pairs()):
        raise RequestError(413, f"a field of the form is longer than {limits.max_field_bytes} bytes")
    return fields


def _take_multipart(taken: Form, ecb: RequestSource, boundary: str, limits: FormLimits) -> None:
    fields: list[tuple[str, str]] = []
    files: list[tuple[str, UploadedFile]] = []
    try:
        for name, value in parts(body(ecb, limits.max_bytes), boundary, limits, taken._keep):
            if isinstance(value, str):
                fields.append((name, value))
            else:
                files.append((name, value))
    except BaseException:
        taken.close()
        raise
    taken.fields, taken.files = Fields(fields), Fields(files)


def _content_type(ecb: RequestSource) -> tuple[str, dict[str, str]]:
    return value_and_parameters(ecb.ContentType.decode("iso-8859-1")) or ("", {})
