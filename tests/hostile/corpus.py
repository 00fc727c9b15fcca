"""gunicorn's corpus of raw requests: fetched, checked, and read without gunicorn.

The corpus lies in gunicorn's source distribution, as pairs: NAME.http is a request in which line ends of the file
mean nothing and escapes stand for bytes; NAME.py says in Python what gunicorn makes of it. Those few forms of
expression that the .py files use are evaluated here on the syntax tree: nothing of gunicorn runs, nor is any of it
kept in the project. The archive is kept below target/ and trusted by its SHA-256 alone.
"""

from __future__ import annotations

import ast
import hashlib
import re
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

VERSION = "27.0.1"
SHA256 = "b1514965361c8b7e8107a80aa2a92636878df1ccfac6dd204a676426e04d9e3e"
FOLDER = Path(__file__).parents[2] / "target" / "corpus"
FETCH_LIMIT = 120.0


class NotFetched(Exception):
    """The archive cannot be had; the text says why."""


@dataclass(frozen=True)
class Expected:
    """One request as gunicorn reads it. Text is Latin-1."""

    method: str
    target: str
    version: tuple[int, int]
    fields: list[tuple[str, str]]
    body: str


@dataclass(frozen=True)
class Sample:
    """One pair of files."""

    name: str
    data: bytes
    expected: list[Expected]
    """Empty when gunicorn refuses."""
    settings: dict[str, Any] = field(default_factory=dict)
    """What gunicorn is told beyond its defaults."""


def samples(kind: str) -> list[Sample]:
    """Return the samples of a kind, `valid` or `invalid`."""
    with tarfile.open(archive()) as tar:
        files = {
            Path(member.name).name: opened.read()
            for member in tar.getmembers()
            if f"/tests/requests/{kind}/" in member.name and (opened := tar.extractfile(member))
        }
    names = sorted(name.removesuffix(".http") for name in files if name.endswith(".http"))
    return [_sample(name, files[f"{name}.http"], files[f"{name}.py"].decode("utf-8")) for name in names]


def archive() -> Path:
    """Return the archive, which is fetched by pip unless it is there."""
    place = FOLDER / f"gunicorn-{VERSION}.tar.gz"
    if not _is_right(place):
        fetch = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", "gunicorn"]
        fetch += ["--disable-pip-version-check", "--dest", str(FOLDER), f"gunicorn=={VERSION}"]
        try:
            done = subprocess.run(fetch, capture_output=True, text=True, timeout=FETCH_LIMIT, check=False)
        except subprocess.TimeoutExpired:
            raise NotFetched(f"not fetched within {FETCH_LIMIT:.0f} s") from None
        if not place.exists():
            raise NotFetched(done.stderr.strip()[-400:])
        assert _is_right(place), f"{place} is not the archive that the tests are written for"
    return place


def _is_right(place: Path) -> bool:
    return place.is_file() and hashlib.sha256(place.read_bytes()).hexdigest() == SHA256


def _sample(name: str, http: bytes, python: str) -> Sample:
    names, settings = _read(ast.parse(python))
    request = names.get("request")
    requests = request if isinstance(request, list) else [request] if isinstance(request, dict) else []
    return Sample(name, _unescaped(http), [_expected(request) for request in requests], settings)


ESCAPES = {b"\\r": b"\r", b"\\n": b"\n", b"\\t": b"\t", b"\\0": b"\0"}


def _unescaped(http: bytes) -> bytes:
    def byte(match: re.Match[bytes]) -> bytes:
        return bytes.fromhex(match[1].decode()) if match[1] else ESCAPES[match[0]]

    return re.sub(rb"\\x([0-9A-Fa-f]{2})|\\[rnt0]", byte, http.replace(b"\n", b""))


def _expected(request: dict[str, Any]) -> Expected:
    body = request["body"]
    fields = sorted(request["headers"], key=lambda field: str(field[0]))
    text = body.decode("latin-1") if isinstance(body, bytes) else body
    return Expected(request["method"], request["uri"], request["version"], fields, text)


def _read(module: ast.Module) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the module's variables, and the settings that it changes."""
    names: dict[str, Any] = {}
    settings: dict[str, Any] = {}
    for statement in module.body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                names[name] = _value(value, names)
            case ast.Expr(
                value=ast.Call(func=ast.Attribute(attr="set"), args=[ast.Constant(value=key), value])
            ):
                settings[str(key)] = _value(value, names)
            case ast.ImportFrom() | ast.Import() | ast.Expr(value=ast.Constant()):
                pass
            case _:
                raise ValueError(f"line {statement.lineno}: a statement of a form not known here")
    return names, settings


def _value(node: ast.expr, names: dict[str, Any]) -> Any:
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Name(id=name):
            return names.get(name)
        case ast.List(elts=elements):
            return [_value(element, names) for element in elements]
        case ast.Tuple(elts=elements):
            return tuple(_value(element, names) for element in elements)
        case ast.Dict(keys=keys, values=values):
            return dict(_pairs(keys, values, names))
        case ast.Call(func=ast.Name(id="uri"), args=[argument]):
            return _value(argument, names)
        case ast.Call(func=ast.Name(id="Config")):
            return None
        case ast.Call(
            func=ast.Attribute(value=text, attr="replace" | "encode" | "decode" as method), args=arguments
        ):
            return getattr(_value(text, names), method)(*(_value(argument, names) for argument in arguments))
    raise ValueError(f"line {node.lineno}: an expression of a form not known here: {ast.dump(node)[:200]}")


def _pairs(
    keys: list[ast.expr | None], values: list[ast.expr], names: dict[str, Any]
) -> Iterator[tuple[str, Any]]:
    for key, value in zip(keys, values, strict=True):
        assert isinstance(key, ast.Constant)
        yield str(key.value), _value(value, names)
