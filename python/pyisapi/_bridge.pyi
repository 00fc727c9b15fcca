"""The native part of pyisapi: the server's objects as a script sees them, and the port of the thread pool.

Names, URLs and header values are given as ``str``; bodies and header blocks as ``str`` (sent as UTF-8) or
``bytes``; what comes from the server is ``bytes``. No method takes keyword arguments. A failing server call
raises :class:`pyisapi.ExtensionError`; an object whose request or call has ended raises ``RuntimeError``.
The interpreter is released around every server call that may block.
"""

from collections.abc import Callable
from typing import Any, Final, NoReturn, Protocol, SupportsInt, TypeAlias, TypeVar, final, overload

from pyisapi.threaded_extension import WorkerThread

__all__ = [
    "EXTENSION_CONTROL_BLOCK",
    "HSE_VERSION_INFO",
    "OVERLAPPED",
    "CompletionPort",
    "__version__",
    "live_requests",
    "table",
]

_Default = TypeVar("_Default")
_Argument = TypeVar("_Argument")
_Data: TypeAlias = str | bytes | bytearray | memoryview

class _HasFileno(Protocol):
    def fileno(self) -> int: ...

__version__: Final[str]

table: Final[object]
"""A capsule with the functions that the loader calls; of no use to Python code."""

def live_requests() -> int:
    """Return how many requests some Python object still holds, finished ones included; leaks show here."""

@final
class HSE_VERSION_INFO:
    """What ``GetExtensionVersion`` fills in. Valid during that call only; Python cannot make one."""

    @property
    def ExtensionDesc(self) -> bytes:
        """The description of the extension, at most 255 bytes; a ``str`` is encoded to UTF-8."""
    @ExtensionDesc.setter
    def ExtensionDesc(self, value: str | bytes) -> None: ...

@final
class EXTENSION_CONTROL_BLOCK:
    """One request and its response, until the handler returns anything but pending, or ``DoneWithSession``.

    Any thread may use the block of a pending request. Python cannot make one. Afterwards every method, and
    every attribute that would touch the server's memory, raises ``RuntimeError``.
    """

    @property
    def Version(self) -> int:
        """The server's ISAPI version, the major number in the high word."""
    @property
    def TotalBytes(self) -> int:
        """The length of the body in bytes; -1 when it is unknown: then read until nothing more comes."""
    @property
    def AvailableBytes(self) -> int:
        """The length of ``AvailableData``."""
    @property
    def AvailableData(self) -> bytes:
        """The beginning of the body; ``ReadClient`` delivers what follows it."""
    @property
    def Method(self) -> bytes:
        """The request's method."""
    @property
    def QueryString(self) -> bytes:
        """What follows the question mark, not decoded."""
    @property
    def PathInfo(self) -> bytes:
        """The path, URL-decoded; under a wildcard map the whole path with the application's own prefix."""
    @property
    def PathTranslated(self) -> bytes:
        """The file-system path of ``PathInfo``; the file need not exist."""
    @property
    def ContentType(self) -> bytes:
        """The body's content type, empty if there is none."""
    @property
    def ConnID(self) -> int:
        """The server's number for this request."""
    @property
    def HttpStatusCode(self) -> int:
        """The status for the server's log."""
    @HttpStatusCode.setter
    def HttpStatusCode(self, value: int) -> None: ...
    @property
    def LogData(self) -> NoReturn:
        """Text for the server's log, at most 79 bytes are kept. It can be set but not read."""
    @LogData.setter
    def LogData(self, value: str | bytes) -> None: ...
    @property
    def softspace(self) -> int:
        """Always 1; some old code asks for it."""
    @property
    def HeadersSent(self) -> bool:
        """Whether a response head or body went out. Readable also after the end."""
    @property
    def Done(self) -> bool:
        """Whether the request is finished. Readable always."""

    def WriteClient(self, data: _Data, flags: int = ..., /) -> int:
        """Send a part of the body in one call and return the bytes written.

        With ``HSE_IO_ASYNC`` it returns at once and the function given to ``IOCompletion`` is called later;
        the data is kept until then.
        """
    def write(self, data: _Data, flags: int = ..., /) -> int:
        """Same as ``WriteClient``, for ``print(..., file=control_block)``."""
    def ReadClient(self, n: int = ..., /) -> bytes:
        """Return the next ``n`` bytes of the body, by default all that is left; short only at its end."""
    @overload
    def GetServerVariable(self, name: str, /) -> Any:
        """Return a server variable as ``bytes``; as ``str`` if its name begins with ``UNICODE_``."""
    @overload
    def GetServerVariable(self, name: str, default: _Default, /) -> Any | _Default: ...
    def SendResponseHeaders(self, status: _Data, headers: _Data, keep_alive: int = ..., /) -> None:
        r"""Send the status ("200 OK") and the header block, which ends with an empty line ("\r\n\r\n").

        Unless ``keep_alive`` is given and not 0, the connection ends with the response.
        """
    def Redirect(self, url: str, /) -> None:
        """Answer with a redirection to another URL."""
    def MapURLToPath(self, url: str, /) -> bytes:
        """Return the file-system path of a URL of this site."""
    def DoneWithSession(self, status: int = ..., /) -> None:
        """Finish the request with an ``HSE_STATUS`` value, by default success; the object is dead then."""
    def close(self, status: int = ..., /) -> None:
        """Same as ``DoneWithSession``."""
    def IsKeepConn(self) -> bool:
        """Ask the server whether it will keep the connection open."""
    def IsKeepAlive(self) -> int:
        """Return 1 if the client's ``Connection`` header says keep-alive, else 0."""
    def GetImpersonationToken(self) -> int:
        """Return the handle of the user's token; it belongs to the server."""
    def GetAnonymousToken(self, path: str | bytes, /) -> int:
        """Return the handle of the token of the anonymous user for a path."""
    def SetFlushFlag(self, on: int, /) -> None:
        """Have the server send every write at once, for responses that are a stream."""
    def ExecURL(
        self,
        url: str | None,
        method: str | None,
        headers: str | None,
        info: None,
        entity: None,
        flags: int,
        /,
    ) -> None:
        """Hand the request to another handler; the ``IOCompletion`` function is called when it is done."""
    def GetExecURLStatus(self) -> tuple[int, int, int]:
        """Return HTTP status, sub-status and Win32 error of the URL that ``ExecURL`` ran."""
    @overload
    def IOCompletion(self, callback: Callable[[EXTENSION_CONTROL_BLOCK, None, int, int], object], /) -> None:
        """Have ``callback(control_block, argument, bytes, error)`` called when asynchronous I/O ends.

        It is called on a server thread with a new object for the same request. A later call replaces the
        function.
        """
    @overload
    def IOCompletion(
        self,
        callback: Callable[[EXTENSION_CONTROL_BLOCK, _Argument, int, int], object],
        argument: _Argument,
        /,
    ) -> None: ...
    def ReportUnhealthy(self, reason: str | None = None, /) -> None:
        """Ask the server to replace this worker process."""
    def TransmitFile(
        self,
        callback: Callable[[EXTENSION_CONTROL_BLOCK, _Argument, int, int], object],
        argument: _Argument,
        hFile: SupportsInt | _HasFileno,
        status: str,
        BytesToWrite: int,
        Offset: int,
        head: _Data | None,
        tail: _Data | None,
        flags: int,
        /,
    ) -> None:
        """Have the server send a file, then call ``callback(control_block, argument, bytes, error)`` once.

        ``hFile`` is a Windows handle, on Unix a file descriptor; it must stay open until then.
        ``BytesToWrite`` 0 means up to the end. With ``HSE_IO_SEND_HEADERS`` ``head`` is the header block
        and ``status`` the status; otherwise ``head`` is data before the file.
        """

@final
class OVERLAPPED:
    """A message's companion on a completion port; ``object`` carries anything. It cannot be subclassed."""

    object: Any
    Internal: int
    InternalHigh: int
    Offset: int
    OffsetHigh: int
    hEvent: int

    def __init__(self) -> None: ...

@final
class CompletionPort:
    """An unbounded first-in-first-out queue of messages ``(bytes, key, overlapped)``, for any threads."""

    def __init__(self) -> None: ...
    def post(self, bytes: int, key: int, overlapped: OVERLAPPED | None = None, /) -> None:
        """Add a message; ``ValueError`` after ``close``."""
    def get(self, timeout_milliseconds: int, /) -> tuple[int, int, int, OVERLAPPED | None]:
        """Take a message as ``(errCode, bytes, key, overlapped)``, waiting for it without the interpreter.

        ``errCode`` is 0, or 258 (WAIT_TIMEOUT) after the time-out. A negative time or 0xFFFFFFFF waits for
        ever.
        """
    def run(self, worker: WorkerThread, /) -> None:
        """Call ``worker.extension.dispatch_map[key](errCode, bytes, key, overlapped)`` for each message.

        Ends on ``ISAPI_SHUTDOWN`` without an overlapped, and when nothing is queued while ``worker.running``
        is false or the port is closed. A failing handler or an unknown key goes to
        ``pyisapi._failure.work_failed``, and the worker goes on.
        """
    def drain(self) -> list[OVERLAPPED]:
        """Remove what is queued and return its overlapped objects; shutdown messages are dropped.

        Works on a closed port too: closing leaves the queue as it is.
        """
    def close(self) -> None:
        """Refuse further messages and wake all that wait. Closing twice is harmless."""
