"""IOCompletion, asynchronous WriteClient and TransmitFile: what callbacks receive, and how often."""

from __future__ import annotations

import http.client
from pathlib import Path

import pytest
from probe_client import Probe, Raised, Value
from server_process import receive_all

HEAD = "ecb.SendResponseHeaders('200 OK', 'Content-Type: text/plain\\r\\n\\r\\n')\n"
SEND_HEADERS = 0x08
ASYNC = 0x02

# The expression's value is not wanted: the callback reports instead.
WRITE = (
    HEAD
    + """
import json
calls = []
def written(*arguments):
    block, argument, count, error = arguments
    calls.append((type(block).__name__, block is ecb, block.ConnID == ecb.ConnID, argument, type(count).__name__, count, error))
    if len(calls) == 2:
        block.DoneWithSession()
        outcomes.put(json.dumps({"type": "list", "repr": repr(calls)}))
    else:
        block.WriteClient(b"second", isapicon.HSE_IO_ASYNC)
ecb.IOCompletion(written, "argument")
ecb.WriteClient(b"first", isapicon.HSE_IO_ASYNC)
"""
)


def test_completion_callback_gets_a_new_block_argument_count_and_error(probe: Probe) -> None:
    assert probe.send("pending", WRITE).body == b"firstsecond"
    outcomes = [probe.last(), probe.last()]
    reported = next(outcome for outcome in outcomes if isinstance(outcome, Value) and outcome.type == "list")
    assert reported.value == [
        ("EXTENSION_CONTROL_BLOCK", False, True, "argument", "int", 5, 0),
        ("EXTENSION_CONTROL_BLOCK", False, True, "argument", "int", 6, 0),
    ]


def test_later_completion_callback_replaces_the_earlier(probe: Probe) -> None:
    source = (
        HEAD
        + """
ecb.IOCompletion(lambda *arguments: outcomes.put("the earlier was called"))
ecb.IOCompletion(lambda block, *rest: (block.WriteClient(repr(rest)), block.DoneWithSession()))
ecb.WriteClient(b"x", isapicon.HSE_IO_ASYNC)"""
    )
    assert probe.send("pending", source).body == b"x(None, 1, 0)"
    assert isinstance(probe.last(), Value)


def test_second_asynchronous_write_at_a_time_is_refused(probe: Probe) -> None:
    source = (
        HEAD
        + """
def written(block, argument, count, error):
    if count == 1:
        block.DoneWithSession()
    else:
        block.WriteClient(b"z", isapicon.HSE_IO_ASYNC)
ecb.IOCompletion(written)
ecb.WriteClient(b"x" * 50_000_000, isapicon.HSE_IO_ASYNC)
ecb.WriteClient(b"y", isapicon.HSE_IO_ASYNC)"""
    )
    with probe.server.connect() as connection:
        # The first write cannot complete while nobody reads so much.
        connection.sendall(probe.head("refused", source))
        refusal = probe.last()
        assert isinstance(refusal, Raised) and refusal.args == (87, None, "WriteClient")
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        body = answer.read()
    assert (len(body), body.strip(b"x")) == (50_000_001, b"z")


def test_failing_completion_callback_ends_the_request(probe: Probe) -> None:
    source = """
ecb.SendResponseHeaders('200 OK', 'Content-Length: 100\\r\\n\\r\\n')
ecb.IOCompletion(lambda *arguments: 1 / 0)
ecb.WriteClient(b"x", isapicon.HSE_IO_ASYNC)
"""
    with probe.server.connect() as connection:
        connection.sendall(probe.head("pending", source))
        received = receive_all(connection)
    assert received.endswith(b"\r\n\r\nx") and b"500" not in received
    probe.server.wait_for_log("ISAPI0210")
    assert isinstance(probe.last(), Value)


# TransmitFile


@pytest.fixture
def sent_file(tmp_path: Path) -> Path:
    path = tmp_path / "sent.bin"
    path.write_bytes(bytes(range(256)) * 1000)
    return path


def transmit(
    path: Path,
    status: str = "200 OK",
    count: int = 0,
    offset: int = 0,
    head: str = "None",
    tail: str = "None",
    flags: int = ASYNC | SEND_HEADERS,
) -> str:
    """Return source that sends the file; the callback finishes the request and reports what it was given."""
    return f"""
import json, os
descriptor = os.open({str(path)!r}, os.O_RDONLY)
def sent(block, argument, count, error):
    os.close(descriptor)
    block.DoneWithSession()
    outcomes.put(json.dumps({{"type": "sent", "repr": repr((block is ecb, argument, count, error))}}))
ecb.TransmitFile(sent, "argument", descriptor, {status!r}, {count}, {offset}, {head}, {tail}, {flags})"""


def reported(probe: Probe) -> tuple[object, ...]:
    """Return what the callback reported; the call's own outcome must be None."""
    outcomes = [probe.last(), probe.last()]
    assert Value("NoneType", "None") in outcomes, outcomes
    sent = [outcome for outcome in outcomes if isinstance(outcome, Value) and outcome.type == "sent"]
    return tuple(sent[0].value)


HEADERS = "'Content-Type: x/y\\r\\nX-Own: 1\\r\\n\\r\\n'"


def test_transmit_file_sends_headers_file_and_tail(probe: Probe, sent_file: Path) -> None:
    response = probe.send("pending", transmit(sent_file, "203 Sent", head=HEADERS, tail="b'tail'"))
    assert (response.status, response.reason, response.headers["X-Own"]) == (203, "Sent", "1")
    assert response.body == sent_file.read_bytes() + b"tail"
    same, argument, count, error = reported(probe)
    assert (same, argument, error) == (False, "argument", 0) and isinstance(count, int) and count >= 256_000


@pytest.mark.parametrize(("count", "offset"), [(0, 0), (10, 0), (10, 250), (0, 255_990), (255_999, 1)])
def test_transmit_file_sends_the_part_asked_for(
    probe: Probe, sent_file: Path, count: int, offset: int
) -> None:
    response = probe.send("pending", transmit(sent_file, head=HEADERS, count=count, offset=offset))
    whole = sent_file.read_bytes()
    assert response.body == (whole[offset : offset + count] if count else whole[offset:])
    assert reported(probe)[3] == 0


def test_transmit_file_without_send_headers_takes_the_head_as_data(probe: Probe, sent_file: Path) -> None:
    source = HEAD + transmit(sent_file, "", count=3, head="b'head'", tail="'t\\u00e9'", flags=ASYNC)
    assert probe.send("pending", source).body == b"head\x00\x01\x02t\xc3\xa9"
    assert reported(probe)[3] == 0


def test_transmit_file_past_the_end_is_an_error(probe: Probe, sent_file: Path) -> None:
    response = probe.send("pending", transmit(sent_file, head=HEADERS, offset=256_001))
    assert response.status == 500
    outcome = probe.last()
    assert isinstance(outcome, Raised) and outcome.name == "ExtensionError"
    assert outcome.args == (10022, None, "ServerSupportFunction(HSE_REQ_TRANSMIT_FILE)")
