"""The native part of pyisapi: the server's objects as a script sees them, and the port of the thread pool.

Names, URLs and header values are given as ``str``; bodies and header blocks as ``str`` (sent as UTF-8) or
``bytes``. What comes from the server is ``bytes``, but for the ``UNICODE`` kinds, which are ``str``.
Arguments are positional, but for the optional ones of ``VectorSend`` and the last two of
``SendCustomError``. A failing server call raises an exception
(:class:`pyisapi.ExtensionError`, of a filter :class:`pyisapi.FilterError`); an object whose request
or call has ended raises ``RuntimeError``; an argument of a wrong type ``TypeError``, of a wrong value
``ValueError``, a number that is too large ``OverflowError``. The interpreter is released around every
server call that may block.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final, NoReturn, Protocol, SupportsInt, TypeAlias, TypeVar, final, overload

from pyisapi._results import Certificate, MappedURL, TraceInfo
from pyisapi.threaded_extension import WorkerThread

__all__ = [
    "EXTENSION_CONTROL_BLOCK",
    "HSE_VERSION_INFO",
    "HTTP_FILTER_ACCESS_DENIED",
    "HTTP_FILTER_AUTHENT",
    "HTTP_FILTER_AUTH_COMPLETE_INFO",
    "HTTP_FILTER_CONTEXT",
    "HTTP_FILTER_LOG",
    "HTTP_FILTER_PREPROC_HEADERS",
    "HTTP_FILTER_RAW_DATA",
    "HTTP_FILTER_SEND_RESPONSE",
    "HTTP_FILTER_URL_MAP",
    "HTTP_FILTER_VERSION",
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

_File: TypeAlias = SupportsInt | _HasFileno
_Part: TypeAlias = _Data | _HasFileno | tuple[_File, int, int]
_UserInfo: TypeAlias = tuple[int | None, str | None, str | None]

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

    *Asynchronous calls* (``WriteClient`` with ``HSE_IO_ASYNC``, ``AsyncReadClient``, ``VectorSend``,
    ``TransmitFile``, ``ExecURL``, ``SendCustomError``) return at once. Later a thread of the server calls
    the callback as ``callback(control_block, argument, result, error)``, once: a new object for the same
    request, the argument given with the callback, the number of bytes (of a read the bytes), and a Win32
    code, 0 if all went well, 995 (``ERROR_OPERATION_ABORTED``) when the client is gone. That may be before
    the starting call returns. One at a time: a second is refused with ``ExtensionError`` 87 until the first
    is complete. What is passed (bytes, files) is kept until then, also when the script drops it or ends the
    request; then nobody is called any more. An exception in a callback is logged (``ISAPI0210``) and ends
    the request as failed.
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
    def AsyncReadClient(
        self,
        size: int,
        callback: Callable[[EXTENSION_CONTROL_BLOCK, Any, bytes, int], object] | None = None,
        arg: object = None,
        /,
    ) -> None:
        """Have the next bytes of the body read; ``callback(control_block, arg, data, error)`` gets them.

        At most ``size`` bytes and 1 MiB come at a time, often fewer; ``b""`` without an error is the end of
        the body. With an error ``data`` is ``b""``. Bytes that a failed ``ReadClient`` had read come first,
        in addition. The buffer is not the script's: nobody sees it before it is filled. Without a callback
        that of ``IOCompletion`` is called (``ValueError`` if there is none, or for a size below 1). Do not
        read by ``ReadClient`` meanwhile. Stands for ``HSE_REQ_ASYNC_READ_CLIENT``.
        """
    def VectorSend(
        self,
        elements: Iterable[_Part],
        flags: int,
        /,
        status: _Data | None = None,
        headers: _Data | None = None,
        callback: Callable[[EXTENSION_CONTROL_BLOCK, Any, int, int], object] | None = None,
        arg: object = None,
    ) -> None:
        r"""Send status, headers, memory and files in one call.

        An element is ``bytes``, ``str`` (as UTF-8) or bytes-like; a file, whole; or ``(file, offset,
        size)`` in bytes up to 2**64-1, where size 0 means all of it, with offset 0. A file is an object
        with ``fileno()``, in the tuple also a descriptor (on Windows a handle). It must stay open until the
        call is complete; the file's own position plays no part. A ``bytearray`` or ``memoryview`` is
        copied, empty data left out.

        ``flags`` has one of ``HSE_IO_SYNC`` and ``HSE_IO_ASYNC``, and may have ``HSE_IO_SEND_HEADERS``,
        ``HSE_IO_FINAL_SEND``, ``HSE_IO_DISCONNECT_AFTER_SEND``, ``HSE_IO_CACHE_RESPONSE``,
        ``HSE_IO_TRY_SKIP_CUSTOM_ERRORS`` and ``HSE_IO_NODELAY``. With ``HSE_IO_SEND_HEADERS`` ``status``
        ("200 OK") and ``headers`` (ending with "\r\n\r\n") are both needed, without it neither may be given.

        With ``HSE_IO_SYNC`` it returns when everything is handed over. ``HSE_IO_ASYNC`` makes it an
        asynchronous call; without a callback of its own that of ``IOCompletion`` is called (``ValueError``
        if there is none). Stands for ``HSE_REQ_VECTOR_SEND``.
        """
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
    def SendURL(self, url: str, /) -> None:
        """Answer with another URL of this site, which begins with ``/``; servers since IIS 4 redirect to it.

        It is the whole answer. ``Redirect`` says the same more clearly, ``ExecURL`` runs a URL without the
        client's knowledge. Stands for ``HSE_REQ_SEND_URL``.
        """
    def SendCustomError(
        self,
        status: _Data,
        sub_error: int = 0,
        asynchronous: bool = False,
        /,
        callback: Callable[[EXTENSION_CONTROL_BLOCK, Any, int, int], object] | None = None,
        arg: object = None,
    ) -> None:
        """Answer with the error page that the server's configuration has for a status.

        ``status`` is such as "404 Not Found", ``sub_error`` the 1 of 401.1, from 0 to 65535.
        ``ExtensionError``, mostly 2 (``ERROR_FILE_NOT_FOUND``), means that there is no page: send one of
        your own. With ``asynchronous`` it is an asynchronous call; without a callback of its own that of
        ``IOCompletion`` is called (``ValueError`` if there is none). Stands for
        ``HSE_REQ_SEND_CUSTOM_ERROR``.
        """
    def MapURLToPath(self, url: str, /) -> bytes:
        """Return the file-system path of a URL of this site.

        The path is as long as the server makes it. Stands for ``HSE_REQ_MAP_URL_TO_PATH``.
        """
    def MapUnicodeURLToPath(self, url: str, /) -> str:
        """Return the file-system path of a URL of this site as text; both go as UTF-16.

        The path is as long as the server makes it. Stands for ``HSE_REQ_MAP_UNICODE_URL_TO_PATH``.
        """
    @overload
    def MapURLToPathEx(self, url: str, /) -> MappedURL[str]:
        """Return where a URL of this site leads: ``(path, flags, matching_path, matching_url)``.

        ``flags`` are the ``HSE_URL_FLAGS_*`` of that place. The last two are how many characters of the
        path and of the URL belong to the virtual directory. A ``str`` goes as UTF-16 and the path is
        ``str`` (``HSE_REQ_MAP_UNICODE_URL_TO_PATH_EX``); ``bytes`` go as they are and the path is ``bytes``
        (``HSE_REQ_MAP_URL_TO_PATH_EX``). The path has at most 259 characters: servers refuse longer ones
        with ``ExtensionError`` 122, and ``MapURLToPath`` has no such limit. ``TypeError`` for another type
        of URL.
        """
    @overload
    def MapURLToPathEx(self, url: bytes, /) -> MappedURL[bytes]: ...
    def NormalizeURL(self, url: str, /) -> bytes:
        """Return the URL in the server's canonical form: escapes decoded, ``.`` and ``..`` resolved.

        Stands for ``HSE_REQ_NORMALIZE_URL``.
        """
    def DoneWithSession(self, status: int = ..., /) -> None:
        """Finish the request with an ``HSE_STATUS`` value, by default success; the object is dead then."""
    def close(self, status: int = ..., /) -> None:
        """Same as ``DoneWithSession``."""
    def IsKeepConn(self) -> bool:
        """Ask the server whether it will keep the connection open."""
    def IsConnected(self) -> bool:
        """Ask the server whether the client is still there. Stands for ``HSE_REQ_IS_CONNECTED``."""
    def CloseConnection(self) -> None:
        """Close the connection now, without sending what is left.

        An outstanding asynchronous call ends with error 64 (``ERROR_NETNAME_DELETED``). ``DoneWithSession``
        is still due. Stands for ``HSE_REQ_CLOSE_CONNECTION``.
        """
    def AbortiveClose(self) -> None:
        """Have the connection reset when it is closed, so that the client sees a failure.

        It stays open until then. Stands for ``HSE_REQ_ABORTIVE_CLOSE``.
        """
    def CancelIO(self) -> None:
        """Give up the outstanding asynchronous call; its callback gets error 995, as when the client is gone.

        What the call was given is kept until that callback. Stands for ``HSE_REQ_CANCEL_IO`` (IIS 7.5).
        """
    def IsInProcess(self) -> bool:
        """Whether the extension runs in the server's own process; always so since IIS 6.

        Stands for ``HSE_REQ_IS_IN_PROCESS``.
        """
    def AppendLog(self, text: _Data, /) -> None:
        """Append text to this request's line in the server's log, after the query string; a ``str`` as UTF-8.

        Other than ``LogData`` it has no limit of 79 bytes, and several add up. ``ValueError`` for a NUL
        inside. Stands for ``HSE_APPEND_LOG_PARAMETER``.
        """
    def GetTraceInfo(self) -> TraceInfo:
        """Return ``(traced, context_id)``: whether the server traces this request, and its GUID, 16 bytes.

        Stands for ``HSE_REQ_GET_TRACE_INFO``.
        """
    def GetCertInfo(self) -> Certificate:
        """Return the client's certificate as ``(encoded, encoding_type, flags)``, in DER, of any length.

        ``encoded`` is empty if the client sent none. A server without TLS raises ``ExtensionError``.
        Stands for ``HSE_REQ_GET_CERT_INFO_EX``.
        """
    def GetChannelBindingToken(self) -> bytes:
        """Return the token that binds an authentication to this TLS connection, empty if there is none.

        The server's structure is copied as it is. Microsoft published the number but not the arguments;
        this follows ``IHttpRequest2::GetChannelBindingToken``. Stands for
        ``HSE_REQ_GET_CHANNEL_BINDING_TOKEN`` (IIS 7.5).
        """
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
        info: _UserInfo | None,
        entity: _Data | None,
        flags: int,
        /,
    ) -> None:
        """Hand the request to another handler; the ``IOCompletion`` function is called when it is done.

        ``None`` stands for this request's own: ``url``, ``method``, all ``headers``, the user, what is left
        of the body. ``info`` is ``(token, user_name, authentication_type)``, each possibly ``None``; the
        token, of ``GetImpersonationToken``, must stay valid until the call is complete. ``entity`` is the
        whole body that the other handler sees, less than 4 GiB. ``flags`` are ``HSE_EXEC_URL_*``. An
        asynchronous call always; the response counts as begun. Stands for ``HSE_REQ_EXEC_URL``; for
        ``HSE_REQ_EXEC_UNICODE_URL``, which takes UTF-16, when ``url`` or the user's name is not ASCII.
        """
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
        hFile: _File,
        status: str,
        BytesToWrite: int,
        Offset: int,
        head: _Data | None,
        tail: _Data | None,
        flags: int,
        /,
    ) -> None:
        """Have the server send a file, then call ``callback(control_block, argument, bytes, error)`` once.

        ``hFile`` is a Windows handle, on Unix a file descriptor, or a file; it must stay open until then.
        ``BytesToWrite`` 0 means up to the end. With ``HSE_IO_SEND_HEADERS`` ``head`` is the header block
        and ``status`` the status; otherwise ``head`` is data before the file.
        """

@final
class HTTP_FILTER_VERSION:
    """What ``GetFilterVersion`` fills in. Valid during that call only; Python cannot make one."""

    @property
    def ServerFilterVersion(self) -> int:
        """The server's version, the major number in the high word."""
    @property
    def FilterVersion(self) -> int:
        """The version of the contract, set already."""
    @FilterVersion.setter
    def FilterVersion(self, value: int) -> None: ...
    @property
    def Flags(self) -> int:
        """The notifications wanted, ``SF_NOTIFY_*``, with one ``SF_NOTIFY_ORDER_*``.

        ``SF_NOTIFY_END_OF_NET_SESSION`` is added in any case.
        """
    @Flags.setter
    def Flags(self, value: int) -> None: ...
    @property
    def FilterDesc(self) -> bytes:
        """The description of the filter, at most 256 bytes; a ``str`` is encoded to UTF-8."""
    @FilterDesc.setter
    def FilterDesc(self, value: str | bytes) -> None: ...

@final
class HTTP_FILTER_CONTEXT:
    """One notification of a filter, until ``HttpFilterProc`` returns. Python cannot make one.

    Any thread may use it until then. Afterwards it raises ``RuntimeError``, but for the three numbers. A call
    that the server refuses is :class:`pyisapi.FilterError`.
    """

    @property
    def Revision(self) -> int:
        """The server's version, the major number in the high word."""
    @property
    def fIsSecurePort(self) -> int:
        """1 when the request came over TLS, else 0."""
    @property
    def NotificationType(self) -> int:
        """Which notification this is, one of ``SF_NOTIFY_*``."""
    @property
    def FilterContext(self) -> Any:
        """An object of the filter's own for this connection, ``None`` at first.

        It is the same in all notifications of a connection, and released after
        ``SF_NOTIFY_END_OF_NET_SESSION`` or when another is assigned.
        """
    @FilterContext.setter
    def FilterContext(self, value: object) -> None: ...
    @property
    def InstanceID(self) -> int:
        """The number of the site. Stands for ``SF_REQ_GET_PROPERTY`` with ``SF_PROPERTY_INSTANCE_NUM_ID``."""
    def GetData(self, *ignored: object) -> Any:
        """Return the data object of this notification, ``HTTP_FILTER_...``; ``ValueError`` if it has none."""
    @overload
    def GetServerVariable(self, name: _Data, /) -> Any:
        """Return a server variable as ``bytes``; as ``str`` if its name begins with ``UNICODE_``.

        Many have no value before ``SF_NOTIFY_PREPROC_HEADERS``.
        """
    @overload
    def GetServerVariable(self, name: _Data, default: _Default, /) -> Any | _Default: ...
    def WriteClient(self, data: _Data, reserved: int = ..., /) -> None:
        """Send bytes to the client as they are, status line and headers included, if any."""
    def write(self, data: _Data, reserved: int = ..., /) -> None:
        """Same as ``WriteClient``, for ``print(..., file=context)``."""
    def AddResponseHeaders(self, headers: _Data, reserved: int = ..., /) -> None:
        r"""Have header lines, each with its ``"\r\n"``, added to the response."""
    def SendResponseHeader(self, status: _Data | None, headers: _Data | None, /) -> None:
        r"""Send the status ("403 Forbidden", 200 for ``None``) and header lines, then ``"\r\n"``.

        Return ``SF_STATUS_REQ_FINISHED`` when the response is complete. Stands for
        ``SF_REQ_SEND_RESPONSE_HEADER``.
        """
    def DisableNotifications(self, flags: int, /) -> None:
        """Get none of these notifications for the rest of the request.

        Stands for ``SF_REQ_DISABLE_NOTIFICATIONS``.
        """
    def AddHeadersOnDenial(self, headers: _Data, /) -> None:
        r"""Have header lines, each with its ``"\r\n"``, added if the server denies access.

        Stands for ``SF_REQ_ADD_HEADERS_ON_DENIAL``.
        """
    def SetNextReadSize(self, size: int, /) -> None:
        """Say how much the next raw read asks for. Stands for ``SF_REQ_SET_NEXT_READ_SIZE``."""
    def NormalizeURL(self, url: _Data, /) -> bytes:
        """Return the URL in the server's canonical form. Stands for ``SF_REQ_NORMALIZE_URL``."""

@final
class HTTP_FILTER_PREPROC_HEADERS:
    """The request's line and headers, at ``SF_NOTIFY_PREPROC_HEADERS``.

    Names are ``"url"``, ``"method"``, ``"version"``, or a header's with its colon (``"Host:"``). A line break
    or NUL in a name or value is a ``ValueError``.
    """

    @property
    def HttpStatus(self) -> int:
        """The response's status; 0 before there is one."""
    @overload
    def GetHeader(self, name: _Data, /) -> bytes:
        """Return a header's value; without a default a missing one is ``FilterError``."""
    @overload
    def GetHeader(self, name: _Data, default: _Default, /) -> bytes | _Default: ...
    def SetHeader(self, name: _Data, value: _Data, /) -> None:
        """Set or replace a header; an empty value deletes it."""
    def AddHeader(self, name: _Data, value: _Data, /) -> None:
        """Add a header line beside those of the same name."""

@final
class HTTP_FILTER_SEND_RESPONSE:
    """The response's headers, at ``SF_NOTIFY_SEND_RESPONSE``; ``"status"`` names the status line."""

    @property
    def HttpStatus(self) -> int:
        """The response's status."""
    @overload
    def GetHeader(self, name: _Data, /) -> bytes:
        """Return a header's value; without a default a missing one is ``FilterError``."""
    @overload
    def GetHeader(self, name: _Data, default: _Default, /) -> bytes | _Default: ...
    def SetHeader(self, name: _Data, value: _Data, /) -> None:
        """Set or replace a header; an empty value deletes it."""
    def AddHeader(self, name: _Data, value: _Data, /) -> None:
        """Add a header line beside those of the same name."""

@final
class HTTP_FILTER_AUTH_COMPLETE_INFO:
    """The request once its user is known, at ``SF_NOTIFY_AUTH_COMPLETE``."""

    @property
    def HttpStatus(self) -> int:
        """The response's status; 0 before there is one."""
    @property
    def ResetAuth(self) -> bool:
        """Whether the server is to authenticate once more, after the URL was set."""
    @ResetAuth.setter
    def ResetAuth(self, value: object) -> None: ...
    @overload
    def GetHeader(self, name: _Data, /) -> bytes:
        """Return a header's value; without a default a missing one is ``FilterError``."""
    @overload
    def GetHeader(self, name: _Data, default: _Default, /) -> bytes | _Default: ...
    def SetHeader(self, name: _Data, value: _Data, /) -> None:
        """Set or replace a header, or ``"url"``; an empty value deletes a header."""
    def AddHeader(self, name: _Data, value: _Data, /) -> None:
        """Add a header line beside those of the same name."""
    def GetUserToken(self) -> int:
        """Return the handle of the user's token; it belongs to the server."""

@final
class HTTP_FILTER_URL_MAP:
    """Where a URL leads, at ``SF_NOTIFY_URL_MAP``. All but the first two need IIS 7 or ``pyisapi serve``."""

    @property
    def URL(self) -> bytes:
        """The URL that is being mapped."""
    @property
    def PhysicalPath(self) -> bytes:
        """The file-system path; ``ValueError`` for one that does not fit the server's buffer."""
    @PhysicalPath.setter
    def PhysicalPath(self, value: _Data) -> None: ...
    @property
    def Flags(self) -> int:
        """The ``HSE_URL_FLAGS_*`` of that place."""
    @property
    def MatchingPath(self) -> int:
        """How many characters of the path belong to the virtual directory."""
    @property
    def MatchingURL(self) -> int:
        """How many characters of the URL belong to the virtual directory."""
    @property
    def ScriptMapEntry(self) -> bytes:
        """The script mapping that matched."""

@final
class HTTP_FILTER_RAW_DATA:
    """Bytes on their way, at ``SF_NOTIFY_SEND_RAW_DATA`` and ``SF_NOTIFY_READ_RAW_DATA``."""

    @property
    def InData(self) -> bytes | None:
        """The bytes; what is set is copied and takes their place."""
    @InData.setter
    def InData(self, value: _Data) -> None: ...

@final
class HTTP_FILTER_AUTHENT:
    """A login, at ``SF_NOTIFY_AUTHENTICATION``; both empty for an anonymous request.

    ``ValueError`` for what does not fit the server's buffers, mostly 256 bytes.
    """

    @property
    def User(self) -> bytes | None:
        """The user's name."""
    @User.setter
    def User(self, value: _Data) -> None: ...
    @property
    def Password(self) -> bytes | None:
        """The password."""
    @Password.setter
    def Password(self, value: _Data) -> None: ...

@final
class HTTP_FILTER_ACCESS_DENIED:
    """A denial, at ``SF_NOTIFY_ACCESS_DENIED``."""

    @property
    def URL(self) -> bytes:
        """The URL."""
    @property
    def PhysicalPath(self) -> bytes:
        """The file-system path it leads to."""
    @property
    def Reason(self) -> int:
        """Why, as bits of ``SF_DENIED_*``."""

@final
class HTTP_FILTER_LOG:
    """The log entry, at ``SF_NOTIFY_LOG``. What is set stands in the log; texts end at their first NUL."""

    @property
    def ClientHostName(self) -> bytes:
        """The client's name or address."""
    @ClientHostName.setter
    def ClientHostName(self, value: _Data) -> None: ...
    @property
    def ClientUserName(self) -> bytes:
        """The user's name."""
    @ClientUserName.setter
    def ClientUserName(self, value: _Data) -> None: ...
    @property
    def ServerName(self) -> bytes:
        """The server's name."""
    @ServerName.setter
    def ServerName(self, value: _Data) -> None: ...
    @property
    def Operation(self) -> bytes:
        """The method."""
    @Operation.setter
    def Operation(self, value: _Data) -> None: ...
    @property
    def Target(self) -> bytes:
        """The path of the URL."""
    @Target.setter
    def Target(self, value: _Data) -> None: ...
    @property
    def Parameters(self) -> bytes:
        """The query."""
    @Parameters.setter
    def Parameters(self, value: _Data) -> None: ...
    @property
    def HttpStatus(self) -> int:
        """The HTTP status."""
    @HttpStatus.setter
    def HttpStatus(self, value: int) -> None: ...
    @property
    def Win32Status(self) -> int:
        """The Win32 code, 0 if all went well."""
    @Win32Status.setter
    def Win32Status(self, value: int) -> None: ...
    @property
    def BytesSent(self) -> int:
        """How many bytes were sent."""
    @property
    def BytesRecvd(self) -> int:
        """How many bytes were received."""
    @property
    def TimeForProcessing(self) -> int:
        """How long the request took, in milliseconds."""

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
