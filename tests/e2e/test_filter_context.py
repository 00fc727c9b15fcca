"""HTTP_FILTER_CONTEXT beside a server that is not ours: what a filter reads, calls and stores.

Each source runs beside the fabricated server of foreign_filters.py. The number behind `D` is that of the defect in
docs/compatibility.md.
"""

from __future__ import annotations

import pytest
from foreign_process import Foreign


def test_numbers_of_the_context(foreign: Foreign) -> None:
    answer = foreign(
        """
        filters.connect(Revision=0xA0000, fIsSecurePort=7)
        filters.notify(END_OF_REQUEST, lambda fc: (fc.Revision, fc.fIsSecurePort, fc.NotificationType))
        """
    )
    assert answer == (0xA0000, 1, 0x80)


@pytest.mark.parametrize("name", ["Revision", "fIsSecurePort", "NotificationType", "InstanceID", "Anything"])
def test_context_has_no_other_settable_names(foreign: Foreign, name: str) -> None:
    answer = foreign(f"filters.notify(END_OF_REQUEST, lambda fc: setattr(fc, {name!r}, 1))")
    assert answer[0] == "AttributeError"


# What is stored for a connection


def test_object_stored_for_a_connection_is_the_same_in_later_notifications(foreign: Foreign) -> None:
    answer = foreign(
        """
        thing = object()
        empty = filters.notify(PREPROC, lambda fc: (fc.FilterContext, setattr(fc, "FilterContext", thing)))
        kept = filters.notify(END_OF_REQUEST, lambda fc: fc.FilterContext is thing)
        first = filters.connection
        other = (filters.connect() and None, filters.notify(PREPROC, lambda fc: fc.FilterContext))
        filters.connection = first
        last = filters.notify(END_OF_CONNECTION, lambda fc: fc.FilterContext is thing)
        (empty, kept, other, last)
        """
    )
    assert answer == ((None, None), True, (None, None), True)


@pytest.mark.parametrize("ending", ["lambda fc: None", "lambda fc: 1 / 0", "lambda fc: 'text'"])
def test_stored_object_is_released_and_the_slot_cleared_at_the_end_of_the_connection(
    foreign: Foreign, ending: str
) -> None:
    """D40, also when the handler fails."""
    answer = foreign(
        f"""
        import weakref
        class Thing: pass
        def store(fc):
            thing = fc.FilterContext = Thing()
            return weakref.ref(thing)
        stored = filters.notify(PREPROC, store)
        alive = stored() is not None
        filters.send(END_OF_CONNECTION, {ending})
        (alive, stored(), filters.connection.pFilterContext, filters.notify(PREPROC, lambda fc: fc.FilterContext))
        """
    )
    assert answer == (True, None, None, None)


def test_stored_object_is_released_after_the_filter_was_terminated(foreign: Foreign) -> None:
    answer = foreign(
        """
        import weakref
        class Thing: pass
        def store(fc):
            thing = fc.FilterContext = Thing()
            return weakref.ref(thing)
        stored = filters.notify(PREPROC, store)
        filters.library.TerminateFilter(2)
        (filters.send(END_OF_CONNECTION, None), stored(), filters.connection.pFilterContext)
        """
    )
    assert answer == (0x08000004, None, None)


@pytest.mark.parametrize("new", ["None", "object()"])
def test_assigning_releases_the_old_object_at_once(foreign: Foreign, new: str) -> None:
    answer = foreign(
        f"""
        import weakref
        class Thing: pass
        def replace(fc):
            fc.FilterContext = Thing()
            old = weakref.ref(fc.FilterContext)
            fc.FilterContext = {new}
            return old(), fc.FilterContext is None, "del", delete(fc)
        def delete(fc):
            try:
                del fc.FilterContext
            except AttributeError:
                return "refused"
        filters.notify(PREPROC, replace)
        """
    )
    assert answer == (None, new == "None", "del", "refused")


# Calls


@pytest.mark.parametrize("promises", [False, True])
def test_calls_pass_what_they_are_given(foreign: Foreign, promises: bool) -> None:
    """D37 for the header pointer, which is passed whole."""
    answer = foreign(
        f"""
        filters.promises = {promises}
        results = filters.notify(PREPROC, lambda fc: [
            fc.WriteClient("\\xfc"), fc.write(b"a\\0b", 5), fc.AddResponseHeaders("A: b\\r\\n", 1),
            fc.SendResponseHeader("404 No", "C: d\\r\\n\\r\\n"), fc.SendResponseHeader(None, None),
            fc.DisableNotifications(0x4000), fc.AddHeadersOnDenial("E: f\\r\\n"), fc.SetNextReadSize(77),
            fc.NormalizeURL("/a%20b"), fc.InstanceID,
        ])
        (results, filters.calls)
        """
    )
    support = "ServerSupportFunction"
    assert answer == (
        [None, None, None, None, None, None, None, None, b"/a b", 4711],
        [
            ("WriteClient", b"\xc3\xbc", 0),
            ("WriteClient", b"a\0b", 5),
            ("AddResponseHeaders", b"A: b\r\n", 1),
            (support, 0, b"404 No", b"C: d\r\n\r\n", 0),
            (support, 0, None, 0, 0),
            (support, 8, None, 0x4000, 0),
            (support, 1, b"E: f\r\n", 0, 0),
            (support, 2, None, 77, 0),
            (support, 7, b"/a%20b", 0, 0),
            (support, 6, None, 1, 0),
        ],
    )


@pytest.mark.parametrize("promises", [False, True])
@pytest.mark.parametrize(
    ("call", "callback", "name"),
    [
        ("fc.WriteClient(b'x')", "WriteClient", "WriteClient"),
        ("fc.AddResponseHeaders('')", "AddResponseHeaders", "AddResponseHeaders"),
        ("fc.SendResponseHeader('200 OK', '')", "ServerSupportFunction", "SendResponseHeader"),
        ("fc.DisableNotifications(1)", "ServerSupportFunction", "DisableNotifications"),
        ("fc.AddHeadersOnDenial('')", "ServerSupportFunction", "AddHeadersOnDenial"),
        ("fc.SetNextReadSize(1)", "ServerSupportFunction", "SetNextReadSize"),
        ("fc.NormalizeURL('/')", "ServerSupportFunction", "NormalizeURL"),
        ("fc.InstanceID", "ServerSupportFunction", "ServerSupportFunction(SF_REQ_GET_PROPERTY)"),
        ("fc.GetServerVariable('A')", "GetServerVariable", "GetServerVariable"),
        ("fc.GetData().GetHeader('url')", "GetHeader", "GetHeader"),
        ("fc.GetData().SetHeader('A:', 'b')", "SetHeader", "SetHeader"),
        ("fc.GetData().AddHeader('A:', 'b')", "AddHeader", "AddHeader"),
    ],
)
def test_refusal_raises_with_the_servers_error_and_the_calls_name(
    foreign: Foreign, call: str, callback: str, name: str, promises: bool
) -> None:
    answer = foreign(
        f"""
        filters.promises = {promises}
        filters.refused[{callback!r}] = 4711
        filters.notify(PREPROC, lambda fc: {call}, filters.preproc())
        """
    )
    assert answer == ("FilterError", (4711, None, name))


@pytest.mark.parametrize(
    ("call", "error"),
    [
        ("fc.WriteClient(None)", "TypeError"),
        ("fc.WriteClient(data=b'')", "TypeError"),
        ("fc.SendResponseHeader('200 OK')", "TypeError"),
        ("fc.SendResponseHeader('200 OK\\r\\nA: b', '')", "ValueError"),
        ("fc.SendResponseHeader('200 OK', 'a\\0b')", "ValueError"),
        ("fc.AddResponseHeaders('a\\0b')", "ValueError"),
        ("fc.DisableNotifications('1')", "TypeError"),
        ("fc.DisableNotifications(2**32)", "OverflowError"),
        ("fc.SetNextReadSize(-1)", "OverflowError"),
        ("fc.GetServerVariable('a\\0b')", "ValueError"),
        ("fc.GetServerVariable('\\ud800')", "UnicodeEncodeError"),
        ("fc.no_such_name", "AttributeError"),
        ("type(fc)()", "TypeError"),
        ("type('Sub', (type(fc),), {})", "TypeError"),
    ],
)
def test_misuse_raises_and_calls_nothing(foreign: Foreign, call: str, error: str) -> None:
    answer = foreign(f"(filters.notify(PREPROC, lambda fc: {call})[0], filters.calls)")
    assert answer == (error, [])


# Variables


@pytest.mark.parametrize("promises", [False, True])
def test_variables_come_without_their_final_nul_and_grow(foreign: Foreign, promises: bool) -> None:
    """D24."""
    answer = foreign(
        f"""
        filters.promises = {promises}
        filters.variables = {{b"A": b"a\\0b\\0\\0", b"B": b"", b"LONG": b"v" * 100_000 + b"\\0",
            b"UNICODE_C": "c\\xe9\\U0001f600\\0".encode("utf-16-le")}}
        filters.notify(PREPROC, lambda fc: [
            fc.GetServerVariable("A"), fc.GetServerVariable("B"), fc.GetServerVariable("UNICODE_C"),
            len(fc.GetServerVariable("LONG", None)), fc.GetServerVariable("NONE", 5),
        ])
        """
    )
    assert answer == [b"a\0b\0", b"", "c\u00e9\U0001f600", 100_000, 5]


def test_missing_variable_without_a_default_raises(foreign: Foreign) -> None:
    answer = foreign("filters.notify(PREPROC, lambda fc: fc.GetServerVariable('NONE'))")
    assert answer == ("FilterError", (1413, None, "GetServerVariable"))


# After the end


def test_kept_context_raises_and_calls_nothing(foreign: Foreign) -> None:
    """D20, D25: whether by a method or by an attribute; copied numbers stay."""
    answer = foreign(
        """
        kept = []
        filters.notify(PREPROC, lambda fc: kept.append(fc))
        [fc] = kept
        uses = [
            lambda: fc.FilterContext, lambda: setattr(fc, "FilterContext", object()), lambda: fc.InstanceID,
            lambda: fc.GetData(), lambda: fc.GetServerVariable("A"), lambda: fc.GetServerVariable("A", None),
            lambda: fc.WriteClient(b"x"), lambda: fc.write(b"x"), lambda: fc.AddResponseHeaders("A: b"),
            lambda: fc.SendResponseHeader(None, None), lambda: fc.DisableNotifications(1),
            lambda: fc.AddHeadersOnDenial(""), lambda: fc.SetNextReadSize(1), lambda: fc.NormalizeURL("/"),
        ]
        def outcome(use):
            try:
                return use()
            except Exception as error:
                return type(error).__name__
        (set(map(outcome, uses)), filters.calls, fc.NotificationType, fc.Revision, filters.connection.pFilterContext)
        """
    )
    assert answer == ({"RuntimeError"}, [], 0x4000, 0x70000, None)


def test_notification_waits_for_a_thread_that_is_inside_the_server(foreign: Foreign) -> None:
    """Another thread may use the context during the call; its memory is not taken away under it."""
    answer = foreign(
        """
        import threading
        order, entered, leave = [], threading.Event(), threading.Event()
        def inside():
            entered.set()
            leave.wait(20)
            order.append("left the server")
        def write(fc):
            fc.WriteClient(b"x")
        def handler(fc):
            filters.meanwhile = inside
            thread = threading.Thread(target=write, args=(fc,))
            thread.start()
            entered.wait(20)
            # Lets go once this thread is on its way out of the notification.
            threading.Timer(0.2, leave.set).start()
            return thread
        thread = filters.notify(PREPROC, handler)
        order.append("notification over")
        thread.join(20)
        order
        """
    )
    assert answer == ["left the server", "notification over"]


def test_interpreter_is_free_while_the_client_is_written_to(foreign: Foreign) -> None:
    """Even when the server has promised that short calls never wait."""
    answer = foreign(
        """
        import threading
        filters.promises = True
        ran = threading.Event()
        def handler(fc):
            # A Python callback needs the interpreter on another thread: it gets it only while this one is without.
            def elsewhere():
                thread = threading.Thread(target=ran.set)
                thread.start()
                thread.join(20)
            filters.meanwhile = elsewhere
            fc.WriteClient(b"x")
            return ran.is_set()
        filters.notify(PREPROC, handler)
        """
    )
    assert answer is True
