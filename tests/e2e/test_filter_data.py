"""The data objects of filters beside a server that is not ours: every attribute, both ways.

The number behind `D` is that of the defect in docs/compatibility.md.
"""

from __future__ import annotations

import pytest
from foreign_process import Foreign

KINDS = {
    "PREPROC": ("HTTP_FILTER_PREPROC_HEADERS", "filters.preproc()"),
    "SEND_RESPONSE": ("HTTP_FILTER_SEND_RESPONSE", "filters.preproc(404)"),
    "AUTH_COMPLETE": ("HTTP_FILTER_AUTH_COMPLETE_INFO", "filters.auth_complete()"),
    "URL_MAP": ("HTTP_FILTER_URL_MAP", "UrlMap()"),
    "READ_RAW": ("HTTP_FILTER_RAW_DATA", "RawData()"),
    "SEND_RAW": ("HTTP_FILTER_RAW_DATA", "RawData()"),
    "AUTHENTICATION": ("HTTP_FILTER_AUTHENT", "Login()"),
    "DENIED": ("HTTP_FILTER_ACCESS_DENIED", "Denial()"),
    "LOG": ("HTTP_FILTER_LOG", "Log()"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_notification_has_its_data_object(foreign: Foreign, kind: str) -> None:
    """D38 for ACCESS_DENIED, SEND_RESPONSE and AUTH_COMPLETE."""
    name, data = KINDS[kind]
    answer = foreign(
        f"""
        def look(fc):
            first, second = fc.GetData(), fc.GetData("ignored")
            return type(first).__name__, type(first).__module__, type(second) is type(first), first is second
        filters.notify({kind}, look, {data})
        """
    )
    assert answer == (name, "builtins", True, False)


@pytest.mark.parametrize("kind", ["END_OF_REQUEST", "END_OF_CONNECTION", "PREPROC", "0x2000000"])
def test_notification_without_data_raises(foreign: Foreign, kind: str) -> None:
    assert foreign(f"filters.notify({kind}, lambda fc: fc.GetData())")[0] == "ValueError"


# Headers


@pytest.mark.parametrize("promises", [False, True])
@pytest.mark.parametrize("kind", ["PREPROC", "SEND_RESPONSE", "AUTH_COMPLETE"])
def test_headers_are_read_set_and_added(foreign: Foreign, kind: str, promises: bool) -> None:
    answer = foreign(
        f"""
        filters.promises = {promises}
        filters.headers = {{b"url": b"/x?y\\0", b"Empty:": b"\\0", b"Host:": b"\\xff\\0"}}
        def use(fc):
            data = fc.GetData()
            read = [data.GetHeader(name) for name in ("url", "Empty:", b"Host:")]
            missing = data.GetHeader("No:", None), data.GetHeader("No:", 5)
            written = [data.SetHeader("url", "/\\xe9"), data.SetHeader("A:", ""), data.AddHeader(b"B:", b"\\xff")]
            return read, missing, written
        (filters.notify({kind}, use, {KINDS[kind][1]}), [call for call in filters.calls if call[0] != "GetHeader"])
        """
    )
    assert answer == (
        ([b"/x?y", b"", b"\xff"], (None, 5), [None, None, None]),
        [("SetHeader", b"url", b"/\xc3\xa9"), ("SetHeader", b"A:", b""), ("AddHeader", b"B:", b"\xff")],
    )


def test_header_that_the_server_reports_as_nothing_is_missing(foreign: Foreign) -> None:
    answer = foreign(
        """
        filters.headers = {b"A:": b""}
        get = lambda fc: fc.GetData().GetHeader("A:", "none")
        (filters.notify(PREPROC, get, filters.preproc()),
         filters.notify(PREPROC, lambda fc: fc.GetData().GetHeader("A:"), filters.preproc())[0])
        """
    )
    assert answer == ("none", "FilterError")


@pytest.mark.parametrize("length", [1023, 1024, 8191, 8192, 100_000])
def test_long_header_comes_whole_with_and_without_a_default(foreign: Foreign, length: int) -> None:
    """D27."""
    answer = foreign(
        f"""
        filters.headers = {{b"A:": b"v" * {length} + b"\\0"}}
        get = lambda fc: (len(fc.GetData().GetHeader("A:")), len(fc.GetData().GetHeader("A:", b"")))
        filters.notify(PREPROC, get, filters.preproc())
        """
    )
    assert answer == (length, length)


@pytest.mark.parametrize("kind", ["PREPROC", "SEND_RESPONSE", "AUTH_COMPLETE"])
@pytest.mark.parametrize("text", ["a\\rb", "a\\nb", "a\\0b"])
@pytest.mark.parametrize(
    "call", ["SetHeader('A:', {})", "SetHeader({}, 'v')", "AddHeader('A:', {})", "AddHeader({}, 'v')"]
)
def test_line_breaks_and_nuls_in_headers_never_reach_the_server(
    foreign: Foreign, kind: str, call: str, text: str
) -> None:
    use = call.format(f"'{text}'")
    answer = foreign(
        f"(filters.notify({kind}, lambda fc: fc.GetData().{use}, {KINDS[kind][1]})[0], filters.calls)"
    )
    assert answer == ("ValueError", [])


def test_status_of_a_response_is_read_only(foreign: Foreign) -> None:
    """D39."""
    answer = foreign(
        """
        read = lambda fc: fc.GetData().HttpStatus
        write = lambda fc: setattr(fc.GetData(), "HttpStatus", 200)
        (filters.notify(PREPROC, read, filters.preproc()), filters.notify(SEND_RESPONSE, read, filters.preproc(404)),
         filters.notify(SEND_RESPONSE, write, filters.preproc(404))[0])
        """
    )
    assert answer == (0, 404, "AttributeError")


def test_authentication_can_be_asked_for_again(foreign: Foreign) -> None:
    answer = foreign(
        """
        data = filters.auth_complete()
        def use(fc):
            info = fc.GetData()
            before, info.ResetAuth = info.ResetAuth, 1
            return before, info.ResetAuth, info.GetUserToken(), info.HttpStatus
        (filters.notify(AUTH_COMPLETE, use, data), data.fResetAuth)
        """
    )
    assert answer == ((False, True, 0xFEDCBA9876543210, 0), 1)


# Where a URL leads

MAP = """
import ctypes
path = ctypes.create_string_buffer(b"/srv/page", 20)
data = UrlMap(b"/page", ctypes.addressof(path), 20, 0x201, 4, 1, b"*.py")
"""


def test_url_map_gives_and_takes_the_path(foreign: Foreign) -> None:
    answer = foreign(
        MAP
        + """
def use(fc):
    map = fc.GetData()
    before = map.URL, map.PhysicalPath
    map.PhysicalPath = b"/" * 19
    full = map.PhysicalPath
    map.PhysicalPath = "/\\xe9"
    return before, full, map.PhysicalPath
(filters.notify(URL_MAP, use, data), path.raw[:4], path.raw[4:5])
"""
    )
    assert answer == (((b"/page", b"/srv/page"), b"/" * 19, b"/\xc3\xa9"), b"/\xc3\xa9\0", b"/")


@pytest.mark.parametrize("size", [20, 21, 10_000])
def test_path_that_does_not_fit_is_refused_and_changes_nothing(foreign: Foreign, size: int) -> None:
    answer = foreign(
        MAP
        + f"""
outcome = filters.notify(URL_MAP, lambda fc: setattr(fc.GetData(), "PhysicalPath", b"x" * {size}), data)
(outcome, path.value)
"""
    )
    (name, [text]), value = answer
    assert (name, value) == ("ValueError", b"/srv/page")
    assert str(size) in text and "19" in text


def test_url_map_of_newer_servers_says_more(foreign: Foreign) -> None:
    """The longer struct is read only where the server's version says that it is there."""
    answer = foreign(
        MAP
        + """
names = ("Flags", "MatchingPath", "MatchingURL", "ScriptMapEntry")
look = lambda fc: [getattr(fc.GetData(), name, "unknown") for name in names]
new = filters.notify(URL_MAP, look, data)
filters.connect(Revision=0x60000)
(new, filters.notify(URL_MAP, look, data), filters.notify(URL_MAP, lambda fc: setattr(fc.GetData(), "URL", b""), data)[0])
"""
    )
    assert answer == ([0x201, 4, 1, b"*.py"], ["unknown"] * 4, "AttributeError")


# Raw data


@pytest.mark.parametrize(("given", "sent"), [("b'a\\0b'", b"a\0b"), ("'\\xe9'", b"\xc3\xa9"), ("b''", b"")])
def test_raw_data_is_copied_into_the_servers_memory(foreign: Foreign, given: str, sent: bytes) -> None:
    """D36."""
    answer = foreign(
        f"""
        import ctypes
        old = ctypes.create_string_buffer(b"old data", 8)
        data = RawData(ctypes.addressof(old), 8, 8)
        def use(fc):
            raw = fc.GetData()
            before, raw.InData = raw.InData, {given}
            return before, raw.InData
        outcome = filters.notify(SEND_RAW, use, data)
        (outcome, ctypes.string_at(data.pvInData, data.cbInData), data.cbInBuffer, filters.calls,
         data.pvInData == ctypes.addressof(filters.memory[0]), old.raw)
        """
    )
    size = len(sent) + 1
    assert answer == ((b"old data", sent), sent, size, [("AllocMem", size, 0)], True, b"old data")


def test_raw_data_of_a_server_without_memory_stays(foreign: Foreign) -> None:
    answer = foreign(
        """
        data = RawData()
        filters.refused["AllocMem"] = 8
        empty = filters.notify(SEND_RAW, lambda fc: fc.GetData().InData, data)
        (empty, filters.notify(SEND_RAW, lambda fc: setattr(fc.GetData(), "InData", b"x"), data), data.pvInData)
        """
    )
    assert answer == (None, ("FilterError", (8, None, "AllocMem")), None)


# A login

LOGIN = """
import ctypes
user, password = ctypes.create_string_buffer(b"me", 257), ctypes.create_string_buffer(b"secret", 257)
data = Login(ctypes.addressof(user), 257, ctypes.addressof(password), 257)
"""


def test_login_is_read_and_set(foreign: Foreign) -> None:
    answer = foreign(
        LOGIN
        + """
def use(fc):
    login = fc.GetData()
    before = login.User, login.Password
    login.User, login.Password = b"x" * 256, "\\xe9"
    return before, login.User == b"x" * 256, login.Password
(filters.notify(AUTHENTICATION, use, data), user.raw[255:], password.value)
"""
    )
    assert answer == (((b"me", b"secret"), True, b"\xc3\xa9"), b"x\0", b"\xc3\xa9")


@pytest.mark.parametrize("name", ["User", "Password"])
def test_login_that_does_not_fit_is_refused(foreign: Foreign, name: str) -> None:
    answer = foreign(
        LOGIN
        + f"""
refused = filters.notify(AUTHENTICATION, lambda fc: setattr(fc.GetData(), "{name}", b"x" * 257), data)
(refused[0], user.value, password.value)
"""
    )
    assert answer == ("ValueError", b"me", b"secret")


@pytest.mark.parametrize("name", ["User", "Password"])
def test_login_without_buffers_reads_as_none_and_refuses_to_be_set(foreign: Foreign, name: str) -> None:
    """D22."""
    answer = foreign(
        f"""
        read = filters.notify(AUTHENTICATION, lambda fc: fc.GetData().{name}, Login())
        (read, filters.notify(AUTHENTICATION, lambda fc: setattr(fc.GetData(), "{name}", b""), Login())[0])
        """
    )
    assert answer == (None, "ValueError")


def test_denial_says_what_and_why(foreign: Foreign) -> None:
    answer = foreign(
        """
        look = lambda fc: (fc.GetData().URL, fc.GetData().PhysicalPath, fc.GetData().Reason)
        (filters.notify(DENIED, look, Denial(b"/a", b"/srv/a", 0x10001)), filters.notify(DENIED, look, Denial()))
        """
    )
    assert answer == ((b"/a", b"/srv/a", 0x10001), (b"", b"", 0))


# The log

TEXTS = ("ClientHostName", "ClientUserName", "ServerName", "Operation", "Target", "Parameters")


@pytest.mark.parametrize("name", TEXTS)
def test_texts_of_the_log_are_replaced_in_the_servers_memory(foreign: Foreign, name: str) -> None:
    answer = foreign(
        f"""
        data = Log(psz{name}=b"old")
        def use(fc):
            log = fc.GetData()
            before, log.{name} = log.{name}, b"n\\xffw\\0rest"
            return before, log.{name}
        (filters.notify(LOG, use, data), data.psz{name}, filters.calls)
        """
    )
    assert answer == ((b"old", b"n\xffw"), b"n\xffw", [("AllocMem", 4, 0)])


def test_null_texts_of_the_log_read_as_empty_bytes(foreign: Foreign) -> None:
    """D22."""
    answer = foreign(
        f"filters.notify(LOG, lambda fc: [getattr(fc.GetData(), name) for name in {TEXTS}], Log())"
    )
    assert answer == [b""] * 6


def test_numbers_of_the_log(foreign: Foreign) -> None:
    """D39 for the last three; D15 for values that do not fit."""
    answer = foreign(
        """
        data = Log(dwHttpStatus=200, dwWin32Status=64, dwBytesSent=2**32 - 1, dwBytesRecvd=5, msTimeForProcessing=7)
        def use(fc):
            log = fc.GetData()
            read = log.HttpStatus, log.Win32Status, log.BytesSent, log.BytesRecvd, log.TimeForProcessing
            log.HttpStatus, log.Win32Status = 404, 2**32 - 1
            return read, log.HttpStatus, log.Win32Status
        def wrong(name, value):
            return filters.notify(LOG, lambda fc: setattr(fc.GetData(), name, value), data)[0]
        (filters.notify(LOG, use, data), wrong("HttpStatus", "200"), wrong("HttpStatus", 2**40), wrong("BytesSent", 1),
         data.dwHttpStatus, data.dwWin32Status)
        """
    )
    assert answer == (
        ((200, 64, 2**32 - 1, 5, 7), 404, -1),
        "TypeError",
        "OverflowError",
        "AttributeError",
        404,
        2**32 - 1,
    )


# All of them

SETTABLE = {
    "URL_MAP": ["PhysicalPath"],
    "SEND_RAW": ["InData"],
    "AUTHENTICATION": ["User", "Password"],
    "AUTH_COMPLETE": ["ResetAuth"],
    "LOG": [*TEXTS, "HttpStatus", "Win32Status"],
}


@pytest.mark.parametrize("kind", SETTABLE)
def test_attributes_cannot_be_deleted(foreign: Foreign, kind: str) -> None:
    """D21."""
    answer = foreign(
        f"""
        def delete(fc, name):
            try:
                delattr(fc.GetData(), name)
            except AttributeError:
                return "refused"
        filters.notify({kind}, lambda fc: [delete(fc, name) for name in {SETTABLE[kind]}], {KINDS[kind][1]})
        """
    )
    assert answer == ["refused"] * len(SETTABLE[kind])


@pytest.mark.parametrize("kind", KINDS)
def test_kept_data_object_raises(foreign: Foreign, kind: str) -> None:
    """D20: every attribute, read and set, and every method."""
    answer = foreign(
        f"""
        kept = filters.notify({kind}, lambda fc: fc.GetData(), {KINDS[kind][1]})
        def outcome(use):
            try:
                return use()
            except Exception as error:
                return type(error).__name__
        def uses(name):
            yield lambda: getattr(kept, name)
            if name in {SETTABLE.get(kind, [])}:
                yield lambda: setattr(kept, name, 5 if name.endswith("Status") else b"x")
        def calls(name):
            yield lambda: getattr(kept, name)(*["a"] * {{"GetUserToken": 0, "GetHeader": 1}}.get(name, 2))
        names = [name for name in dir(kept) if not name.startswith("_")]
        methods = [name for name in names if callable(getattr(type(kept), name, None))]
        found = [outcome(use) for name in names for use in (calls(name) if name in methods else uses(name))]
        (set(found), len(found) > 0, filters.calls)
        """
    )
    assert answer == ({"RuntimeError"}, True, [])


@pytest.mark.parametrize("kind", KINDS)
def test_data_objects_take_no_free_attributes_and_cannot_be_made(foreign: Foreign, kind: str) -> None:
    answer = foreign(
        f"""
        make = lambda fc: type(fc.GetData())()
        free = lambda fc: setattr(fc.GetData(), "anything", 1)
        [filters.notify({kind}, use, {KINDS[kind][1]})[0] for use in (make, free)]
        """
    )
    assert answer == ["TypeError", "AttributeError"]
