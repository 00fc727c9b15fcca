"""Completion ports under the names of the Win32 functions.

Scripts written for pywin32 import these names from :mod:`pyisapi.threaded_extension`. They work on the
native :class:`CompletionPort` of the bridge, on every platform; they are no interface to the ports of
Windows itself. Importing works without the bridge; making a port or an ``OVERLAPPED`` then says what is
missing.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NoReturn

if TYPE_CHECKING:
    from pyisapi._bridge import OVERLAPPED as OVERLAPPED
    from pyisapi._bridge import CompletionPort as CompletionPort
else:
    try:
        from pyisapi._bridge import OVERLAPPED, CompletionPort
    except ImportError as error:
        _reason = str(error)

        def _bridge_missing(*arguments: object) -> NoReturn:
            """Refuse: the native part could not be imported."""
            raise ImportError(f"ISAPI0093 the native part of pyisapi cannot be imported: {_reason}")

        OVERLAPPED = CompletionPort = _bridge_missing

INFINITE: Final = 0xFFFFFFFF
INVALID_HANDLE_VALUE: Final = -1


def CreateIoCompletionPort(
    handle: int, existing: CompletionPort | None, completion_key: int, concurrent_threads: int
) -> CompletionPort:
    """Make a new port; only the form without a file handle exists, ``concurrent_threads`` must be 0."""
    if handle not in (INVALID_HANDLE_VALUE, 0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF) or existing is not None:
        raise ValueError("files cannot be bound to this kind of completion port")
    if completion_key != 0 or concurrent_threads != 0:
        raise ValueError("the completion key and the number of concurrent threads must be 0")
    return CompletionPort()


def PostQueuedCompletionStatus(
    port: CompletionPort, bytes: int = 0, key: int = 0, overlapped: OVERLAPPED | None = None
) -> None:
    """Queue a message; the entry ``key`` of ``dispatch_map`` is called with it on a worker thread."""
    port.post(bytes, key, overlapped)


def GetQueuedCompletionStatus(
    port: CompletionPort, timeout_milliseconds: int
) -> tuple[int, int, int, OVERLAPPED | None]:
    """Take the next message as ``(errCode, bytes, key, overlapped)``; errCode is 258 after the time-out."""
    return port.get(timeout_milliseconds)


def CloseHandle(port: CompletionPort) -> None:
    """Close a port: nothing can be posted to it any more."""
    port.close()


def SetThreadToken(thread: None, token: int | None) -> None:
    """Make this thread act as the user of ``token``, or as the process again for None.

    Off Windows threads have no user of their own, and this does nothing.
    """
    if thread is not None:
        raise ValueError("only the calling thread's token can be set: pass None")
    if sys.platform == "win32":
        import ctypes

        if not _native_set_thread_token()(None, None if token is None else int(token)):
            raise ctypes.WinError(ctypes.get_last_error())


if sys.platform == "win32":

    @functools.cache
    def _native_set_thread_token() -> Callable[[None, int | None], int]:
        import ctypes
        from ctypes import wintypes

        function = ctypes.WinDLL("advapi32", use_last_error=True).SetThreadToken
        function.argtypes = [ctypes.c_void_p, wintypes.HANDLE]
        function.restype = wintypes.BOOL
        return function
