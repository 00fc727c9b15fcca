"""Filters over HTTP: the objects without headers, from the version to the log entry."""

from __future__ import annotations

import pytest
from conftest import Servers
from filter_probe_client import FilterProbe
from probe_client import Raised, Value

KINDS = {
    "READ_RAW_DATA": "HTTP_FILTER_RAW_DATA",
    "URL_MAP": "HTTP_FILTER_URL_MAP",
    "AUTHENTICATION": "HTTP_FILTER_AUTHENT",
    "ACCESS_DENIED": "HTTP_FILTER_ACCESS_DENIED",
    "SEND_RAW_DATA": "HTTP_FILTER_RAW_DATA",
    "LOG": "HTTP_FILTER_LOG",
}


def raised(outcome: object) -> str:
    """Return the name of the exception that the source raised."""
    assert isinstance(outcome, Raised), outcome
    return outcome.name


@pytest.mark.parametrize("name", KINDS)
def test_object_is_of_its_kind(filter_probe: FilterProbe, name: str) -> None:
    visit = filter_probe.visit({name: "type(data).__name__"}, target="/denied")
    assert visit.value(name) == KINDS[name]


@pytest.mark.parametrize("name", ["END_OF_REQUEST", "END_OF_NET_SESSION"])
def test_the_end_has_no_object(filter_probe: FilterProbe, name: str) -> None:
    visit = filter_probe.visit({name: "fc.GetData()"})
    assert raised(visit.outcome(name)) == "ValueError" and visit.status == 200


@pytest.mark.parametrize(
    ("name", "attribute"),
    [
        ("URL_MAP", "URL"),
        ("URL_MAP", "Flags"),
        ("URL_MAP", "MatchingPath"),
        ("URL_MAP", "MatchingURL"),
        ("URL_MAP", "ScriptMapEntry"),
        ("ACCESS_DENIED", "URL"),
        ("ACCESS_DENIED", "PhysicalPath"),
        ("ACCESS_DENIED", "Reason"),
        ("LOG", "BytesSent"),
        ("LOG", "BytesRecvd"),
        ("LOG", "TimeForProcessing"),
        ("SEND_RAW_DATA", "NewName"),
    ],
)
def test_what_is_the_servers_to_say_cannot_be_set(
    filter_probe: FilterProbe, name: str, attribute: str
) -> None:
    visit = filter_probe.visit({name: f"setattr(data, {attribute!r}, 5)"}, target="/denied")
    assert raised(visit.outcome(name)) == "AttributeError" and visit.status == 401


@pytest.mark.parametrize(
    ("name", "attribute"),
    [
        ("URL_MAP", "PhysicalPath"),
        ("AUTHENTICATION", "User"),
        ("SEND_RAW_DATA", "InData"),
        ("LOG", "Target"),
        ("LOG", "HttpStatus"),
    ],
)
def test_attributes_cannot_be_deleted(filter_probe: FilterProbe, name: str, attribute: str) -> None:
    """D21: crashes the reference."""
    assert (
        raised(filter_probe.visit({name: f"delattr(data, {attribute!r})"}).outcome(name)) == "AttributeError"
    )


def test_version_has_been_filled_in(filter_probe: FilterProbe) -> None:
    visit = filter_probe.visit({"PREPROC_HEADERS": "loaded"})
    flags = 0x0400FFC0
    assert visit.value("PREPROC_HEADERS") == [
        "HTTP_FILTER_VERSION",
        0xA0000,
        0x20003,
        flags,
        b"Runs what it is told.",
    ]
    filter_probe.server.wait_for_log(
        r"loaded the filter filter_probe \(version 2\.3, for READ_RAW_DATA, .*told\."
    )


VERSIONS = """
from isapi import isapicon
class Filter:
    def GetFilterVersion(self, fv):
        for name, value in {pairs}:
            try:
                setattr(fv, name, value)
                print(name, "took", repr(value)[:20], flush=True)
            except Exception as error:
                print(name, type(error).__name__, repr(value)[:20], flush=True)
        fv.Flags = isapicon.SF_NOTIFY_PREPROC_HEADERS
        return 1
    def HttpFilterProc(self, fc): pass
    def TerminateFilter(self, status): pass
def __FilterFactory__(): return Filter()
"""


def test_version_takes_what_fits(serve: Servers) -> None:
    pairs = [
        ("FilterDesc", "caf\xe9"),
        ("FilterDesc", b"x" * 256),
        ("FilterDesc", b"y" * 257),
        ("FilterDesc", 5),
        ("FilterVersion", 0x80000000),
        ("FilterVersion", 2**32),
        ("FilterVersion", "1"),
        ("Flags", None),
        ("ServerFilterVersion", 1),
    ]
    server = serve(VERSIONS.format(pairs=pairs))
    for line in [
        "FilterDesc took 'caf",
        "FilterDesc took b'xx",
        "FilterDesc ValueError b'yy",
        "FilterDesc ValueError 5",
        "FilterVersion took 2147483648",
        "FilterVersion OverflowError 4294967296",
        "FilterVersion ValueError '1'",
        "Flags ValueError None",
        "ServerFilterVersion AttributeError 1",
    ]:
        assert line in server.log() + server.output()
    server.wait_for_log(r"loaded the filter script .*x{256}")


# URL_MAP


def test_url_map_says_where_the_url_leads(filter_probe: FilterProbe) -> None:
    source = (
        "[data.URL, data.PhysicalPath, data.Flags, data.MatchingPath, data.MatchingURL, data.ScriptMapEntry]"
    )
    visit = filter_probe.visit({"URL_MAP": source}, target="/some/p%61ge?query")
    url, path, flags, matching_path, matching_url, entry = visit.value("URL_MAP")
    folder = str(filter_probe.server.directory)
    assert (url, path) == (b"/some/page", f"{folder}/some/page".encode())
    assert isinstance(flags, int) and matching_url == 0
    # With or without the slash behind it, as servers differ.
    assert 0 <= len(path[:matching_path]) - len(folder) <= 1 and path[:matching_path].startswith(
        folder.encode()
    )
    assert entry == f"{folder}/_filter_probe.so".encode()


@pytest.mark.parametrize("path", ["/srv/caf\xe9 str", "/srv/caf\xe9 bytes".encode()], ids=["str", "bytes"])
def test_path_is_replaced(filter_probe: FilterProbe, path: str | bytes) -> None:
    visit = filter_probe.visit({"URL_MAP": f"data.PhysicalPath = {path!r}\ndata.PhysicalPath"}, target="/p")
    expected = path if isinstance(path, bytes) else path.encode()
    assert visit.value("URL_MAP") == expected
    assert visit.seen["PATH_INFO"] == "/p"


@pytest.mark.parametrize(
    ("path", "outcome"),
    [("b'/' + b'x' * 4094", "NoneType"), ("b'/' + b'x' * 4095", "ValueError"), ("5", "TypeError")],
)
def test_path_fits_the_servers_buffer_or_is_refused(
    filter_probe: FilterProbe, path: str, outcome: str
) -> None:
    visit = filter_probe.visit({"URL_MAP": f"setattr(data, 'PhysicalPath', {path})"})
    found = visit.outcome("URL_MAP")
    assert (found.type if isinstance(found, Value) else found.name) == outcome
    assert visit.status == 200


FILES = """
from isapi import isapicon
from isapi.simple import SimpleFilter
class Filter(SimpleFilter):
    filter_flags = isapicon.SF_NOTIFY_URL_MAP
    def HttpFilterProc(self, fc):
        data = fc.GetData()
        if data.URL.startswith(b"/virtual/"):
            data.PhysicalPath = data.PhysicalPath.replace(b"/virtual/", b"/real/")
        if data.URL == b"/gone":
            data.PhysicalPath = b"/no/such/file"
        if data.URL == b"/empty":
            data.PhysicalPath = b""
def __FilterFactory__(): return Filter()
"""


def test_path_leads_to_another_file(serve: Servers) -> None:
    (serve.directory / "root" / "real").mkdir(parents=True)
    (serve.directory / "root" / "real" / "page.txt").write_text("a page")
    (serve.directory / "root" / "gone").write_text("is there")
    (serve.directory / "root" / "empty").write_text("is there")
    server = serve(FILES, "--root", str(serve.directory / "root"))
    assert server.get("/virtual/page.txt").body == b"a page"
    assert server.get("/real/page.txt").body == b"a page"
    assert server.get("/gone").status == 404
    assert server.get("/empty").status in (403, 404)


# Raw data


def test_raw_data_is_what_comes_and_goes(filter_probe: FilterProbe) -> None:
    plan = {"READ_RAW_DATA": "data.InData", "SEND_RAW_DATA": "data.InData"}
    visit = filter_probe.visit(plan, method="POST", body=b"the body")
    came = b"".join(outcome.value for outcome in visit.of("READ_RAW_DATA") if isinstance(outcome, Value))
    went = b"".join(outcome.value for outcome in visit.of("SEND_RAW_DATA") if isinstance(outcome, Value))
    assert came.startswith(b"POST /x HTTP/1.1\r\n") and came.endswith(b"\r\n\r\nthe body")
    assert went == visit.received


@pytest.mark.parametrize("kind", ["bytes", "bytearray", "memoryview", "str"])
def test_raw_data_takes_bytes_of_any_kind_and_text(filter_probe: FilterProbe, kind: str) -> None:
    value = "data.InData.decode()" if kind == "str" else f"{kind}(data.InData)"
    plan = {
        "READ_RAW_DATA": f"data.InData = {value}\ndata.InData = data.InData.replace(b'/came', b'/went')",
        "SEND_RAW_DATA": f"data.InData = {value}",
    }
    # An assignment is no expression.
    plan = {name: f"{source}\ntype(data.InData).__name__" for name, source in plan.items()}
    visit = filter_probe.visit(plan, target="/came")
    assert visit.value("READ_RAW_DATA") == "bytes" and visit.seen["PATH_INFO"] == "/went"


def test_raw_data_grows_shrinks_and_vanishes(filter_probe: FilterProbe) -> None:
    grow = "data.InData = data.InData.replace(b'X-By: extension', b'X-By: ' + b'filter' * 20000)\nlen(data.InData)"
    assert filter_probe.visit({"SEND_RAW_DATA": grow}).headers("X-By") == [b"filter" * 20000]
    vanish = "data.InData = b''\ndata.InData"
    visit = filter_probe.visit({"SEND_RAW_DATA": vanish})
    assert (visit.received, visit.value("SEND_RAW_DATA")) == (b"", b"")


def test_raw_data_holds_every_byte(filter_probe: FilterProbe) -> None:
    every = bytes(range(256))
    plan = {"READ_RAW_DATA": f"data.InData = data.InData.replace(b'placeholder', {every!r})\nNone"}
    body = b"placeholder".ljust(256, b" ")
    visit = filter_probe.visit(plan, method="POST", body=body)
    # The body grew behind its length: what is cut off was to be the rest of it.
    assert visit.seen["BODY"].encode("latin-1") == every


@pytest.mark.parametrize("value", ["5", "None", "[1]"])
def test_raw_data_of_other_types_is_refused(filter_probe: FilterProbe, value: str) -> None:
    visit = filter_probe.visit({"SEND_RAW_DATA": f"setattr(data, 'InData', {value})"})
    assert raised(visit.outcome("SEND_RAW_DATA")) == "TypeError" and visit.status == 200


# The denial


def test_denial_by_an_extension_says_why(filter_probe: FilterProbe) -> None:
    visit = filter_probe.visit({"ACCESS_DENIED": "[data.URL, data.Reason]"}, target="/denied?query")
    assert visit.value("ACCESS_DENIED") == [b"/denied", 8] and visit.status == 401


# The log entry


def test_log_entry_says_what_was_done(filter_probe: FilterProbe) -> None:
    names = ["ClientHostName", "ClientUserName", "ServerName", "Operation", "Target", "Parameters"]
    numbers = ["HttpStatus", "Win32Status", "BytesRecvd", "TimeForProcessing", "BytesSent"]
    source = f"[getattr(data, name) for name in {names + numbers}]"
    visit = filter_probe.visit({"LOG": source}, target="/log%20read?a=b", method="POST", body=b"seven..")
    *texts, status, win32, came, taken, sent = visit.value("LOG")
    assert texts == [b"127.0.0.1", b"", b"127.0.0.1", b"POST", b"/log%20read", b"a=b"]
    assert (status, win32, came, sent) == (200, 0, 7, len(visit.body)) and 0 <= taken < 10000


@pytest.mark.parametrize("kind", ["str", "bytes"])
def test_log_entry_is_changed(filter_probe: FilterProbe, kind: str) -> None:
    fields = {
        "ClientHostName": ("c-ip", "client"),
        "ClientUserName": ("cs-username", "us\xe9r"),
        "ServerName": ("s-ip", "server"),
        "Operation": ("cs-method", "LOOK"),
        "Target": ("cs-uri-stem", f"/log-changed-{kind}"),
        "Parameters": ("cs-uri-query", "p q\x07"),
    }
    given = {name: value if kind == "str" else value.encode() for name, (_, value) in fields.items()}
    source = "\n".join(f"data.{name} = {value!r}" for name, value in given.items())
    source += "\ndata.HttpStatus = 299\ndata.Win32Status = 2**32 - 1\n[data.ClientUserName, data.Win32Status]"
    visit = filter_probe.visit({"LOG": source})
    assert visit.value("LOG") == ["us\xe9r".encode(), -1]
    line = filter_probe.log_line(f"/log-changed-{kind}")
    assert {field: line[field] for field, _ in fields.values()} == {
        field: value.replace(" ", "+").replace("\x07", "?") for field, value in fields.values()
    }
    assert (line["sc-status"], line["sc-win32-status"]) == ("299", str(2**32 - 1))


def test_log_entry_keeps_its_line(filter_probe: FilterProbe) -> None:
    """What would be a second line, or another field, is none."""
    forged = "/log-forged\n2026-01-01 00:00:00 forged"
    filter_probe.visit({"LOG": f"data.Target = {forged!r}\ndata.Parameters = 'up to\\0here'\nNone"})
    line = filter_probe.log_line("/log-forged")
    assert line["cs-uri-stem"] == "/log-forged?2026-01-01+00:00:00+forged"
    assert line["cs-uri-query"] == "up+to"


@pytest.mark.parametrize(
    ("name", "value", "outcome"),
    [
        ("Target", "5", "TypeError"),
        ("Target", "None", "TypeError"),
        ("HttpStatus", "'200'", "TypeError"),
        ("HttpStatus", "2**32", "OverflowError"),
        ("Win32Status", "1.0", "TypeError"),
        ("Win32Status", "-2**31 - 1", "OverflowError"),
    ],
)
def test_log_entry_refuses_what_does_not_fit(
    filter_probe: FilterProbe, name: str, value: str, outcome: str
) -> None:
    visit = filter_probe.visit({"LOG": f"setattr(data, {name!r}, {value})"})
    assert raised(visit.outcome("LOG")) == outcome


@pytest.mark.parametrize("status", [0, -1, 70000, 99999, 2**31])
def test_status_that_no_log_can_hold_leaves_a_line(filter_probe: FilterProbe, status: int) -> None:
    filter_probe.visit({"LOG": f"data.HttpStatus = {status}\nNone"}, target=f"/log-status/{status}")
    line = filter_probe.log_line(f"/log-status/{status} ")
    assert line["sc-status"] in ("200", "0")


def test_log_entry_of_a_request_that_is_none(filter_probe: FilterProbe) -> None:
    source = "[data.Operation, data.Target, data.HttpStatus]"
    visit = filter_probe.visit({"LOG": source}, b"GET /%zz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert (visit.status, visit.value("LOG")[2]) == (400, 400)


@pytest.mark.parametrize("name", ["User", "Password"])
@pytest.mark.parametrize(
    ("value", "outcome"),
    [
        ("'x' * 256", "NoneType"),
        ("b'x' * 256", "NoneType"),
        ("'x' * 257", "ValueError"),
        ("'\\xe9' * 129", "ValueError"),
        ("b'x' * 100000", "ValueError"),
        ("5", "TypeError"),
        ("None", "TypeError"),
    ],
)
def test_login_fits_the_servers_buffers_or_is_refused(
    filter_probe: FilterProbe, name: str, value: str, outcome: str
) -> None:
    source = f"before = data.{name}\n[before, setattr(data, {name!r}, {value}), len(data.{name})]"
    visit = filter_probe.visit({"AUTHENTICATION": source})
    found = visit.outcome("AUTHENTICATION")
    if outcome == "NoneType":
        assert visit.value("AUTHENTICATION") == [b"", None, 256]
    else:
        assert raised(found) == outcome and visit.status == 200
