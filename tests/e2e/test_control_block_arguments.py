"""EXTENSION_CONTROL_BLOCK: arguments that its methods refuse: wrong counts, kinds and ranges."""

from __future__ import annotations

import pytest
from probe_client import Probe, Raised

CALLBACK = "lambda *arguments: None"
TRANSMIT = "ecb.TransmitFile({}, None, {}, {}, {}, {}, {}, {}, {})"


def transmit(position: int, value: str) -> str:
    """Return a call of TransmitFile whose arguments are right except one."""
    arguments = [CALLBACK, "3", "'200 OK'", "0", "0", "None", "None", "0"]
    arguments[position] = value
    return TRANSMIT.format(*arguments)


@pytest.mark.parametrize(
    "call",
    [
        "WriteClient(data=b'x')",
        "WriteClient(b'x', flags=0)",
        "write(data=b'x')",
        "ReadClient(n=1)",
        "GetServerVariable(name='URL')",
        "GetServerVariable('URL', default=1)",
        "Redirect(url='/')",
        "MapURLToPath(url='/')",
        "SendResponseHeaders('200 OK', '\\r\\n', keep_alive=1)",
        "DoneWithSession(status=1)",
        "close(status=1)",
        "GetAnonymousToken(path='/')",
        "SetFlushFlag(on=1)",
        "IOCompletion(callback=print)",
        "IOCompletion(print, arg=1)",
        "ReportUnhealthy(reason='x')",
        "ExecURL(None, None, None, None, None, flags=0)",
    ],
)
def test_no_method_takes_keyword_arguments(probe: Probe, call: str) -> None:
    assert probe.raised(f"ecb.{call}") == "TypeError"


@pytest.mark.parametrize(
    "call",
    [
        "WriteClient()",
        "WriteClient(b'', 0, 0)",
        "ReadClient(1, 2)",
        "GetServerVariable()",
        "GetServerVariable('URL', 1, 2)",
        "SendResponseHeaders('200 OK')",
        "SendResponseHeaders('200 OK', '', 0, 0)",
        "Redirect()",
        "Redirect('/', 1)",
        "MapURLToPath()",
        "DoneWithSession(1, 2)",
        "IsKeepConn(1)",
        "IsKeepAlive(1)",
        "GetImpersonationToken(1)",
        "GetAnonymousToken()",
        "SetFlushFlag()",
        "ExecURL(None, None, None, None, None)",
        "GetExecURLStatus(1)",
        "IOCompletion()",
        "IOCompletion(print, 1, 2)",
        "ReportUnhealthy('x', 'y')",
        f"TransmitFile({CALLBACK}, None, 3, '', 0, 0, None, None)",
    ],
)
def test_method_refuses_a_wrong_number_of_arguments(probe: Probe, call: str) -> None:
    assert probe.raised(f"ecb.{call}") == "TypeError"


@pytest.mark.parametrize(
    "call",
    [
        "WriteClient({})",
        "write({})",
        "SendResponseHeaders({}, '\\r\\n')",
        "SendResponseHeaders('200 OK', {})",
    ],
)
@pytest.mark.parametrize("value", ["None", "1", "1.5", "['x']", "object()"])
def test_data_must_be_text_or_bytes(probe: Probe, call: str, value: str) -> None:
    assert probe.raised("ecb." + call.format(value)) == "TypeError"


TEXT_CALLS = ["GetServerVariable({})", "GetServerVariable({}, 'default')", "Redirect({})", "MapURLToPath({})"]
OPTIONAL_TEXT_CALLS = [
    "ReportUnhealthy({})",
    "ExecURL({}, None, None, None, None, 0)",
    "ExecURL(None, {}, None, None, None, 0)",
    "ExecURL(None, None, {}, None, None, 0)",
]


@pytest.mark.parametrize("call", [*TEXT_CALLS, *OPTIONAL_TEXT_CALLS])
@pytest.mark.parametrize(
    ("value", "error"),
    [
        ("1", "TypeError"),
        ("['x']", "TypeError"),
        ("'a\\0b'", "ValueError"),
        ("'\\ud800'", "UnicodeEncodeError"),
    ],
)
def test_text_must_be_encodable_and_without_nul(probe: Probe, call: str, value: str, error: str) -> None:
    assert probe.raised("ecb." + call.format(value)) == error


@pytest.mark.parametrize("call", TEXT_CALLS)
def test_text_must_not_be_none(probe: Probe, call: str) -> None:
    assert probe.raised("ecb." + call.format(None)) == "TypeError"


@pytest.mark.parametrize("call", ["WriteClient('\\ud800')", "SendResponseHeaders('\\ud800', '\\r\\n')"])
def test_data_with_a_lone_surrogate_is_refused(probe: Probe, call: str) -> None:
    assert probe.raised("ecb." + call) == "UnicodeEncodeError"


INTEGER_CALLS = [
    "WriteClient(b'', {})",
    "ReadClient({})",
    "SendResponseHeaders('200 OK', '\\r\\n', {})",
    "DoneWithSession({})",
    "close({})",
    "SetFlushFlag({})",
    "ExecURL(None, None, None, None, None, {})",
]


@pytest.mark.parametrize("call", INTEGER_CALLS)
@pytest.mark.parametrize(
    ("value", "error"),
    [
        ("None", "TypeError"),
        ("'1'", "TypeError"),
        ("1.0", "TypeError"),
        ("2**70", "OverflowError"),
        ("-2**70", "OverflowError"),
    ],
)
def test_integer_must_be_one_and_in_range(probe: Probe, call: str, value: str, error: str) -> None:
    assert probe.raised("ecb." + call.format(value)) == error


@pytest.mark.parametrize(
    ("position", "value", "error"),
    [
        (0, "None", "TypeError"),
        (0, "1", "TypeError"),
        (1, "None", "TypeError"),
        (1, "'3'", "TypeError"),
        (2, "1", "TypeError"),
        (2, "'a\\0b'", "ValueError"),
        (2, "'\\ud800'", "UnicodeEncodeError"),
        (3, "None", "TypeError"),
        (3, "2**70", "OverflowError"),
        (4, "'0'", "TypeError"),
        (4, "2**70", "OverflowError"),
        (5, "1", "TypeError"),
        (6, "1.5", "TypeError"),
        (7, "None", "TypeError"),
        (7, "2**70", "OverflowError"),
    ],
)
def test_transmit_file_refuses_wrong_arguments(probe: Probe, position: int, value: str, error: str) -> None:
    assert probe.raised(transmit(position, value)) == error


@pytest.mark.parametrize(
    "call",
    [
        "IOCompletion(None)",
        "IOCompletion('name')",
        "IOCompletion(1, 2)",
        "GetAnonymousToken(None)",
        "GetAnonymousToken(1)",
    ],
)
def test_method_refuses_a_wrong_kind(probe: Probe, call: str) -> None:
    assert probe.raised(f"ecb.{call}") == "TypeError"


@pytest.mark.parametrize(
    ("call", "error"),
    [
        ("ExecURL(None, None, None, (), None, 0)", "ValueError"),
        ("ExecURL(None, None, None, 'user', None, 0)", "TypeError"),
        ("ExecURL(None, None, None, None, 5, 0)", "TypeError"),
    ],
)
def test_exec_url_refuses_what_is_no_user_or_entity(probe: Probe, call: str, error: str) -> None:
    assert probe.raised(f"ecb.{call}") == error


def test_refused_arguments_leave_the_request_unanswered(probe: Probe) -> None:
    source = """
for call in (lambda: ecb.WriteClient(None), lambda: ecb.SendResponseHeaders(None, ''), lambda: ecb.DoneWithSession('x')):
    try:
        call()
    except TypeError:
        pass
(ecb.HeadersSent, ecb.Done)"""
    assert probe.value(source) == (False, False)


@pytest.mark.parametrize(
    ("call", "name"),
    [
        ("GetImpersonationToken()", "HSE_REQ_GET_IMPERSONATION_TOKEN"),
        ("GetAnonymousToken(b'/LM/W3SVC/1/ROOT')", "HSE_REQ_GET_ANONYMOUS_TOKEN"),
        ("GetAnonymousToken('/LM/W3SVC/1/ROOT')", "HSE_REQ_GET_UNICODE_ANONYMOUS_TOKEN"),
    ],
)
def test_request_that_the_server_lacks_is_error_50(probe: Probe, call: str, name: str) -> None:
    outcome = probe.outcome(f"ecb.{call}")
    assert isinstance(outcome, Raised) and outcome.name == "ExtensionError"
    assert outcome.args == (50, None, f"ServerSupportFunction({name})")


def test_extension_error_is_an_isapi_error(probe: Probe) -> None:
    source = """
try:
    ecb.GetServerVariable("NO_SUCH_VARIABLE")
except isapi.ExtensionError as error:
    caught = error
(isinstance(caught, isapi.ISAPIError), caught.errno, caught.funcname, caught.args, str(caught).startswith("(1413, "))"""
    assert probe.value(source) == (True, 1413, "GetServerVariable", (1413, None, "GetServerVariable"), True)


def test_both_package_names_give_the_same_objects(probe: Probe) -> None:
    source = """
import pyisapi, pyisapi.simple, pyisapi.isapicon, isapi.simple
(isapi.ExtensionError is pyisapi.ExtensionError, isapi.simple is pyisapi.simple, isapi.isapicon is pyisapi.isapicon)"""
    assert probe.value(source) == (True, True, True)
