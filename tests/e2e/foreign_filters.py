"""The fabricated server's side of filters: the structs of httpfilt.h, and callbacks that record what they were given.

A source finds it as `filters`. `load` puts a filter script into the server's folder and calls GetFilterVersion;
`notify` makes one notification, whose handler is a function of the source, on the connection `connection`.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from ctypes import POINTER, c_char, c_char_p, c_int, c_size_t, c_uint32, c_void_p
from typing import Any, ClassVar

FILTER = """
made = []

class Filter:
    def __init__(self):
        made.append("made")

    def __del__(self):
        made.append("released")

    def GetFilterVersion(self, fv):
        if fv is not None:
            fv.Flags, fv.FilterDesc = 0x4000, __name__

    def HttpFilterProc(self, fc):
        return handler(fc)

    def TerminateFilter(self, status):
        made.append(("terminated", status))

def __FilterFactory__():
    return Filter()
"""

READ_RAW, PREPROC, AUTHENTICATION, URL_MAP, DENIED = 0x8000, 0x4000, 0x2000, 0x1000, 0x800
SEND_RAW, LOG, END_OF_CONNECTION, END_OF_REQUEST, SEND_RESPONSE = 0x400, 0x200, 0x100, 0x80, 0x40
AUTH_COMPLETE = 0x04000000
NEVER_WAITS = 0x7079_0001
NEXT = 0x08000002

VALUE = ctypes.CFUNCTYPE(c_int, c_void_p, c_char_p, c_void_p, POINTER(c_uint32), use_errno=True)
TEXT = ctypes.CFUNCTYPE(c_int, c_void_p, c_char_p, c_uint32, use_errno=True)
WRITE = ctypes.CFUNCTYPE(c_int, c_void_p, c_void_p, POINTER(c_uint32), c_uint32, use_errno=True)
ALLOCATE = ctypes.CFUNCTYPE(c_void_p, c_void_p, c_uint32, c_uint32, use_errno=True)
SUPPORT = ctypes.CFUNCTYPE(c_int, c_void_p, c_uint32, c_void_p, c_size_t, c_size_t, use_errno=True)
CHANGE = ctypes.CFUNCTYPE(c_int, c_void_p, c_char_p, c_char_p, use_errno=True)
TOKEN = ctypes.CFUNCTYPE(c_int, c_void_p, POINTER(c_void_p), use_errno=True)


class Version(ctypes.Structure):
    """HTTP_FILTER_VERSION."""

    _fields_: ClassVar = [
        ("server", c_uint32),
        ("filter", c_uint32),
        ("text", c_char * 257),
        ("flags", c_uint32),
    ]


class Context(ctypes.Structure):
    """HTTP_FILTER_CONTEXT."""

    _fields_: ClassVar = [
        ("cbSize", c_uint32),
        ("Revision", c_uint32),
        ("ServerContext", c_void_p),
        ("ulReserved", c_uint32),
        ("fIsSecurePort", c_int),
        ("pFilterContext", c_void_p),
        ("GetServerVariable", VALUE),
        ("AddResponseHeaders", TEXT),
        ("WriteClient", WRITE),
        ("AllocMem", ALLOCATE),
        ("ServerSupportFunction", SUPPORT),
    ]


class Headers(ctypes.Structure):
    """HTTP_FILTER_PREPROC_HEADERS and HTTP_FILTER_SEND_RESPONSE."""

    _fields_: ClassVar = [
        ("GetHeader", VALUE),
        ("SetHeader", CHANGE),
        ("AddHeader", CHANGE),
        ("HttpStatus", c_uint32),
        ("dwReserved", c_uint32),
    ]


class AuthComplete(ctypes.Structure):
    """HTTP_FILTER_AUTH_COMPLETE_INFO."""

    _fields_: ClassVar = [
        ("GetHeader", VALUE),
        ("SetHeader", CHANGE),
        ("AddHeader", CHANGE),
        ("GetUserToken", TOKEN),
        ("HttpStatus", c_uint32),
        ("fResetAuth", c_int),
        ("dwReserved", c_uint32),
    ]


class UrlMap(ctypes.Structure):
    """HTTP_FILTER_URL_MAP_EX."""

    _fields_: ClassVar = [
        ("pszURL", c_char_p),
        ("pszPhysicalPath", c_void_p),
        ("cbPathBuff", c_uint32),
        ("dwFlags", c_uint32),
        ("cchMatchingPath", c_uint32),
        ("cchMatchingURL", c_uint32),
        ("pszScriptMapEntry", c_char_p),
    ]


class RawData(ctypes.Structure):
    """HTTP_FILTER_RAW_DATA."""

    _fields_: ClassVar = [
        ("pvInData", c_void_p),
        ("cbInData", c_uint32),
        ("cbInBuffer", c_uint32),
        ("dwReserved", c_uint32),
    ]


class Login(ctypes.Structure):
    """HTTP_FILTER_AUTHENT."""

    _fields_: ClassVar = [
        ("pszUser", c_void_p),
        ("cbUserBuff", c_uint32),
        ("pszPassword", c_void_p),
        ("cbPasswordBuff", c_uint32),
    ]


class Denial(ctypes.Structure):
    """HTTP_FILTER_ACCESS_DENIED."""

    _fields_: ClassVar = [("pszURL", c_char_p), ("pszPhysicalPath", c_char_p), ("dwReason", c_uint32)]


class Log(ctypes.Structure):
    """HTTP_FILTER_LOG."""

    _fields_: ClassVar = [
        ("pszClientHostName", c_char_p),
        ("pszClientUserName", c_char_p),
        ("pszServerName", c_char_p),
        ("pszOperation", c_char_p),
        ("pszTarget", c_char_p),
        ("pszParameters", c_char_p),
        ("dwHttpStatus", c_uint32),
        ("dwWin32Status", c_uint32),
        ("dwBytesSent", c_uint32),
        ("dwBytesRecvd", c_uint32),
        ("msTimeForProcessing", c_uint32),
    ]


class Filters:
    """The server's side; `calls` has (name of the callback, what it was given) in order."""

    def __init__(self, server: Any) -> None:
        self.server, self.library = server, server.library
        self.calls: list[tuple[object, ...]] = []
        self.refused: dict[str, int] = {}
        self.headers: dict[bytes, bytes] = {}
        self.variables: dict[bytes, bytes] = {}
        self.least_buffer = 0
        self.promises = False
        self.memory: list[Any] = []
        self.meanwhile: Callable[[], object] | None = None
        self.status = 0
        self.callbacks: dict[str, Any] = {
            "GetServerVariable": VALUE(
                lambda _, *given: self.value("GetServerVariable", self.variables, *given)
            ),
            "AddResponseHeaders": TEXT(lambda _, *given: self.answer("AddResponseHeaders", *given)),
            "WriteClient": WRITE(self.write),
            "AllocMem": ALLOCATE(self.allocate),
            "ServerSupportFunction": SUPPORT(self.support),
        }
        self.header_functions: dict[str, Any] = {
            "GetHeader": VALUE(lambda _, *given: self.value("GetHeader", self.headers, *given)),
            "SetHeader": CHANGE(lambda _, *given: self.answer("SetHeader", *given)),
            "AddHeader": CHANGE(lambda _, *given: self.answer("AddHeader", *given)),
        }
        self.user_token = TOKEN(self.token)
        self.connection = self.connect()

    def connect(self, **members: object) -> Context:
        """Return the context of a new connection."""
        values = {"cbSize": ctypes.sizeof(Context), "Revision": 0x70000, **members}
        self.connection = Context(**values, **self.callbacks)
        return self.connection

    def load(self, script: str = FILTER) -> tuple[int, int]:
        """Write the script and call GetFilterVersion; return its result and the last error if that is 0."""
        (self.server.folder / "fake.py").write_text(script, encoding="utf-8")
        return self.get_version()

    def get_version(self, entry: str = "GetFilterVersion") -> tuple[int, int]:
        """Call one of the two version functions on `version`."""
        self.version = Version(server=0x70000, flags=0xFFFF)
        ctypes.set_errno(0)
        result = self.library[entry](ctypes.byref(self.version))
        return result, 0 if result else ctypes.get_errno()

    @property
    def module(self) -> Any:
        return sys.modules["fake"]

    def notify(
        self, kind: int, handler: Callable[[Any], object], data: Any = None, result: object = None
    ) -> Any:
        """Make a notification; return what the function gave, or (exception's name, its args)."""
        outcomes: list[object] = []

        def handle(context: Any) -> object:
            try:
                outcomes.append(handler(context))
            except Exception as error:
                outcomes.append((type(error).__name__, error.args))
            return result

        self.status = self.send(kind, handle, data)
        return outcomes[0] if outcomes else ("status", self.status)

    def send(self, kind: int, handler: Callable[[Any], object], data: Any = None) -> int:
        """Make a notification; return what HttpFilterProc returned."""
        if "fake" not in sys.modules and self.load()[0] != 1:
            return -1
        self.module.handler = handler
        place = ctypes.byref(data) if data is not None else None
        status: int = self.library.HttpFilterProc(ctypes.byref(self.connection), kind, place)
        self.module.handler = None
        return status

    def preproc(self, status: int = 0) -> Headers:
        return Headers(HttpStatus=status, **self.header_functions)

    def auth_complete(self) -> AuthComplete:
        return AuthComplete(GetUserToken=self.user_token, HttpStatus=0, **self.header_functions)

    # The callbacks

    def answer(self, name: str, *given: object) -> int:
        self.calls.append((name, *given))
        if self.meanwhile:
            self.meanwhile()
        if name in self.refused:
            ctypes.set_errno(self.refused[name])
            return 0
        return 1

    def value(self, name: str, values: dict[bytes, bytes], key: bytes, buffer: int, size: Any) -> int:
        if not self.answer(name, key):
            return 0
        value = values.get(key)
        if value is None:
            ctypes.set_errno(1413)
            return 0
        room, size[0] = size[0], max(len(value), self.least_buffer)
        if room < size[0]:
            ctypes.set_errno(122)
            return 0
        ctypes.memmove(buffer, value, len(value))
        size[0] = len(value)
        return 1

    def write(self, context: int, data: int, size: Any, reserved: int) -> int:
        return self.answer("WriteClient", ctypes.string_at(data, size[0]), reserved)

    def allocate(self, context: int, size: int, reserved: int) -> int | None:
        if not self.answer("AllocMem", size, reserved):
            return None
        self.memory.append(ctypes.create_string_buffer(b"\xaa" * size, size))
        return ctypes.addressof(self.memory[-1])

    def support(self, context: int, request: int, data: int | None, ul1: int, ul2: int) -> int:
        if request == NEVER_WAITS:
            if self.promises:
                c_uint32.from_address(data or 0).value = 1
            return int(self.promises)
        given: object = data
        if request in (0, 1, 7) and data:
            given = ctypes.string_at(data)
        headers = ctypes.string_at(ul1) if request == 0 and ul1 else ul1
        if not self.answer("ServerSupportFunction", request, None if request == 6 else given, headers, ul2):
            return 0
        if request == 6:
            c_uint32.from_address(data or 0).value = 4711
        if request == 7:
            ctypes.memmove(data or 0, b"/a b\0", 5)
        return 1

    def token(self, context: int, place: Any) -> int:
        place[0] = 0xFEDCBA9876543210
        return self.answer("GetUserToken")
