"""The pool with its native port. Requests need a server, so these tests post work of their own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from package_under_test import needs_bridge

from pyisapi import threaded_extension
from pyisapi.isapicon import HSE_STATUS_SUCCESS
from pyisapi.threaded_extension import OVERLAPPED, ThreadPoolExtension, WorkerThread

pytestmark = needs_bridge

WORK = 77
DEADLINE_SECONDS = 20


class Wrapper:
    """What a script may queue in place of the control block: only what pywin32's has."""

    def __init__(self) -> None:
        self.sent: list[object] = []

    def SendResponseHeaders(self, status: str, headers: str, keep_alive: bool) -> None:
        self.sent.append(status)

    def WriteClient(self, data: bytes) -> None:
        pass

    def DoneWithSession(self, status: int) -> None:
        self.sent.append(status)


class Pool(ThreadPoolExtension):
    """A pool with one key of its own."""

    max_workers = 2

    def __init__(self, work: Callable[[Any], object]) -> None:
        super().__init__()
        self.dispatch_map[WORK] = lambda error, count, key, overlapped: work(overlapped.object)  # type: ignore[union-attr]

    def post(self, item: object) -> None:
        overlapped = OVERLAPPED()
        overlapped.object = item
        self.io_req_port.post(0, WORK, overlapped)


def test_work_of_ones_own_reaches_a_worker_with_what_was_posted() -> None:
    seen: list[tuple[int, int, int, object]] = []
    done = threading.Event()

    def handler(error: int, count: int, key: int, overlapped: OVERLAPPED | None) -> None:
        assert isinstance(threading.current_thread(), WorkerThread)
        seen.append((error, count, key, overlapped and overlapped.object))
        done.set()

    pool = Pool(print)
    pool.dispatch_map[WORK] = handler
    pool.GetExtensionVersion(None)
    overlapped = OVERLAPPED()
    overlapped.object = "x"
    threaded_extension.PostQueuedCompletionStatus(pool.io_req_port, 5, WORK, overlapped)
    assert done.wait(DEADLINE_SECONDS)
    pool.TerminateExtension(0)
    assert seen == [(0, 5, WORK, "x")]


def test_terminating_finishes_what_is_queued() -> None:
    gate = threading.Event()
    finished: list[int] = []

    def work(number: int) -> None:
        gate.wait(DEADLINE_SECONDS)
        finished.append(number)

    pool = Pool(work)
    pool.max_workers = 1
    pool.GetExtensionVersion(None)
    [worker] = pool.workers
    for number in range(3):
        pool.post(number)
    gate.set()
    pool.TerminateExtension(0)
    assert finished == [0, 1, 2]
    assert not worker.is_alive()
    assert not worker.running


def test_terminating_clears_running_at_once_and_keeps_the_workers() -> None:
    looked = threading.Event()

    def work(_: object) -> None:
        worker = threading.current_thread()
        assert isinstance(worker, WorkerThread)
        deadline = time.monotonic() + DEADLINE_SECONDS
        while worker.running and time.monotonic() < deadline:
            time.sleep(0.001)
        if not worker.running:
            looked.set()

    pool = Pool(work)
    pool.GetExtensionVersion(None)
    workers = list(pool.workers)
    pool.post(None)
    pool.TerminateExtension(0)
    assert looked.is_set()
    assert pool.workers == workers and not any(worker.is_alive() for worker in workers)
    assert pool.dispatch_map == {}


def test_a_worker_that_starts_after_it_was_told_to_stop_is_not_running() -> None:
    seen: list[bool] = []

    class Port:
        def run(self, worker: WorkerThread) -> None:
            seen.append(worker.running)

    port: Any = Port()
    worker = WorkerThread(Pool(print), port)
    worker.tell_to_stop()
    worker.run()
    assert seen == [False]


def test_a_queued_object_around_the_control_block_is_refused_when_no_worker_takes_it() -> None:
    wrapper = Wrapper()
    started, release = threading.Event(), threading.Event()

    def work(_: object) -> None:
        started.set()
        release.wait(DEADLINE_SECONDS)

    pool = Pool(work)
    pool.max_workers = 1
    pool.worker_shutdown_wait = 10
    pool.GetExtensionVersion(None)
    pool.post(None)
    assert started.wait(DEADLINE_SECONDS)
    pool.post(wrapper)
    pool.TerminateExtension(0)
    release.set()
    assert wrapper.sent == ["503 Service Unavailable", HSE_STATUS_SUCCESS]


def test_a_request_that_comes_after_the_end_is_refused() -> None:
    pool = Pool(print)
    pool.GetExtensionVersion(None)
    pool.TerminateExtension(0)
    wrapper: Any = Wrapper()
    assert pool.HttpExtensionProc(wrapper) == HSE_STATUS_SUCCESS
    assert wrapper.sent == ["503 Service Unavailable", HSE_STATUS_SUCCESS]


def test_terminating_twice_or_before_the_start_is_harmless() -> None:
    pool = Pool(print)
    pool.TerminateExtension(0)
    pool.GetExtensionVersion(None)
    pool.TerminateExtension(0)
    pool.TerminateExtension(0)
    with pytest.raises(ValueError, match="closed"):
        pool.post(1)


def test_a_pool_can_be_started_again() -> None:
    pool = Pool(print)
    for _ in range(2):
        pool.GetExtensionVersion(None)
        assert len(pool.workers) == 2
        pool.TerminateExtension(0)


def test_a_stuck_worker_is_reported_with_its_stack(capsys: pytest.CaptureFixture[str]) -> None:
    started, release = threading.Event(), threading.Event()

    def work(_: object) -> None:
        started.set()
        release.wait(DEADLINE_SECONDS)

    pool = Pool(work)
    pool.max_workers = 1
    pool.worker_shutdown_wait = 10
    pool.GetExtensionVersion(None)
    [worker] = pool.workers
    pool.post(None)
    assert started.wait(DEADLINE_SECONDS)
    pool.TerminateExtension(0)
    release.set()
    worker.join(DEADLINE_SECONDS)
    assert not worker.is_alive()
    report = capsys.readouterr().err
    assert report.startswith("ISAPI0214 [")
    assert "Pool worker 1" in report
    assert "release.wait(DEADLINE_SECONDS)" in report


def test_failing_work_and_unknown_keys_leave_the_worker_alive(capsys: pytest.CaptureFixture[str]) -> None:
    done = threading.Event()

    def work(item: object) -> None:
        if item == "fail":
            raise SystemExit("no")
        done.set()

    pool = Pool(work)
    pool.max_workers = 1
    pool.GetExtensionVersion(None)
    pool.post("fail")
    pool.io_req_port.post(0, 12345)
    pool.post("go on")
    assert done.wait(DEADLINE_SECONDS)
    pool.TerminateExtension(0)
    report = capsys.readouterr().err
    assert "ISAPI0213 [" in report
    assert "SystemExit: no" in report
    assert "ISAPI0212 [" in report


def test_the_functions_under_their_windows_names() -> None:
    port = threaded_extension.CreateIoCompletionPort(-1, None, 0, 0)
    threaded_extension.PostQueuedCompletionStatus(port, 3, 9)
    assert threaded_extension.GetQueuedCompletionStatus(port, threaded_extension.INFINITE) == (0, 3, 9, None)
    assert threaded_extension.GetQueuedCompletionStatus(port, 1)[0] == 258
    threaded_extension.CloseHandle(port)
    with pytest.raises(ValueError):
        threaded_extension.PostQueuedCompletionStatus(port, 0, 9)


def test_an_overlapped_carries_any_object() -> None:
    overlapped = OVERLAPPED()
    assert overlapped.object is None
    assert (overlapped.Internal, overlapped.Offset, overlapped.hEvent) == (0, 0, 0)
    overlapped.object = port = object()
    assert overlapped.object is port
