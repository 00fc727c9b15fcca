"""Defects of the old package that must not come back: lengths, buffers and their lifetime.

The number behind `D` is that of the defect in docs/compatibility.md.
"""

from __future__ import annotations

import http.client
from pathlib import Path

import pytest
from conftest import Servers
from probe_client import Probe, Raised, Value
from raising import simple


@pytest.mark.parametrize(
    ("data", "logged"),
    [
        ("'x' * 79", "x" * 79),
        ("'x' * 80", "x" * 79),
        ("'x' * 5000", "x" * 79),
        ("b'y' * 5000", "y" * 79),
        ("'x' * 78 + '\\u00e9'", "x" * 78),
        ("'\\u20ac' * 40", "\u20ac" * 26),
        ("'short'", "short"),
        ("b'until\\0nul'", "until"),
    ],
)
def test_log_data_is_cut_to_79_bytes_of_whole_characters(
    serve: Servers, tmp_path: Path, data: str, logged: str
) -> None:
    """D16, D17."""
    log = tmp_path / "access.log"
    server = serve(simple(f"ecb.LogData = {data}\nreply(ecb)\nreturn 1"), "--access-log", str(log))
    server.get("/marked")
    assert server.stop() == 0
    text = log.read_bytes().decode("utf-8", "replace")
    assert logged in text and logged + logged[-1] not in text


@pytest.mark.parametrize("size", [8190, 8191, 8192, 9000, 16383, 20_000, 40_000])
def test_server_variable_may_be_long(probe: Probe, size: int) -> None:
    """D24."""
    for default in ("", ", None"):
        assert (
            probe.value(f"len(ecb.GetServerVariable('HTTP_X_LONG'{default}))", headers={"X-Long": "v" * size})
            == size
        )


@pytest.mark.parametrize("size", [4000, 5000, 20_000])
def test_map_url_to_path_maps_long_urls_whole(probe: Probe, size: int) -> None:
    """D27."""
    outcome = probe.outcome(f"ecb.MapURLToPath('/' + 'a/' * ({size} // 2)).count(b'a/') >= {size} // 2 - 1")
    assert outcome == Value("bool", "True")


def test_read_client_goes_on_where_it_stopped(probe: Probe) -> None:
    """D26."""
    source = """
parts = [ecb.AvailableData]
while part := ecb.ReadClient(7000):
    parts.append(part)
parts.append(ecb.ReadClient())
(b"".join(parts) == bytes(range(256)) * 1000, {len(part) for part in parts[1:-2]})"""
    assert probe.value(source, method="POST", body=bytes(range(256)) * 1000) == (True, {7000})


def test_read_client_of_unknown_length_allocates_what_arrives(probe: Probe) -> None:
    """D26."""
    source = """
def most_kilobytes_of_addresses():
    with open("/proc/self/status") as status:
        return int(next(line for line in status if line.startswith("VmPeak:")).split()[1])
before = most_kilobytes_of_addresses()
size = len(ecb.AvailableData + ecb.ReadClient())
(size, most_kilobytes_of_addresses() - before < 1_000_000)"""
    assert probe.value(source, method="POST", body=(b"x" * 10_000 for _ in range(100))) == (1_000_000, True)


def test_buffers_of_asynchronous_writes_are_kept(serve: Servers) -> None:
    """D28, D29: each chunk is made for the call alone; 200 of them per request leave no objects behind."""
    server = serve(
        simple("""
        if path == b"/blocks":
            import gc
            gc.collect()
            reply(ecb, str(sys.getallocatedblocks()))
            return 1
        numbers = iter(range(1, 200))
        def write_next(block, argument, count, error):
            number = next(numbers, None)
            if number is None:
                block.DoneWithSession()
            else:
                block.WriteClient(bytes([number]) * 5000, isapicon.HSE_IO_ASYNC)
        ecb.SendResponseHeaders("200 OK", "Content-Length: %d\\r\\n\\r\\n" % (199 * 5000), 1)
        ecb.IOCompletion(write_next)
        write_next(ecb, None, 0, 0)
        return 3"""),
        "--threads",
        "1",
    )
    expected = b"".join(bytes([number]) * 5000 for number in range(1, 200))
    counts = []
    for _ in range(3):
        for _ in range(4):
            assert server.get("/").body == expected
        counts.append(int(server.get("/blocks").text))
    assert counts[2] - counts[1] < 400


def test_failing_transmit_callback_ends_the_request(serve: Servers, tmp_path: Path) -> None:
    """D30."""
    path = tmp_path / "file"
    path.write_bytes(b"content")
    server = serve(
        simple(f"""
        descriptor = os.open({str(path)!r}, os.O_RDONLY)
        ecb.TransmitFile(lambda *arguments: 1 / 0, None, descriptor, "200 OK", 0, 0, "Content-Length: 100\\r\\n\\r\\n", None, 2 | 8)
        return 3""")
    )
    with pytest.raises(http.client.IncompleteRead) as cut:
        server.get("/")
    assert cut.value.partial == b"content"
    server.wait_for_log("ISAPI0210[\\s\\S]*ZeroDivisionError")


def test_transmit_file_reaches_beyond_two_gib(serve: Servers, tmp_path: Path) -> None:
    """D43."""
    path = tmp_path / "sparse"
    with path.open("wb") as file:
        file.seek(2**31 + 5)
        file.write(b"far away")
    server = serve(
        simple(f"""
        descriptor = os.open({str(path)!r}, os.O_RDONLY)
        def sent(block, *rest):
            os.close(descriptor)
            block.DoneWithSession()
        ecb.TransmitFile(sent, None, descriptor, "200 OK", 3, 2**31 + 5, "Content-Type: x/y\\r\\n\\r\\n", None, 2 | 8)
        return 3""")
    )
    assert server.get("/").body == b"far"


@pytest.mark.parametrize(
    ("path", "name"),
    [("b'/'", "HSE_REQ_GET_ANONYMOUS_TOKEN"), ("'/'", "HSE_REQ_GET_UNICODE_ANONYMOUS_TOKEN")],
)
def test_anonymous_token_reports_its_own_name(probe: Probe, path: str, name: str) -> None:
    """D44."""
    outcome = probe.outcome(f"ecb.GetAnonymousToken({path})")
    assert isinstance(outcome, Raised) and outcome.args == (50, None, f"ServerSupportFunction({name})")
