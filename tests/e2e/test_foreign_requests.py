"""The requests that the old package lacks: what a server gets, and what becomes of its answer or refusal."""

from __future__ import annotations

import pytest
from foreign_process import Foreign

ADDED = [
    ("VectorSend([b'x'], 1)", 1037, "HSE_REQ_VECTOR_SEND"),
    ("VectorSend([b'x'], 2, callback=print)", 1037, "HSE_REQ_VECTOR_SEND"),
    ("AsyncReadClient(9, print)", 1010, "HSE_REQ_ASYNC_READ_CLIENT"),
    ("SendCustomError('404 Not Found')", 1028, "HSE_REQ_SEND_CUSTOM_ERROR"),
    ("SendCustomError('404 Not Found', 0, True, print)", 1028, "HSE_REQ_SEND_CUSTOM_ERROR"),
    ("SendURL('/')", 2, "HSE_REQ_SEND_URL"),
    ("MapURLToPathEx('/')", 1024, "HSE_REQ_MAP_UNICODE_URL_TO_PATH_EX"),
    ("MapURLToPathEx(b'/')", 1012, "HSE_REQ_MAP_URL_TO_PATH_EX"),
    ("MapUnicodeURLToPath('/')", 1023, "HSE_REQ_MAP_UNICODE_URL_TO_PATH"),
    ("NormalizeURL('/')", 1033, "HSE_REQ_NORMALIZE_URL"),
    ("IsConnected()", 1018, "HSE_REQ_IS_CONNECTED"),
    ("CloseConnection()", 1017, "HSE_REQ_CLOSE_CONNECTION"),
    ("AbortiveClose()", 1014, "HSE_REQ_ABORTIVE_CLOSE"),
    ("CancelIO()", 1049, "HSE_REQ_CANCEL_IO"),
    ("AppendLog('text')", 1003, "HSE_APPEND_LOG_PARAMETER"),
    ("IsInProcess()", 1030, "HSE_REQ_IS_IN_PROCESS"),
    ("GetTraceInfo()", 1042, "HSE_REQ_GET_TRACE_INFO"),
    ("GetCertInfo()", 1015, "HSE_REQ_GET_CERT_INFO_EX"),
    ("GetChannelBindingToken()", 1050, "HSE_REQ_GET_CHANNEL_BINDING_TOKEN"),
    ("ExecURL('/\\xe9', None, None, None, None, 0)", 1025, "HSE_REQ_EXEC_UNICODE_URL"),
    ("ExecURL('/', None, None, (1, 'u', 'b'), b'body', 0)", 1026, "HSE_REQ_EXEC_URL"),
]
CALLS = [call for call, _, _ in ADDED]


@pytest.mark.parametrize(("call", "request_number", "name"), ADDED)
def test_refusal_raises_with_the_servers_error_and_the_calls_own_name(
    foreign: Foreign, call: str, request_number: int, name: str
) -> None:
    answer = foreign(
        f"""
        server.refused[{request_number}] = 4711
        (server.ask(lambda ecb: ecb.{call}), [number for number, _ in server.calls if number != 1005])
        """
    )
    failure = ("ExtensionError", (4711, None, f"ServerSupportFunction({name})"))
    assert answer == (failure, [request_number])


def test_call_after_the_end_of_the_request_raises_and_asks_nobody(foreign: Foreign) -> None:
    answer = foreign(
        f"""
        def handler(ecb):
            ecb.DoneWithSession()
            outcomes = []
            for call in {CALLS!r}:
                try:
                    outcomes.append(eval("ecb." + call))
                except Exception as error:
                    outcomes.append(type(error).__name__)
            return outcomes

        (server.ask(handler), [number for number, _ in server.calls])
        """
    )
    assert answer == (["RuntimeError"] * len(CALLS), [4])


@pytest.mark.parametrize(
    ("call", "error"),
    [
        ("VectorSend(b'abc', 1)", "TypeError"),
        ("VectorSend('abc', 1)", "TypeError"),
        ("VectorSend(None, 1)", "TypeError"),
        ("VectorSend([1], 1)", "TypeError"),
        ("VectorSend([None], 1)", "TypeError"),
        ("VectorSend([1.5], 1)", "TypeError"),
        ("VectorSend([object()], 1)", "TypeError"),
        ("VectorSend([(1.5, 0, 0)], 1)", "TypeError"),
        ("VectorSend([(3, 0)], 1)", "ValueError"),
        ("VectorSend([(3, 5, 0)], 1)", "ValueError"),
        ("VectorSend([(3, '0', 0)], 1)", "TypeError"),
        ("VectorSend([(3, -1, 1)], 1)", "OverflowError"),
        ("VectorSend([(3, 0, 2**64)], 1)", "OverflowError"),
        ("VectorSend(['\\ud800'], 1)", "UnicodeEncodeError"),
        ("VectorSend([])", "TypeError"),
        ("VectorSend([], None)", "TypeError"),
        ("VectorSend([], 0)", "ValueError"),
        ("VectorSend([], 3)", "ValueError"),
        ("VectorSend([], 1 | 8)", "ValueError"),
        ("VectorSend([], 1 | 8, '200 OK')", "ValueError"),
        ("VectorSend([], 1, None, 'A: b\\r\\n\\r\\n')", "ValueError"),
        ("VectorSend([], 1 | 8, '200\\0OK', '\\r\\n')", "ValueError"),
        ("VectorSend([], 1 | 8, 200, '\\r\\n')", "TypeError"),
        ("VectorSend([], 1, callback=print)", "ValueError"),
        ("VectorSend([], 2, arg=1)", "ValueError"),
        ("VectorSend([], 2)", "ValueError"),
        ("VectorSend([], 2, callback=1)", "TypeError"),
        ("VectorSend(elements=[], flags=1)", "TypeError"),
        ("AsyncReadClient()", "TypeError"),
        ("AsyncReadClient('9', print)", "TypeError"),
        ("AsyncReadClient(9.0, print)", "TypeError"),
        ("AsyncReadClient(0, print)", "ValueError"),
        ("AsyncReadClient(-1, print)", "ValueError"),
        ("AsyncReadClient(2**70, print)", "OverflowError"),
        ("AsyncReadClient(9, 1)", "TypeError"),
        ("AsyncReadClient(9)", "ValueError"),
        ("SendCustomError()", "TypeError"),
        ("SendCustomError(404)", "TypeError"),
        ("SendCustomError('404\\0')", "ValueError"),
        ("SendCustomError('404', '1')", "TypeError"),
        ("SendCustomError('404', -1)", "OverflowError"),
        ("SendCustomError('404', 65536)", "OverflowError"),
        ("SendCustomError('404', 0, 'yes')", "TypeError"),
        ("SendCustomError('404', 0, False, print)", "ValueError"),
        ("SendCustomError('404', 0, True)", "ValueError"),
        ("SendCustomError('404', 0, True, 'print')", "TypeError"),
        ("SendURL(b'/')", "TypeError"),
        ("SendURL('/\\0')", "ValueError"),
        ("MapURLToPathEx(1)", "TypeError"),
        ("MapURLToPathEx(b'/\\0')", "ValueError"),
        ("MapURLToPathEx('/\\0')", "ValueError"),
        ("MapURLToPathEx('\\ud800')", "UnicodeEncodeError"),
        ("MapUnicodeURLToPath(b'/')", "TypeError"),
        ("NormalizeURL(b'/')", "TypeError"),
        ("NormalizeURL('/\\0')", "ValueError"),
        ("AppendLog(None)", "TypeError"),
        ("AppendLog('a\\0')", "ValueError"),
        ("IsConnected(1)", "TypeError"),
        ("CloseConnection(1)", "TypeError"),
        ("AbortiveClose(1)", "TypeError"),
        ("CancelIO(1)", "TypeError"),
        ("IsInProcess(1)", "TypeError"),
        ("GetTraceInfo(1)", "TypeError"),
        ("GetCertInfo(1)", "TypeError"),
        ("GetChannelBindingToken(1)", "TypeError"),
        ("ExecURL('/', None, None, 1, None, 0)", "TypeError"),
        ("ExecURL('/', None, None, (1, 2, 'b'), None, 0)", "TypeError"),
        ("ExecURL('/', None, None, (1, 'u'), None, 0)", "ValueError"),
        ("ExecURL('/', None, None, ('1', 'u', 'b'), None, 0)", "TypeError"),
        ("ExecURL('/', None, None, (1, 'u\\0', 'b'), None, 0)", "ValueError"),
        ("ExecURL('/', None, None, None, 1, 0)", "TypeError"),
    ],
)
def test_wrong_argument_is_refused_before_the_server_is_asked(
    foreign: Foreign, call: str, error: str
) -> None:
    name, calls = foreign(f"(server.ask(lambda ecb: ecb.{call})[0], server.calls)")
    assert (name, calls) == (error, [])


@pytest.mark.parametrize(
    ("call", "result", "calls"),
    [
        ("SendURL('/\\xe9')", None, [(2, ("/\xe9".encode(), 3))]),
        ("MapURLToPathEx(b'/\\xfc')", ("/srv/\xe9".encode(), 0x201, 7, 2), [(1012, (b"/\xfc", 3))]),
        ("MapURLToPathEx('/\\U0001f600')", ("/srv/\xe9", 0x201, 7, 2), [(1024, ("/\U0001f600", 8))]),
        ("MapUnicodeURLToPath('/\\xe9')", "/srv/\xe9", [(1023, "/\xe9")]),
        ("NormalizeURL('/a%20b/./c')", b"/a b", [(1033, b"/a%20b/./c")]),
        ("IsConnected()", True, [(1018, None)]),
        ("CloseConnection()", None, [(1017, None)]),
        ("AbortiveClose()", None, [(1014, None)]),
        ("CancelIO()", None, [(1049, None)]),
        ("AppendLog('&caf\\xe9')", None, [(1003, "&caf\xe9".encode())]),
        ("AppendLog(bytearray(b'raw'))", None, [(1003, b"raw")]),
        ("IsInProcess()", True, [(1030, None)]),
        ("GetTraceInfo()", (True, bytes(range(16))), [(1042, None)]),
        ("GetChannelBindingToken()", b"token", [(1050, None)]),
        ("SendCustomError('401 No', 5)", None, [(1028, (b"401 No", 5, 0))]),
        ("SendCustomError(b'404 Not Found')", None, [(1028, (b"404 Not Found", 0, 0))]),
    ],
)
def test_request_is_passed_on_and_its_answer_comes_back(
    foreign: Foreign, call: str, result: object, calls: object
) -> None:
    answer = foreign(
        f"""
        def handler(ecb):
            result = ecb.{call}
            return tuple(result) if isinstance(result, tuple) else result

        (server.ask(handler), server.calls)
        """
    )
    assert answer == (result, calls)


@pytest.mark.parametrize(
    ("call", "answered"),
    [
        ("SendURL('/')", True),
        ("SendCustomError('404')", True),
        ("IsConnected()", False),
        ("AppendLog('x')", False),
    ],
)
def test_only_what_answers_the_client_begins_the_response(
    foreign: Foreign, call: str, answered: bool
) -> None:
    assert foreign(f"server.ask(lambda ecb: (ecb.{call}, ecb.HeadersSent)[1])") is answered


def test_results_have_names(foreign: Foreign) -> None:
    answer = foreign(
        """
        server.certificate = b"DER"
        def handler(ecb):
            mapped, trace, certificate = ecb.MapURLToPathEx("/"), ecb.GetTraceInfo(), ecb.GetCertInfo()
            return (
                (mapped.path, mapped.flags, mapped.matching_path, mapped.matching_url),
                (trace.traced, trace.context_id),
                (certificate.encoded, certificate.encoding_type, certificate.flags),
            )
        server.ask(handler)
        """
    )
    assert answer == (("/srv/\xe9", 0x201, 7, 2), (True, bytes(range(16))), (b"DER", 1, 5))


@pytest.mark.parametrize("length", [0, 1, 8192, 8193, 100_000])
def test_certificate_comes_whole(foreign: Foreign, length: int) -> None:
    source = f"server.certificate = b'c' * {length}\nserver.ask(lambda ecb: tuple(ecb.GetCertInfo()))"
    assert foreign(source) == (b"c" * length, 1, 5)


@pytest.mark.parametrize("length", [0, 1000, 5000, 100_000])
def test_long_path_comes_whole_as_text(foreign: Foreign, length: int) -> None:
    source = (
        f"server.path = '/\\u20ac' + 'x' * {length}\nserver.ask(lambda ecb: ecb.MapUnicodeURLToPath('/'))"
    )
    assert foreign(source) == "/\u20ac" + "x" * length


def test_path_that_fills_the_struct_needs_no_nul(foreign: Foreign) -> None:
    answer = foreign(
        """
        server.path = "p" * 260
        server.ask(lambda ecb: (len(ecb.MapURLToPathEx("/").path), len(ecb.MapURLToPathEx(b"/").path)))
        """
    )
    assert answer == (260, 260)


def test_server_that_is_not_in_process_says_so(foreign: Foreign) -> None:
    source = "import foreign_requests\nforeign_requests.FILLED[1030] = b'\\2\\0\\0\\0'\nserver.ask(lambda ecb: ecb.IsInProcess())"
    assert foreign(source) is False


def test_synchronous_vector_passes_memory_and_files(foreign: Foreign) -> None:
    answer = foreign(
        """
        file = open(server.folder / "fake.py", "rb")
        elements = [b"bytes", "t\\u00e9xt", b"", bytearray(b"array"), memoryview(b"view"), file, (file, 2**33, 5), (77, 0, 0)]
        def handler(ecb):
            ecb.VectorSend(iter(elements), 1 | 8 | 0x10, "203 Sent", b"A: b\\r\\n\\r\\n")
            return ecb.HeadersSent
        (file.fileno(), server.ask(handler), server.calls)
        """
    )
    number, answered, calls = answer
    files = [(number, 0, 0), (number, 2**33, 5), (77, 0, 0)]
    memory = [b"bytes", "t\xe9xt".encode(), b"array", b"view"]
    assert answered is True
    assert calls == [(1037, (0x19, b"203 Sent", b"A: b\r\n\r\n", memory + files))]


def test_vector_without_headers_or_elements_passes_null(foreign: Foreign) -> None:
    answer = foreign("(server.ask(lambda ecb: ecb.VectorSend([], 1)), server.calls)")
    assert answer == (None, [(1037, (1, None, None, []))])


@pytest.mark.parametrize(
    ("url", "name", "request_number", "given"),
    [
        ("'/a'", "'user'", 1026, (b"/a", (TOKEN := 0xFEDCBA9876543210, b"user", b"Basic"))),
        ("'/\\u20ac'", "'user'", 1025, ("/\u20ac", (TOKEN, "user", b"Basic"))),
        ("'/a'", "'us\\xe9r'", 1025, ("/a", (TOKEN, "us\xe9r", b"Basic"))),
        ("None", "None", 1026, (None, (TOKEN, None, b"Basic"))),
    ],
)
def test_exec_url_passes_user_and_entity(
    foreign: Foreign, url: str, name: str, request_number: int, given: tuple[object, object]
) -> None:
    call = f"ecb.ExecURL({url}, 'POST', 'A: b\\r\\n', ({TOKEN}, {name}, 'Basic'), b'bo\\0dy', 4)"
    path, user = given
    assert foreign(f"(server.ask(lambda ecb: {call}), server.calls)") == (
        None,
        [(request_number, (path, b"POST", b"A: b\r\n", user, b"bo\0dy", 4))],
    )


def test_exec_url_with_an_empty_entity_has_one(foreign: Foreign) -> None:
    call = "ecb.ExecURL(None, None, None, (None, None, None), b'', 0)"
    answer = foreign(f"(server.ask(lambda ecb: {call}), server.calls)")
    assert answer == (None, [(1026, (None, None, None, (None, None, None), b"", 0))])
