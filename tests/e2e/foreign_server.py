"""A server made of ctypes, for tests of what the bridge passes to any ISAPI server.

It runs in a process of its own: the test's source comes on standard input and runs with a `Server` under the
name `server`, and its side for filters under `filters`; the repr of its last line goes to standard output. The
server loads a copy of the loader as `_fake.so` and calls its exports. Its callbacks record what they were given. A request's handler is a function
of the source, because both halves live in this one Python.
"""

from __future__ import annotations

import ast
import ctypes
import json
import os
import shutil
import sys
from collections.abc import Callable
from ctypes import POINTER, c_char, c_char_p, c_int, c_uint32, c_void_p
from pathlib import Path
from typing import Any, ClassVar

import foreign_filters
import foreign_operations
import foreign_requests
from foreign_operations import Operation, Route

import pyisapi

SCRIPT = """
made = []

class Extension:
    def __init__(self):
        made.append("made")

    def __del__(self):
        made.append("released")

    def GetExtensionVersion(self, vi):
        vi.ExtensionDesc = __name__

    def HttpExtensionProc(self, ecb):
        return handler(ecb)

    def TerminateExtension(self, status):
        made.append(("terminated", status))

def __ExtensionFactory__():
    return Extension()
"""

NEVER_WAITS = 0x7079_0001

GET_SERVER_VARIABLE = ctypes.CFUNCTYPE(c_int, c_void_p, c_char_p, c_void_p, POINTER(c_uint32), use_errno=True)
WRITE_CLIENT = ctypes.CFUNCTYPE(c_int, c_void_p, c_void_p, POINTER(c_uint32), c_uint32, use_errno=True)
READ_CLIENT = ctypes.CFUNCTYPE(c_int, c_void_p, c_void_p, POINTER(c_uint32), use_errno=True)
SUPPORT = ctypes.CFUNCTYPE(c_int, c_void_p, c_uint32, c_void_p, c_void_p, c_void_p, use_errno=True)


class ControlBlock(ctypes.Structure):
    """EXTENSION_CONTROL_BLOCK of httpext.h."""

    _fields_: ClassVar = [
        ("cbSize", c_uint32),
        ("dwVersion", c_uint32),
        ("ConnID", c_void_p),
        ("dwHttpStatusCode", c_uint32),
        ("lpszLogData", c_char * 80),
        ("lpszMethod", c_char_p),
        ("lpszQueryString", c_char_p),
        ("lpszPathInfo", c_char_p),
        ("lpszPathTranslated", c_char_p),
        ("cbTotalBytes", c_uint32),
        ("cbAvailable", c_uint32),
        ("lpbData", c_char_p),
        ("lpszContentType", c_char_p),
        ("GetServerVariable", GET_SERVER_VARIABLE),
        ("WriteClient", WRITE_CLIENT),
        ("ReadClient", READ_CLIENT),
        ("ServerSupportFunction", SUPPORT),
    ]


class Server:
    """The fabricated server; `calls` has (request, what it was given) in order."""

    def __init__(self, folder: Path, start: bool = True) -> None:
        self.folder = folder
        self.calls: list[tuple[int, object]] = []
        self.refused: dict[int, int] = {}
        self.meanwhile: dict[int, Callable[[], object]] = {}
        self.variables: dict[bytes, bytes] = {}
        self.least_buffer = 0
        self.body = b""
        self.reads: list[int] = []
        self.failing_read: int | None = None
        self.module_name = "fake"
        # What it answers, and what is under way.
        self.path = "/srv/\u00e9"
        self.certificate = b""
        self.token = b"token"
        self.completion: Route | None = None
        self.operations: list[Operation] = []
        self.at_once: tuple[int, int] | None = None
        self.is_inline = False
        self.blocks: list[ControlBlock] = []
        self.callbacks = {
            "GetServerVariable": GET_SERVER_VARIABLE(self.get_server_variable),
            "WriteClient": WRITE_CLIENT(self.write_client),
            "ReadClient": READ_CLIENT(self.read_client),
            "ServerSupportFunction": SUPPORT(self.support),
        }
        (folder / "fake.py").write_text(SCRIPT, encoding="utf-8")
        library = Path(shutil.copy(pyisapi.loader_path(), folder / "_fake.so"))
        self.library = ctypes.CDLL(str(library), use_errno=True)
        self.library.HttpFilterProc.restype = c_uint32
        self.library.HttpExtensionProc.restype = c_uint32

    def load(self) -> tuple[int, bytes]:
        """Call GetExtensionVersion; return its result and the description."""
        info = (c_char * 260)()
        result = self.library.GetExtensionVersion(info)
        return result, bytes(info)[4:].split(b"\0")[0]

    @property
    def module(self) -> Any:
        """The script's module."""
        return sys.modules[self.module_name]

    def ask(self, handler: Callable[[Any], object], **members: object) -> object:
        """Make a request; return what the function gave of the control block, or (exception's name, its args)."""
        return self.request(handler, 1, members)

    def hold(self, handler: Callable[[Any], object], **members: object) -> object:
        """Make a request that stays pending; return the same."""
        return self.request(handler, 3, members)

    def request(self, handler: Callable[[Any], object], result: int, members: dict[str, object]) -> object:
        outcomes: list[object] = []

        def handle(ecb: Any) -> int:
            try:
                outcomes.append(handler(ecb))
            except Exception as error:
                outcomes.append((type(error).__name__, error.args))
            return result

        if self.module_name not in sys.modules and self.load()[0] != 1:
            return "not loaded"
        self.module.handler = handle
        values = {"cbSize": ctypes.sizeof(ControlBlock), "dwVersion": 0x80000, "ConnID": 5, **members}
        block = ControlBlock(**values, **self.callbacks)
        self.blocks.append(block)
        status = self.library.HttpExtensionProc(ctypes.byref(block))
        # The handler and what it refers to are to live no longer than the bridge keeps them.
        self.module.handler = None
        return outcomes[0] if outcomes else ("status", status)

    def complete(self, count: int = 0, error: int = 0) -> Route | None:
        """Complete the operation that was begun first; return whom that was told, if anybody."""
        route = self.operations.pop(0).own_route or self.completion
        if route:
            route.call(count, error, self.is_inline)
        return route

    def begun(self, operation: Operation) -> None:
        self.operations.append(operation)
        if self.at_once:
            self.complete(*self.at_once)

    # The callbacks

    def get_server_variable(self, connection: int, name: bytes, buffer: int, size: Any) -> int:
        value = self.variables.get(name)
        if value is None:
            ctypes.set_errno(1413)
            return 0
        needed = max(len(value), self.least_buffer)
        if size[0] < needed:
            size[0] = needed
            ctypes.set_errno(122)
            return 0
        ctypes.memmove(buffer, value, len(value))
        size[0] = len(value)
        return 1

    def write_client(self, connection: int, data: int, size: Any, flags: int) -> int:
        if flags & foreign_requests.ASYNC:
            self.begun(foreign_operations.of_write(data, size[0]))
        return 1

    def read_client(self, connection: int, buffer: int, size: Any) -> int:
        self.reads.append(size[0])
        if len(self.reads) == self.failing_read:
            ctypes.set_errno(64)
            return 0
        # At most so much at a time, as from a network.
        part, self.body = self.body[: min(size[0], 60_000)], self.body[min(size[0], 60_000) :]
        ctypes.memmove(buffer, part, len(part))
        size[0] = len(part)
        return 1

    def support(self, connection: int, request: int, buffer: int, size: int, kind: int) -> int:
        if request == NEVER_WAITS:
            # The bridge's question to its own server; no other knows it.
            ctypes.set_errno(87)
            return 0
        self.calls.append((request, foreign_requests.given(request, buffer, size, kind)))
        if request in self.meanwhile:
            # What another thread does while this one is inside the server.
            self.meanwhile[request]()
        error = self.refused.get(request) or foreign_requests.answer(self, request, buffer, size, kind)
        if error:
            ctypes.set_errno(error)
            return 0
        if request == foreign_requests.IO_COMPLETION:
            self.completion = Route(buffer, kind)
        elif foreign_requests.is_asynchronous(request, buffer):
            self.begun(foreign_operations.of_request(request, buffer, size, kind))
        return 1


def main() -> None:
    order = json.load(sys.stdin)
    tree = ast.parse(order["source"])
    last = ast.Expression(tree.body.pop().value)  # type: ignore[attr-defined]
    server = Server(Path(order["folder"]))
    names = {"server": server, "filters": foreign_filters.Filters(server), "sys": sys, "Path": Path}
    # What tests of filters name in their sources.
    names |= {
        name: value for name, value in vars(foreign_filters).items() if name.isupper() or name[0].isupper()
    }
    # Loading a script gives its prints to the log.
    answers = sys.stdout
    exec(compile(tree, "source", "exec"), names)
    print(repr(eval(compile(last, "source", "eval"), names)), file=answers, flush=True)
    # No server takes Python down while requests are pending: their blocks would call a server that is gone.
    os._exit(0)


if __name__ == "__main__":
    main()
