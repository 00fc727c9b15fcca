"""What the bridge passes to a server that is not ours, and what it makes of that server's answers.

Each source runs beside a fabricated server (foreign_server.py) in a process of its own; its last line's value
comes back. The number behind `D` is that of the defect in docs/compatibility.md.
"""

from __future__ import annotations

import pytest
from foreign_process import Foreign

TOKEN = 0xFEDCBA9876543210

# Support functions


def test_impersonation_token_comes_back_whole(foreign: Foreign) -> None:
    assert foreign("server.ask(lambda ecb: ecb.GetImpersonationToken())") == TOKEN


@pytest.mark.parametrize(
    ("path", "request_number", "given"),
    [("b'/\\xfc'", 1038, b"/\xfc"), ("'/\\xfc\\U0001f600'", 1041, "/\xfc\U0001f600")],
)
def test_anonymous_token_is_asked_for_in_the_paths_own_kind(
    foreign: Foreign, path: str, request_number: int, given: object
) -> None:
    answer = foreign(f"(server.ask(lambda ecb: ecb.GetAnonymousToken({path})), server.calls)")
    assert answer == (TOKEN, [(request_number, given)])


def test_exec_url_passes_its_struct(foreign: Foreign) -> None:
    call = "ecb.ExecURL('/other?', 'GET', 'A: b\\r\\n', None, None, 4)"
    answer = foreign(f"(server.ask(lambda ecb: {call}), server.calls)")
    assert answer == (None, [(1026, (b"/other?", b"GET", b"A: b\r\n", None, None, 4))])


def test_exec_url_passes_null_for_none(foreign: Foreign) -> None:
    call = "ecb.ExecURL(None, None, None, None, None, 0)"
    assert foreign(f"(server.ask(lambda ecb: {call}), server.calls)") == (
        None,
        [(1026, (None, None, None, None, None, 0))],
    )


def test_exec_url_status_is_a_tuple_with_an_unsigned_error(foreign: Foreign) -> None:
    assert foreign("server.ask(lambda ecb: ecb.GetExecURLStatus())") == (404, 13, 0xFFFFFFFE)


@pytest.mark.parametrize(("given", "passed"), [("0", 0), ("1", 1), ("True", 1), ("2", 1), ("-1", 1)])
def test_flush_flag_is_passed_as_0_or_1(foreign: Foreign, given: str, passed: int) -> None:
    """D49."""
    answer = foreign(f"(server.ask(lambda ecb: ecb.SetFlushFlag({given})), server.calls)")
    assert answer == (None, [(1043, passed)])


@pytest.mark.parametrize(
    ("given", "passed"), [("", None), ("None", None), ("'m\\xfcde'", "m\xfcde".encode()), ("''", b"")]
)
def test_report_unhealthy_passes_the_reason(foreign: Foreign, given: str, passed: bytes | None) -> None:
    answer = foreign(f"(server.ask(lambda ecb: ecb.ReportUnhealthy({given})), server.calls)")
    assert answer == (None, [(1032, passed)])


@pytest.mark.parametrize(
    ("call", "request_number", "name"),
    [
        ("GetImpersonationToken()", 1011, "HSE_REQ_GET_IMPERSONATION_TOKEN"),
        ("GetAnonymousToken(b'/')", 1038, "HSE_REQ_GET_ANONYMOUS_TOKEN"),
        ("GetAnonymousToken('/')", 1041, "HSE_REQ_GET_UNICODE_ANONYMOUS_TOKEN"),
        ("ExecURL(None, None, None, None, None, 0)", 1026, "HSE_REQ_EXEC_URL"),
        ("GetExecURLStatus()", 1027, "HSE_REQ_GET_EXEC_URL_STATUS"),
        ("SetFlushFlag(1)", 1043, "HSE_REQ_SET_FLUSH_FLAG"),
        ("ReportUnhealthy()", 1032, "HSE_REQ_REPORT_UNHEALTHY"),
        ("DoneWithSession()", 4, "HSE_REQ_DONE_WITH_SESSION"),
    ],
)
def test_refusal_raises_with_the_servers_error_and_the_calls_own_name(
    foreign: Foreign, call: str, request_number: int, name: str
) -> None:
    """D44; D49 for DoneWithSession."""
    answer = foreign(f"server.refused[{request_number}] = 4711\nserver.ask(lambda ecb: ecb.{call})")
    assert answer == ("ExtensionError", (4711, None, f"ServerSupportFunction({name})"))


def test_done_is_passed_once_with_its_status(foreign: Foreign) -> None:
    answer = foreign("(server.ask(lambda ecb: (ecb.DoneWithSession(2), ecb.Done)), server.calls)")
    assert answer == ((None, True), [(4, 2)])


# The struct


def test_null_strings_read_as_empty_bytes(foreign: Foreign) -> None:
    """D22."""
    names = (
        "ecb.Method, ecb.QueryString, ecb.PathInfo, ecb.PathTranslated, ecb.ContentType, ecb.AvailableData"
    )
    assert foreign(f"server.ask(lambda ecb: ({names}), cbAvailable=0)") == (b"",) * 6


def test_null_data_with_a_length_reads_as_empty_bytes(foreign: Foreign) -> None:
    assert foreign("server.ask(lambda ecb: ecb.AvailableData, cbAvailable=7)") == b""


def test_numbers_come_back_unsigned_except_for_the_unknown_length(foreign: Foreign) -> None:
    """D43."""
    answer = foreign(
        """
        numbers = lambda ecb: (ecb.ConnID, ecb.TotalBytes)
        whole = server.ask(numbers, ConnID=0xFEDCBA9876543210, cbTotalBytes=0xFFFFFFFE)
        (whole, server.ask(numbers, cbTotalBytes=0xFFFFFFFF))
        """
    )
    assert answer == ((TOKEN, 0xFFFFFFFE), (5, -1))


# GetServerVariable


@pytest.mark.parametrize("least_buffer", [0, 300, 70_000])
def test_is_keep_alive_grows_its_buffer(foreign: Foreign, least_buffer: int) -> None:
    """D27."""
    answer = foreign(
        f"""
        server.variables[b"HTTP_CONNECTION"] = b"Keep-Alive\\0"
        server.least_buffer = {least_buffer}
        server.ask(lambda ecb: ecb.IsKeepAlive())
        """
    )
    assert answer == 1


def test_variable_may_have_more_than_64_kib(foreign: Foreign) -> None:
    """D24."""
    answer = foreign(
        """
        server.variables[b"LONG"] = b"v" * 1_000_000 + b"\\0"
        server.ask(lambda ecb: [len(ecb.GetServerVariable("LONG")), len(ecb.GetServerVariable("LONG", None))])
        """
    )
    assert answer == [1_000_000, 1_000_000]


def test_one_final_nul_of_a_variable_is_removed(foreign: Foreign) -> None:
    answer = foreign(
        """
        server.variables = {b"A": b"a\\0b\\0\\0", b"B": b"", b"UNICODE_C": "c\u00e9\U0001f600\\0".encode("utf-16-le")}
        server.ask(lambda ecb: [ecb.GetServerVariable(name) for name in ("A", "B", "UNICODE_C")])
        """
    )
    assert answer == [b"a\0b\0", b"", "c\u00e9\U0001f600"]


# ReadClient


def test_read_client_asks_for_no_more_than_is_left(foreign: Foreign) -> None:
    """D26: the last call is for the last bytes, and none follows it."""
    answer = foreign(
        """
        server.body = b"x" * 100_000
        read = lambda ecb: (len(ecb.ReadClient(10)), len(ecb.ReadClient()), len(ecb.ReadClient()))
        (server.ask(read, cbTotalBytes=100_003, cbAvailable=3, lpbData=b"abc"), server.reads)
        """
    )
    assert answer == ((10, 99_990, 0), [10, 99_990, 39_990])


def test_read_client_of_unknown_length_asks_in_bounded_blocks_until_nothing_comes(foreign: Foreign) -> None:
    """D26: the reference asks for 4 GiB."""
    size, reads = foreign(
        """
        server.body = b"x" * 1_000_000
        (server.ask(lambda ecb: len(ecb.ReadClient()), cbTotalBytes=0xFFFFFFFF), server.reads)
        """
    )
    assert size == 1_000_000
    assert max(reads) <= 1024 * 1024 and len(reads) == 1_000_000 // 60_000 + 2


def test_read_client_of_zero_bytes_asks_the_server_once(foreign: Foreign) -> None:
    answer = foreign("(server.ask(lambda ecb: ecb.ReadClient(0), cbTotalBytes=9), server.reads)")
    assert answer == (b"", [0])


def test_failure_half_way_keeps_what_has_come(foreign: Foreign) -> None:
    """D26."""
    answer = foreign(
        """
        server.body, server.failing_read = bytes(range(200)) * 500, 2
        def read(ecb):
            try:
                ecb.ReadClient()
            except Exception as error:
                failure = (type(error).__name__, error.args)
            return failure, ecb.ReadClient() == bytes(range(200)) * 500
        server.ask(read, cbTotalBytes=100_000)
        """
    )
    assert answer == (("ExtensionError", (64, None, "ReadClient")), True)


# Exports


def test_filter_exports_of_an_extension_answer_their_failure_values(foreign: Foreign) -> None:
    answer = foreign(
        """
        version = (filters.get_version(), server.load())
        (version, server.library.HttpFilterProc(bytes(512), 0, None), server.library.TerminateFilter(0))
        """
    )
    assert answer == (((0, 127), (1, b"fake")), 0x08000004, 0)


@pytest.mark.parametrize("is_frozen", [0, 1])
def test_options_name_the_module_and_frozen_ones_keep_the_folder_off_the_path(
    foreign: Foreign, is_frozen: int
) -> None:
    answer = foreign(
        f"""
        folder = server.folder / "elsewhere" if {is_frozen} else server.folder
        folder.mkdir(exist_ok=True)
        (folder / "other.py").write_text((server.folder / "fake.py").read_text())
        if {is_frozen}:
            sys.path.append(str(folder))
        server.library.PyISAPISetOptions(b"other", {is_frozen})
        loaded, server.module_name = server.load(), "other"
        asked = server.ask(lambda ecb: ecb.Version)
        (loaded, asked, "fake" in sys.modules, str(server.folder) in sys.path)
        """
    )
    assert answer == ((1, b"other"), 0x80000, False, not is_frozen)


def test_loading_again_after_terminate_works(foreign: Foreign) -> None:
    """D11: the old handler is dropped, and a new one answers."""
    answer = foreign(
        """
        import gc
        first = (server.load(), server.ask(lambda ecb: "first"))
        ended = server.library.TerminateExtension(2)
        gc.collect()
        between = (list(server.module.made), server.ask(lambda ecb: "none"))
        (first, ended, between, server.load(), server.ask(lambda ecb: "second"), server.module.made[3:])
        """
    )
    first, ended, between, loaded, second, made = answer
    assert (first, ended) == (((1, b"fake"), "first"), 1)
    assert between == (["made", ("terminated", 2), "released"], ("status", 4))
    assert (loaded, second, made) == ((1, b"fake"), "second", ["made"])


def test_request_that_ends_while_its_callback_is_registered_is_ended_behind_it(foreign: Foreign) -> None:
    outcome = foreign("""
        def handler(ecb):
            server.meanwhile[1005] = ecb.DoneWithSession
            ecb.IOCompletion(print)
            return ecb.Done

        (server.ask(handler), [request for request, _ in server.calls])
    """)
    assert outcome == (True, [1005, 4])
