"""An extension with its own pool of worker threads.

``HttpExtensionProc`` only queues the request, so slow work does not hold the server's threads; a worker
then calls ``Dispatch``. The queue and the worker loop are native (``CompletionPort`` of the bridge); this
module owns the threads' life. They start in ``GetExtensionVersion`` and end in ``TerminateExtension``.

A subclass has work of its own done on the pool by adding a key to ``dispatch_map`` in ``__init__`` and
posting to the port, with ``self.io_req_port.post(bytes, key, overlapped)`` or this module's
``PostQueuedCompletionStatus``. The functions of pywin32's ``win32file`` know only the ports of Windows
itself and cannot be used for that.
"""

from __future__ import annotations

import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

import pyisapi as isapi  # noqa: F401 -- scripts reach the package through this module
from pyisapi import ExtensionError as ExtensionError
from pyisapi import _failure
from pyisapi import isapicon as isapicon
from pyisapi._completion import INFINITE as INFINITE
from pyisapi._completion import OVERLAPPED as OVERLAPPED
from pyisapi._completion import CloseHandle as CloseHandle
from pyisapi._completion import CompletionPort as CompletionPort
from pyisapi._completion import CreateIoCompletionPort as CreateIoCompletionPort
from pyisapi._completion import GetQueuedCompletionStatus as GetQueuedCompletionStatus
from pyisapi._completion import PostQueuedCompletionStatus as PostQueuedCompletionStatus
from pyisapi._completion import SetThreadToken as SetThreadToken
from pyisapi.simple import SimpleExtension

if TYPE_CHECKING:
    from pyisapi._bridge import EXTENSION_CONTROL_BLOCK, HSE_VERSION_INFO

ISAPI_REQUEST: Final = 1
"""Key of a queued request; ``overlapped.object`` is its control block."""

ISAPI_SHUTDOWN: Final = 2
"""Key of the message that ends one worker."""

Handler: TypeAlias = "Callable[[int, int, int, OVERLAPPED | None], object]"


class WorkerThread(threading.Thread):
    """One thread of a pool: it handles messages from the port until it is told to stop."""

    def __init__(self, extension: ThreadPoolExtension, io_req_port: CompletionPort) -> None:
        super().__init__(daemon=True)
        self.running = False
        self._told_to_stop = False
        self.extension = extension
        self.io_req_port = io_req_port

    def run(self) -> None:
        """Handle messages; the loop itself is native."""
        self.running = True
        if self._told_to_stop:  # before the thread got here
            self.running = False
        try:
            self.io_req_port.run(self)
        finally:
            self.running = False

    def tell_to_stop(self) -> None:
        """Clear ``running``, which long work may look at; what is queued is still handled."""
        self._told_to_stop = True
        self.running = False

    def call_handler(self, cblock: EXTENSION_CONTROL_BLOCK) -> None:
        """Dispatch one request directly; kept for scripts, the pool does not use it."""
        self.extension.Dispatch(cblock)


class ThreadPoolExtension(SimpleExtension):
    """Base class of extensions whose requests run on a pool of ``max_workers`` threads."""

    max_workers = 20
    worker_shutdown_wait = 15000
    """How long ``TerminateExtension`` waits for the workers, in milliseconds."""

    io_req_port: CompletionPort

    def __init__(self) -> None:
        """Prepare the pool; subclasses that override this must call it."""
        self._started = False
        self.workers: list[WorkerThread] = []
        self.dispatch_map: dict[int, Handler] = {ISAPI_REQUEST: self.DispatchConnection}

    def GetExtensionVersion(self, vi: HSE_VERSION_INFO | None) -> Any:
        """Describe the extension and start its workers."""
        super().GetExtensionVersion(vi)
        # A factory may hand out an object that was terminated before.
        self.dispatch_map.setdefault(ISAPI_REQUEST, self.DispatchConnection)
        self.workers = []
        self.io_req_port = CompletionPort()
        self._started = True
        try:
            for number in range(1, self.max_workers + 1):
                worker = WorkerThread(self, self.io_req_port)
                worker.name = f"{type(self).__name__} worker {number}"
                worker.start()
                self.workers.append(worker)
        except BaseException:
            self.TerminateExtension(0)
            raise

    def HttpExtensionProc(self, control_block: EXTENSION_CONTROL_BLOCK) -> int:
        """Queue the request; for a class that does not override this the bridge does so natively."""
        overlapped = OVERLAPPED()
        overlapped.object = control_block
        try:
            self.io_req_port.post(0, ISAPI_REQUEST, overlapped)
        except ValueError:  # the port is closed: the pool was terminated
            _refuse_all([overlapped])
            return isapicon.HSE_STATUS_SUCCESS
        return isapicon.HSE_STATUS_PENDING

    def TerminateExtension(self, status: int) -> Any:
        """Let the workers finish what is queued, and refuse what they do not reach in time."""
        if not self._started:
            return
        self._started = False
        for worker in self.workers:
            worker.tell_to_stop()
        # Behind all requests in the queue: every worker that is not stuck finishes its share first.
        for _ in self.workers:
            self.io_req_port.post(0, ISAPI_SHUTDOWN)
        stuck = _wait_for(self.workers, self.worker_shutdown_wait / 1000)
        if stuck:
            _report_stuck(stuck)
        left = self.io_req_port.drain()
        self.io_req_port.close()
        # Posted between the two calls above; after closing, posting fails and the poster answers.
        left += self.io_req_port.drain()
        _refuse_all(left)
        self.dispatch_map.clear()

    def DispatchConnection(self, errCode: int, bytes: int, key: int, overlapped: OVERLAPPED | None) -> None:
        """Handle one queued request on a worker thread, as the request's user on Windows."""
        control_block = cast("EXTENSION_CONTROL_BLOCK", cast(OVERLAPPED, overlapped).object)
        try:
            if sys.platform == "win32":
                SetThreadToken(None, control_block.GetImpersonationToken())
            self.Dispatch(control_block)
        # Also SystemExit: nothing that a script raises may end the worker.
        except BaseException:
            self.HandleDispatchError(control_block)
        finally:
            SetThreadToken(None, None)

    def Dispatch(self, ecb: EXTENSION_CONTROL_BLOCK) -> Any:
        """Answer one request and finish it with ``DoneWithSession``; subclasses override this."""
        raise NotImplementedError(f"{type(self).__name__} must override Dispatch")

    def HandleDispatchError(self, ecb: EXTENSION_CONTROL_BLOCK) -> Any:
        """Report the exception that is being handled, answer 500 and finish the request."""
        error = sys.exc_info()[1]
        reference = _failure.report("ISAPI0211", f"Dispatch of {type(self).__name__} failed", error)
        sent = _failure.answer(ecb, reference, error)
        # A response that had begun stays incomplete: ending it as an error lets the client see that.
        _failure.finish(ecb, isapicon.HSE_STATUS_SUCCESS if sent else isapicon.HSE_STATUS_ERROR)


def _wait_for(workers: list[WorkerThread], seconds: float) -> list[WorkerThread]:
    """Wait until all workers have ended, but only so long in all; return those that have not."""
    deadline = time.monotonic() + seconds
    # A handler may terminate its own pool; its thread cannot wait for itself.
    others = [worker for worker in workers if worker is not threading.current_thread()]
    for worker in others:
        worker.join(max(0.0, deadline - time.monotonic()))
    return [worker for worker in others if worker.is_alive()]


def _report_stuck(workers: list[WorkerThread]) -> None:
    frames = sys._current_frames()
    for worker in workers:
        frame = frames.get(worker.ident or 0)
        stack = "(no Python stack)\n" if frame is None else "".join(traceback.format_stack(frame))
        _failure.report_text("ISAPI0214", f"{worker.name} has not ended in time; it is at\n{stack}")


def _refuse_all(left: list[OVERLAPPED]) -> None:
    """Answer 503 to the requests among the messages that no worker has taken."""
    carried = [overlapped.object for overlapped in left]
    requests = [item for item in carried if _failure.is_request(item) and not _failure.is_done(item)]
    if requests:
        reference = _failure.report_text(
            "ISAPI0215", f"{len(requests)} queued request(s) answered 503: their extension was terminated"
        )
        for control_block in requests:
            _failure.refuse(control_block, reference)


# What the bridge compares with: a script may replace the method on the class.
_queueing_http_extension_proc = ThreadPoolExtension.HttpExtensionProc
