"""The requests of ServerSupportFunction as a server sees them: what their structs say, and what it fills in.

`given` reads what a request was given, at the moment of the call of `given`; `answer` does what a well-behaved
server does. The other half is foreign_server.py.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from ctypes import c_char, c_char_p, c_int, c_uint16, c_uint32, c_uint64, c_void_p
from typing import Any, ClassVar

TOKEN = 0xFEDCBA9876543210

SEND_URL = 2
DONE_WITH_SESSION = 4
MAP_URL_TO_PATH = 1001
APPEND_LOG = 1003
IO_COMPLETION = 1005
TRANSMIT_FILE = 1006
ASYNC_READ_CLIENT = 1010
GET_IMPERSONATION_TOKEN = 1011
MAP_URL_TO_PATH_EX = 1012
GET_CERT_INFO_EX = 1015
IS_CONNECTED = 1018
MAP_UNICODE_URL_TO_PATH = 1023
MAP_UNICODE_URL_TO_PATH_EX = 1024
EXEC_UNICODE_URL = 1025
EXEC_URL = 1026
GET_EXEC_URL_STATUS = 1027
SEND_CUSTOM_ERROR = 1028
IS_IN_PROCESS = 1030
REPORT_UNHEALTHY = 1032
NORMALIZE_URL = 1033
VECTOR_SEND = 1037
GET_ANONYMOUS_TOKEN = 1038
GET_UNICODE_ANONYMOUS_TOKEN = 1041
GET_TRACE_INFO = 1042
SET_FLUSH_FLAG = 1043
GET_CHANNEL_BINDING_TOKEN = 1050

ASYNC = 2


class ExecUrlInfo(ctypes.Structure):
    """HSE_EXEC_URL_INFO, and HSE_EXEC_UNICODE_URL_INFO, of httpext.h."""

    _fields_: ClassVar = [
        ("pszUrl", c_void_p),
        ("pszMethod", c_char_p),
        ("pszChildHeaders", c_char_p),
        ("pUserInfo", c_void_p),
        ("pEntity", c_void_p),
        ("dwExecUrlFlags", c_uint32),
    ]


class UserInfo(ctypes.Structure):
    """HSE_EXEC_URL_USER_INFO of httpext.h."""

    _fields_: ClassVar = [("token", c_void_p), ("name", c_void_p), ("kind", c_char_p)]


class Entity(ctypes.Structure):
    """HSE_EXEC_URL_ENTITY_INFO of httpext.h."""

    _fields_: ClassVar = [("cbAvailable", c_uint32), ("lpbData", c_void_p)]


class VectorElement(ctypes.Structure):
    """HSE_VECTOR_ELEMENT of httpext.h."""

    _fields_: ClassVar = [
        ("ElementType", c_uint32),
        ("pvContext", c_void_p),
        ("cbOffset", c_uint64),
        ("cbSize", c_uint64),
    ]


class ResponseVector(ctypes.Structure):
    """HSE_RESPONSE_VECTOR of httpext.h."""

    _fields_: ClassVar = [
        ("dwFlags", c_uint32),
        ("pszStatus", c_char_p),
        ("pszHeaders", c_char_p),
        ("nElementCount", c_uint32),
        ("lpElementArray", ctypes.POINTER(VectorElement)),
    ]


class CustomError(ctypes.Structure):
    """HSE_CUSTOM_ERROR_INFO of httpext.h."""

    _fields_: ClassVar = [("pszStatus", c_char_p), ("uHttpSubError", c_uint16), ("fAsync", c_int)]


class TransmitInfo(ctypes.Structure):
    """HSE_TF_INFO of httpext.h."""

    _fields_: ClassVar = [
        ("pfnHseIO", c_void_p),
        ("pContext", c_void_p),
        ("hFile", c_void_p),
        ("pszStatusCode", c_char_p),
        ("BytesToWrite", c_uint32),
        ("Offset", c_uint32),
        ("pHead", c_void_p),
        ("HeadLength", c_uint32),
        ("pTail", c_void_p),
        ("TailLength", c_uint32),
        ("dwFlags", c_uint32),
    ]


class MapInfo(ctypes.Structure):
    """HSE_URL_MAPEX_INFO of httpext.h."""

    _fields_: ClassVar = [("lpszPath", c_char * 260), ("numbers", c_uint32 * 3), ("reserved", c_uint32 * 2)]


class UnicodeMapInfo(ctypes.Structure):
    """HSE_UNICODE_URL_MAPEX_INFO of httpext.h."""

    _fields_: ClassVar = [("lpszPath", c_uint16 * 260), ("numbers", c_uint32 * 3)]


class CertInfo(ctypes.Structure):
    """CERT_CONTEXT_EX of httpext.h."""

    _fields_: ClassVar = [
        ("dwCertEncodingType", c_uint32),
        ("pbCertEncoded", c_void_p),
        ("cbCertEncoded", c_uint32),
        ("pCertInfo", c_void_p),
        ("hCertStore", c_void_p),
        ("cbAllocated", c_uint32),
        ("dwCertificateFlags", c_uint32),
    ]


def wide_text(place: int | None) -> str | None:
    """Read NUL-terminated UTF-16."""
    if not place:
        return None
    units: list[int] = []
    while unit := c_uint16.from_address(place + 2 * len(units)).value:
        units.append(unit)
    return b"".join(unit.to_bytes(2, "little") for unit in units).decode("utf-16-le")


def narrow_text(place: int | None) -> bytes | None:
    return ctypes.string_at(place) if place else None


# What requests are given


def exec_url(buffer: int, text: Callable[[int | None], object]) -> tuple[object, ...]:
    info = ExecUrlInfo.from_address(buffer)
    user, entity = None, None
    if info.pUserInfo:
        member = UserInfo.from_address(info.pUserInfo)
        user = (member.token, text(member.name), member.kind)
    if info.pEntity:
        body = Entity.from_address(info.pEntity)
        entity = ctypes.string_at(body.lpbData, body.cbAvailable)
    return (text(info.pszUrl), info.pszMethod, info.pszChildHeaders, user, entity, info.dwExecUrlFlags)


def vector(buffer: int) -> tuple[object, ...]:
    info = ResponseVector.from_address(buffer)
    elements: list[object] = []
    for element in info.lpElementArray[: info.nElementCount]:
        if element.ElementType == 0:
            elements.append(ctypes.string_at(element.pvContext + element.cbOffset, element.cbSize))
        else:
            elements.append((element.pvContext, element.cbOffset, element.cbSize))
    return (info.dwFlags, info.pszStatus, info.pszHeaders, elements)


def transmission(buffer: int) -> tuple[object, ...]:
    info = TransmitInfo.from_address(buffer)
    head = ctypes.string_at(info.pHead, info.HeadLength) if info.pHead else None
    tail = ctypes.string_at(info.pTail, info.TailLength) if info.pTail else None
    return (info.hFile, info.pszStatusCode, info.BytesToWrite, info.Offset, head, tail, info.dwFlags)


def custom_error(buffer: int) -> tuple[object, ...]:
    info = CustomError.from_address(buffer)
    return (info.pszStatus, info.uHttpSubError, info.fAsync)


def given(request: int, buffer: int, size: int, kind: int) -> object:
    """Return what a request was given."""
    if request == SET_FLUSH_FLAG:
        return buffer or 0
    if request == DONE_WITH_SESSION:
        return c_uint32.from_address(buffer).value
    if request == ASYNC_READ_CLIENT:
        return (c_uint32.from_address(size).value, c_uint32.from_address(kind).value)
    if request in (MAP_URL_TO_PATH_EX, SEND_URL):
        return (ctypes.string_at(buffer), c_uint32.from_address(size).value)
    if request == MAP_UNICODE_URL_TO_PATH_EX:
        return (wide_text(buffer), c_uint32.from_address(size).value)
    reader = READERS.get(request)
    return reader(buffer) if reader else None


READERS: dict[int, Callable[[int], object]] = {
    EXEC_URL: lambda buffer: exec_url(buffer, narrow_text),
    EXEC_UNICODE_URL: lambda buffer: exec_url(buffer, wide_text),
    VECTOR_SEND: vector,
    TRANSMIT_FILE: transmission,
    SEND_CUSTOM_ERROR: custom_error,
    GET_ANONYMOUS_TOKEN: narrow_text,
    GET_UNICODE_ANONYMOUS_TOKEN: wide_text,
    MAP_UNICODE_URL_TO_PATH: wide_text,
    NORMALIZE_URL: narrow_text,
    REPORT_UNHEALTHY: narrow_text,
    APPEND_LOG: narrow_text,
}


def is_asynchronous(request: int, buffer: int) -> bool:
    """Whether the request ends with a completion."""
    if request == VECTOR_SEND:
        return bool(ResponseVector.from_address(buffer).dwFlags & ASYNC)
    if request == TRANSMIT_FILE:
        return bool(TransmitInfo.from_address(buffer).dwFlags & ASYNC)
    if request == SEND_CUSTOM_ERROR:
        return bool(CustomError.from_address(buffer).fAsync)
    return request in (ASYNC_READ_CLIENT, EXEC_URL, EXEC_UNICODE_URL)


# What a well-behaved server answers; the result is the error, 0 for none


def answer(server: Any, request: int, buffer: int, size: int, kind: int) -> int:
    """Do what the request asks, from the attributes of the server."""
    if request in (GET_ANONYMOUS_TOKEN, GET_UNICODE_ANONYMOUS_TOKEN):
        c_void_p.from_address(size).value = TOKEN
    elif request == MAP_UNICODE_URL_TO_PATH:
        return map_unicode(server.path, buffer, c_uint32.from_address(size))
    elif request == MAP_URL_TO_PATH_EX:
        fill_map(MapInfo.from_address(kind), server.path.encode())
    elif request == MAP_UNICODE_URL_TO_PATH_EX:
        fill_map(UnicodeMapInfo.from_address(kind), server.path.encode("utf-16-le"))
    elif request == GET_CERT_INFO_EX:
        return certificate(server.certificate, CertInfo.from_address(buffer))
    elif request == GET_CHANNEL_BINDING_TOKEN:
        c_void_p.from_address(buffer).value = ctypes.cast(server.token, c_void_p).value
        c_uint32.from_address(size).value = len(server.token)
    elif request in FILLED:
        ctypes.memmove(buffer, FILLED[request], len(FILLED[request]))
    return 0


FILLED = {
    GET_IMPERSONATION_TOKEN: TOKEN.to_bytes(8, "little"),
    GET_EXEC_URL_STATUS: (404).to_bytes(2, "little") + (13).to_bytes(2, "little") + b"\xfe\xff\xff\xff",
    IS_CONNECTED: b"\2\0\0\0",
    IS_IN_PROCESS: b"\0\0\0\0",
    GET_TRACE_INFO: b"\1\0\0\0" + bytes(range(16)) + b"\xff" * 8,
    NORMALIZE_URL: b"/a b\0",
}


def fill_map(info: Any, path: bytes) -> None:
    ctypes.memmove(ctypes.addressof(info), path, len(path))
    info.numbers[:] = [0x201, 7, 2]


def map_unicode(path: str, buffer: int, size: c_uint32) -> int:
    encoded = (path + "\0").encode("utf-16-le")
    room, size.value = size.value, len(encoded)
    if room < len(encoded):
        return 122
    ctypes.memmove(buffer, encoded, len(encoded))
    return 0


def certificate(encoded: bytes, info: CertInfo) -> int:
    info.cbCertEncoded = len(encoded)
    if info.cbAllocated < len(encoded):
        return 122
    ctypes.memmove(info.pbCertEncoded, encoded, len(encoded))
    info.dwCertEncodingType, info.dwCertificateFlags = 1, 5
    return 0
