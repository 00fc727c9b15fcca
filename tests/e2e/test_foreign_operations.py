"""Asynchronous calls beside a fabricated server: what is kept until the completion, and who is called.

What Python and the C library free is overwritten in these processes, so that memory that the bridge let go reads
as something else. `hold` leaves the request pending, `ask` ends it with the handler's return.
"""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest
from foreign_process import Foreign

# `calls` gets what the callback got, without the control block; `big` makes data that nobody else refers to.
PRELUDE = """
import gc
calls, blocks = [], []

def done(ecb, *rest):
    blocks.append(ecb)
    calls.append((type(ecb).__name__, *rest))

def big(letter, size=5000):
    return bytes([ord(letter)]) * size

def text(letter):
    return letter * 3000

def settle():
    # The bridge frees what it let go without the interpreter when it next has it.
    server.ask(lambda ecb: None)
    gc.collect()

def look():
    settle()
    return server.operations[0].given

"""

BIG = b"d" * 5000

# Each starts an operation with `done`, or what IOCompletion registered, to be called with "arg".
STARTS: dict[str, tuple[str, object]] = {
    "WriteClient of bytes": ("ecb.IOCompletion(done, 'arg'); ecb.WriteClient(big('d'), 2)", BIG),
    "WriteClient of a bytearray": (
        "ecb.IOCompletion(done, 'arg'); ecb.WriteClient(bytearray(big('d')), 2)",
        BIG,
    ),
    "WriteClient of str": ("ecb.IOCompletion(done, 'arg'); ecb.WriteClient(text('d'), 2)", b"d" * 3000),
    "VectorSend": (
        "ecb.VectorSend([big('a'), text('b'), bytearray(big('c')), (77, 5, 6)], 10, text('s'), text('h'), done, 'arg')",
        (10, b"s" * 3000, b"h" * 3000, [b"a" * 5000, b"b" * 3000, b"c" * 5000, (77, 5, 6)]),
    ),
    "VectorSend without headers": (
        "ecb.VectorSend([big('d')], 2, callback=done, arg='arg')",
        (2, None, None, [BIG]),
    ),
    "VectorSend after IOCompletion": (
        "ecb.IOCompletion(done, 'arg'); ecb.VectorSend([big('d')], 2)",
        (2, None, None, [BIG]),
    ),
    "TransmitFile": (
        "ecb.TransmitFile(done, 'arg', 77, text('s'), 1, 2, big('h'), bytearray(big('t')), 10)",
        (77, b"s" * 3000, 1, 2, b"h" * 5000, b"t" * 5000, 10),
    ),
    "ExecURL": (
        "ecb.IOCompletion(done, 'arg'); ecb.ExecURL(text('/'), text('m'), text('h'), (7, text('u'), text('t')), big('d'), 4)",
        (b"/" * 3000, b"m" * 3000, b"h" * 3000, (7, b"u" * 3000, b"t" * 3000), BIG, 4),
    ),
    "ExecURL in UTF-16": (
        "ecb.IOCompletion(done, 'arg'); ecb.ExecURL(text('\\u20ac'), None, None, (7, text('u'), 't'), None, 4)",
        ("\u20ac" * 3000, None, None, (7, "u" * 3000, b"t"), None, 4),
    ),
    "SendCustomError": ("ecb.SendCustomError(text('4'), 5, True, done, 'arg')", (b"4" * 3000, 5, 1)),
    "SendCustomError after IOCompletion": (
        "ecb.IOCompletion(done, 'arg'); ecb.SendCustomError(big('4'), 5, True)",
        (b"4" * 5000, 5, 1),
    ),
    "AsyncReadClient": ("ecb.AsyncReadClient(5000, done, 'arg')", (5000, 2)),
    "AsyncReadClient after IOCompletion": (
        "ecb.IOCompletion(done, 'arg'); ecb.AsyncReadClient(5000)",
        (5000, 2),
    ),
}
# One of each kind of keeping.
KINDS = ["WriteClient of bytes", "VectorSend without headers", "TransmitFile", "AsyncReadClient"]
UNKNOWN_LENGTH = 0xFFFFFFFF


def handler(start: str) -> str:
    """Return the prelude, and a handler that makes the start."""
    statements = "".join(f"    {part}\n" for part in STARTS[start][0].split("; "))
    return f"{PRELUDE}def handler(ecb):\n{statements}\n"


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("ending", ["hold", "ask"])
def test_what_the_server_is_given_stays_until_the_completion(
    foreign: Foreign, start: str, ending: str
) -> None:
    """Also when the request ends before."""
    answer = foreign(
        f"""{handler(start)}
started = server.{ending}(handler, cbTotalBytes={UNKNOWN_LENGTH})
(started, look())
"""
    )
    assert answer == (None, STARTS[start][1])


@pytest.mark.parametrize("start", STARTS)
def test_completion_calls_back_once_with_argument_result_and_error(foreign: Foreign, start: str) -> None:
    is_read = "Read" in start
    answer = foreign(
        f"""{handler(start)}
server.hold(handler, cbTotalBytes={UNKNOWN_LENGTH})
if {is_read}:
    server.operations[0].fill(bytes(range(250)) * 20)
gc.collect()
others = [bytes([1]) * 5000 for _ in range(50)]
route = server.complete(5000)
route.call(5000, 0)
(calls, blocks.pop().Done)
"""
    )
    result = bytes(range(250)) * 20 if is_read else 5000
    assert answer == ([("EXTENSION_CONTROL_BLOCK", "arg", result, 0)], False)


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("is_inline", [False, True])
def test_completion_that_comes_before_the_call_returns_calls_back(
    foreign: Foreign, start: str, is_inline: bool
) -> None:
    """On another thread, or, as some servers do, on the thread of the call."""
    answer = foreign(
        f"""{handler(start)}
server.at_once, server.is_inline = (0, 995), {is_inline}
(server.hold(handler, cbTotalBytes={UNKNOWN_LENGTH}), calls, server.operations)
"""
    )
    result = b"" if "Read" in start else 0
    assert answer == (None, [("EXTENSION_CONTROL_BLOCK", "arg", result, 995)], [])


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("end", ["server.ask(handler, cbTotalBytes=9)", "server.hold(ended, cbTotalBytes=9)"])
def test_completion_after_the_end_of_the_request_calls_nobody_and_frees(
    foreign: Foreign, start: str, end: str
) -> None:
    answer = foreign(
        f"""{handler(start).replace("'arg'", "argument")}
import weakref

class Argument:
    pass

def ended(ecb):
    handler(ecb)
    ecb.DoneWithSession()

argument = Argument()
alive = weakref.ref(argument)
{end}
del argument
first = server.complete(4)
first.call(4, 0)
settle()
(calls, alive() is None)
"""
    )
    assert answer == ([], True)


SECOND = {
    "WriteClient": "ecb.WriteClient(b'2', 2)",
    "ServerSupportFunction(HSE_REQ_VECTOR_SEND)": "ecb.VectorSend([b'2'], 2, callback=done)",
    "ServerSupportFunction(HSE_REQ_ASYNC_READ_CLIENT)": "ecb.AsyncReadClient(1, done)",
    "ServerSupportFunction(HSE_REQ_TRANSMIT_FILE)": "ecb.TransmitFile(done, 2, 3, '', 0, 0, None, None, 2)",
    "ServerSupportFunction(HSE_REQ_EXEC_URL)": "ecb.ExecURL(None, None, None, None, None, 0)",
    "ServerSupportFunction(HSE_REQ_SEND_CUSTOM_ERROR)": "ecb.SendCustomError('404', 0, True, done)",
}


@pytest.mark.parametrize("start", KINDS)
def test_second_operation_at_a_time_is_refused_and_leaves_the_first(foreign: Foreign, start: str) -> None:
    answer = foreign(
        f"""{handler(start)}
def both(ecb):
    handler(ecb)
    before, outcomes = server.operations[0].given, []
    for call in {list(SECOND.values())!r}:
        try:
            eval(call, globals() | dict(ecb=ecb))
        except Exception as error:
            outcomes.append((type(error).__name__, error.args))
    return outcomes, server.operations[0].given == before, len(server.operations)

answer = server.hold(both, cbTotalBytes={UNKNOWN_LENGTH})
server.complete(0)
(answer, [call[1] for call in calls])
"""
    )
    refusals = [("ExtensionError", (87, None, function)) for function in SECOND]
    assert answer == ((refusals, True, 1), ["arg"])


def test_refused_operation_leaves_room_for_another(foreign: Foreign) -> None:
    answer = foreign(
        f"""{PRELUDE}
def handler(ecb):
    server.refused[1037] = 64
    try:
        ecb.VectorSend([big("x")], 2, callback=done, arg="refused")
    except Exception as error:
        failure = error.args
    del server.refused[1037]
    ecb.VectorSend([big("d")], 2, callback=done, arg="accepted")
    return failure

failure = server.hold(handler)
given = look()
server.complete(1)
(failure, given, calls)
"""
    )
    failure, given, calls = answer
    assert failure == (64, None, "ServerSupportFunction(HSE_REQ_VECTOR_SEND)")
    assert given == (2, None, None, [BIG])
    assert calls == [("EXTENSION_CONTROL_BLOCK", "accepted", 1, 0)]


def test_refusal_to_report_completions_is_the_calls_own_error(foreign: Foreign) -> None:
    answer = foreign(
        f"""{PRELUDE}
server.refused[1005] = 4711
call = lambda ecb: ecb.VectorSend([b"x"], 2, callback=done)
(server.ask(call), server.calls)
"""
    )
    failure = ("ExtensionError", (4711, None, "ServerSupportFunction(HSE_REQ_IO_COMPLETION)"))
    assert answer == (failure, [(1005, None)])


def test_callback_starts_the_next_operation(foreign: Foreign) -> None:
    """A whole exchange: read the body, send it back, finish."""
    answer = foreign(
        """
        seen = []

        def read(ecb, body, data, error):
            seen.append((data, error))
            if data:
                body.append(data)
                ecb.AsyncReadClient(100, read, body)
            else:
                ecb.VectorSend(body, 2 | 8, "200 OK", "\\r\\n", sent, body)

        def sent(ecb, body, count, error):
            seen.append((count, error, server.complete is not None))
            ecb.DoneWithSession(2)

        server.hold(lambda ecb: ecb.AsyncReadClient(100, read, []), cbTotalBytes=0xFFFFFFFF)
        for part in (b"one", b"two", b""):
            server.operations[0].fill(part)
            server.complete(len(part))
        given = server.operations[0].given
        server.complete(6)
        (seen, given, [call for call in server.calls if call[0] != 1037])
        """
    )
    seen, given, calls = answer
    assert seen == [(b"one", 0), (b"two", 0), (b"", 0), (6, 0, True)]
    assert given == (10, b"200 OK", b"\r\n", [b"one", b"two"])
    # The completion function is registered once, then it stays.
    assert calls == [(1005, None), (1010, (100, 2)), (1010, (100, 2)), (1010, (100, 2)), (4, 2)]


@pytest.mark.parametrize(
    ("size", "total", "available", "asked"),
    [
        (100, 50, 0, 50),
        (100, 50, 20, 30),
        (100, 50, 50, 100),
        (100, 500, 0, 100),
        (2**40, UNKNOWN_LENGTH, 0, 1024 * 1024),
    ],
)
def test_read_asks_for_what_is_left_and_no_more_than_its_buffer(
    foreign: Foreign, size: int, total: int, available: int, asked: int
) -> None:
    members = f"cbTotalBytes={total}, cbAvailable={available}, lpbData=b'x' * {available}"
    source = f"server.hold(lambda ecb: ecb.AsyncReadClient({size}, print), {members})\nserver.calls[-1]"
    assert foreign(source) == (1010, (asked, 2))


def test_count_beyond_the_buffer_is_cut(foreign: Foreign) -> None:
    answer = foreign(
        f"""{PRELUDE}
server.hold(lambda ecb: ecb.AsyncReadClient(4, done), cbTotalBytes=100)
server.operations[0].fill(b"abcd")
server.complete(50_000)
calls
"""
    )
    assert answer == [("EXTENSION_CONTROL_BLOCK", None, b"abcd", 0)]


def test_the_two_ways_of_reading_follow_one_another(foreign: Foreign) -> None:
    """Bytes that a failed ReadClient had read are not lost, and what an asynchronous read got counts as read."""
    answer = foreign(
        f"""{PRELUDE}
server.body, server.failing_read = b"a" * 60_000 + b"c" * 10, 2

def failing(ecb):
    try:
        ecb.ReadClient()
    except Exception as error:
        failure = error.errno
    ecb.AsyncReadClient(3, done)
    return failure

failure = server.hold(failing, cbTotalBytes=60_013)
server.operations[0].fill(b"bbb")
server.complete(3)
(failure, calls[0][2] == b"a" * 60_000 + b"bbb", blocks[0].ReadClient(), server.reads[-1])
"""
    )
    assert answer == (64, True, b"c" * 10, 10)


@pytest.mark.parametrize("start", KINDS)
def test_failing_callback_ends_the_request_as_failed_once(foreign: Foreign, start: str) -> None:
    answer = foreign(
        f"""{handler(start)}
def done(ecb, *rest):
    blocks.append(ecb)
    raise KeyError("in the callback")

server.hold(handler, cbTotalBytes={UNKNOWN_LENGTH})
server.complete(1).call(1, 0)
(len(blocks), blocks[0].Done, [call for call in server.calls if call[0] == 4])
"""
    )
    assert answer == (1, True, [(4, 4)])


def test_callback_that_knows_its_control_block_is_freed_with_the_request(foreign: Foreign) -> None:
    answer = foreign(
        f"""{PRELUDE}
import weakref

class Argument:
    pass

alive = []

def handler(ecb):
    argument = Argument()
    alive.append(weakref.ref(argument))
    ecb.IOCompletion(lambda *arguments: ecb, argument)

server.ask(handler)
settle()
[reference() for reference in alive]
"""
    )
    assert answer == [None]


def test_operation_without_anybody_to_call_keeps_its_data_and_blocks_no_end(foreign: Foreign) -> None:
    """An unchanged call of the old package without IOCompletion: the server decides what to make of it."""
    answer = foreign(
        f"""{PRELUDE}
def handler(ecb):
    ecb.WriteClient(big("d"), 2)

ended = server.ask(handler)
(ended, look(), server.complete(1), server.calls)
"""
    )
    assert answer == (None, BIG, None, [])


def test_pending_request_whose_callback_let_it_go_is_ended(foreign: Foreign) -> None:
    answer = foreign(
        """
        import gc
        server.hold(lambda ecb: ecb.VectorSend([b"x"], 2, callback=lambda *arguments: None))
        gc.collect()
        before = server.calls[-1][0]
        server.complete(1)
        gc.collect()
        (before, server.calls[-1])
        """
    )
    assert answer == (1037, (4, 4))


def test_file_is_not_closed_by_losing_its_last_name(foreign: Foreign) -> None:
    answer = foreign(
        """
        import gc, os, warnings
        warnings.simplefilter("ignore", ResourceWarning)

        def handler(ecb):
            ecb.VectorSend([open(server.folder / "fake.py", "rb")], 2, callback=lambda ecb, *rest: ecb.DoneWithSession())

        def is_open(number):
            try:
                os.fstat(number)
            except OSError:
                return False
            return True

        server.hold(handler)
        gc.collect()
        number = server.operations[0].given[3][0][0]
        before = is_open(number)
        server.complete(1)
        gc.collect()
        (before, is_open(number))
        """
    )
    assert answer == (True, False)


def test_own_callback_goes_before_the_registered_one(foreign: Foreign) -> None:
    answer = foreign(
        """
        calls = []
        def handler(ecb):
            ecb.IOCompletion(lambda ecb, *rest: calls.append(("registered", *rest)))
            ecb.VectorSend([b"1"], 2, callback=own)

        def own(ecb, *rest):
            calls.append(("own", *rest))
            ecb.WriteClient(b"22", 2)

        server.hold(handler)
        server.complete(1)
        server.complete(2)
        calls
        """
    )
    assert answer == [("own", None, 1, 0), ("registered", None, 2, 0)]


def test_example_of_the_guide_sends_back_what_it_gets(foreign: Foreign) -> None:
    guide = (Path(__file__).parents[2] / "docs/writing-extensions.md").read_text("utf-8")
    [example] = [
        text
        for text in re.findall(r"^```python\n(.*?)^```$", guide, re.MULTILINE | re.DOTALL)
        if "AsyncReadClient" in text
    ]
    source = f"""
from isapi import isapicon
def handler(ecb):
{textwrap.indent(example, "    ")}
status = server.hold(handler, cbTotalBytes=11, cbAvailable=6, lpbData=b"known ")
for part in (b"re", b"st!", b""):
    server.operations[0].fill(part)
    server.complete(len(part))
given = server.operations[0].given
server.complete(11)
(status, given, server.calls[-1])
"""
    headers = b"Content-Type: application/octet-stream\r\nContent-Length: 11\r\n\r\n"
    vector = (0x1A, b"200 OK", headers, [b"known ", b"re", b"st!"])
    assert foreign(source) == (3, vector, (4, 1))
