"""ExecURL over real HTTP: another handler answers, with what it is given, and the script learns how it ended."""

from __future__ import annotations

import pytest
from conftest import Servers
from probe_client import Probe, Raised, Value
from server_process import receive_until

PASS_BY = 0x04

ORDER = """
import json
def ran(block, argument, count, error):
    status = block.GetExecURLStatus()
    outcomes.put(json.dumps({{"type": "ended", "repr": repr((argument, count, error, status))}}))
    block.DoneWithSession()
ecb.IOCompletion(ran, "argument")
ecb.ExecURL({})
"""

ECHO = """
import isapi
from isapi import isapicon
from isapi.simple import SimpleExtension


def answered(ecb, argument, count, error):
    ecb.DoneWithSession()


class Extension(SimpleExtension):
    "Echo"

    def HttpExtensionProc(self, ecb):
        order = ecb.GetServerVariable("HTTP_X_ORDER", b"").decode()
        if order:
            ecb.IOCompletion(answered)
            ecb.ExecURL(*eval(order))
            return isapicon.HSE_STATUS_PENDING
        body = ecb.AvailableData + ecb.ReadClient()
        mark, length = ecb.GetServerVariable("HTTP_X_MARK", b""), ecb.GetServerVariable("CONTENT_LENGTH")
        url = ecb.GetServerVariable("HTTP_URL")
        text = repr((ecb.Method, url, mark, int(length), len(body), sum(body))).encode()
        ecb.SendResponseHeaders("200 OK", "X-Child: yes\\r\\n\\r\\n")
        ecb.WriteClient(text)
        return isapicon.HSE_STATUS_SUCCESS


def __ExtensionFactory__():
    return Extension()
"""


def order(url: str | None, flags: int = 0) -> str:
    return ORDER.format(f"{url!r}, None, None, None, None, {flags}")


def ended(probe: Probe) -> object:
    """Return what the completion of the latest run was given, and the status that it found."""
    outcomes = [probe.last(), probe.last()]
    [found] = [
        outcome.value for outcome in outcomes if isinstance(outcome, Value) and outcome.type == "ended"
    ]
    return found


def test_file_behind_a_script_answers_in_its_place(probe: Probe) -> None:
    response = probe.send("pending", order("/page.html", PASS_BY))
    assert (response.status, response.body, response.headers["Content-Length"]) == (200, b"a page", "6")
    assert response.headers["Content-Type"] == "text/html"
    assert ended(probe) == ("argument", 0, 0, (200, 0, 0))


def test_missing_file_is_a_404_that_the_script_learns_of(probe: Probe) -> None:
    assert probe.send("pending", order(None, PASS_BY)).status == 404
    assert ended(probe) == ("argument", 0, 0, (404, 0, 0))


def test_url_beyond_ascii_is_found(probe: Probe) -> None:
    (probe.root / "größe.txt").write_text("€", encoding="utf-8")
    assert probe.send("pending", order("/größe.txt", PASS_BY)).text == "€"
    assert ended(probe) == ("argument", 0, 0, (200, 0, 0))


def test_file_can_be_a_part_of_the_scripts_own_response(probe: Probe) -> None:
    source = """
def ran(block, argument, count, error):
    block.WriteClient("</before>")
    block.DoneWithSession()
ecb.SendResponseHeaders("203 Own", "X-Own: yes\\r\\n\\r\\n")
ecb.WriteClient("<before>")
ecb.IOCompletion(ran)
flags = isapicon.HSE_EXEC_URL_IGNORE_CURRENT_INTERCEPTOR | isapicon.HSE_EXEC_URL_NO_HEADERS
ecb.ExecURL("/page.html", None, None, None, None, flags)"""
    response = probe.send("pending", source)
    assert (response.status, response.headers["X-Own"]) == (203, "yes")
    assert response.body == b"<before>a page</before>"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("/x?y", None, None, None, None, 0), (b"POST", b"/x?y", b"client", 6, 6, sum(b"abcdef"))),
        (("/x", "PUT", None, None, b"bytes", 0), (b"PUT", b"/x", b"client", 5, 5, sum(b"bytes"))),
        (("/x", "GET", None, None, b"", 0), (b"GET", b"/x", b"client", 0, 0, 0)),
        (("/x", None, "X-Mark: new\r\n", None, None, 0), (b"POST", b"/x", b"new", 6, 6, sum(b"abcdef"))),
    ],
)
def test_other_handler_sees_what_the_script_gives(
    serve: Servers, arguments: tuple[object, ...], expected: tuple[object, ...]
) -> None:
    server = serve(ECHO, "--mount", f"/x={serve.place(ECHO, 'child.py')}")
    # The order must not reach the other handler, which would follow it.
    given = arguments if arguments[2] else (*arguments[:2], "X-Mark: client\r\n", *arguments[3:])
    response = server.request("POST", "/", b"abcdef", {"X-Order": header_text(given)})
    assert (response.status, response.headers["X-Child"]) == (200, "yes")
    assert response.text == repr(expected)


def header_text(value: object) -> str:
    """Return Python source that fits a header."""
    return ascii(value)


def test_chain_that_does_not_end_is_a_500(serve: Servers) -> None:
    server = serve(ECHO)
    headers = {"X-Order": "(None, None, None, None, None, 0)"}
    assert server.request("GET", "/page", headers=headers).status == 500
    server.wait_for_log("ISAPI0328 the handler Script was to answer /page for the third time")
    assert server.get("/page").status == 200


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ("'relative', None, None, None, None, 0", 87),
        ("'http://localhost/', None, None, None, None, 0", 87),
        ("'/a b', None, None, None, None, 0", 87),
        ("None, 'G T', None, None, None, 0", 87),
        ("None, None, 'nonsense', None, None, 0", 87),
        ("None, None, None, None, None, 0x100", 87),
        ("None, None, None, (7, None, None), None, 0", 50),
        ("None, None, None, (None, 'user', None), None, 0", 50),
    ],
)
def test_order_that_cannot_be_followed_is_refused(probe: Probe, arguments: str, code: int) -> None:
    outcome = probe.outcome(f"ecb.IOCompletion(print)\necb.ExecURL({arguments})")
    assert isinstance(outcome, Raised)
    assert outcome.args == (code, None, "ServerSupportFunction(HSE_REQ_EXEC_URL)")


def test_status_of_nothing_is_error_232(probe: Probe) -> None:
    outcome = probe.outcome("ecb.GetExecURLStatus()")
    assert isinstance(outcome, Raised)
    assert outcome.args == (232, None, "ServerSupportFunction(HSE_REQ_GET_EXEC_URL_STATUS)")


def test_without_a_completion_function_it_is_refused(probe: Probe) -> None:
    outcome = probe.outcome("ecb.ExecURL('/page.html', None, None, None, None, 4)")
    assert isinstance(outcome, Raised)
    assert outcome.args == (87, None, "ServerSupportFunction(HSE_REQ_EXEC_URL)")


def test_client_that_leaves_ends_both_requests(serve: Servers) -> None:
    server = serve(
        ECHO.replace(
            "def answered(ecb, argument, count, error):",
            "def answered(ecb, argument, count, error):\n    print('ended:', count, error, ecb.GetExecURLStatus())",
        ),
        "--mount",
        f"/endless={serve.place(ENDLESS, 'endless.py')}",
    )
    with server.connect() as connection:
        url = ascii(("/endless", None, "A: b\r\n", None, None, 0))
        connection.sendall(f"GET / HTTP/1.1\r\nHost: localhost\r\nX-Order: {url}\r\n\r\n".encode())
        receive_until(connection, b"xxxxx")
    server.wait_for_log(r"^ended: 0 995 \(200, 0, 995\)$")
    server.wait_for_log("^the child was told: 10054$")
    assert server.get("/").status == 200


ENDLESS = """
import isapi
from isapi.simple import SimpleExtension


class Extension(SimpleExtension):
    "Endless"

    def HttpExtensionProc(self, ecb):
        ecb.SendResponseHeaders("200 OK", "\\r\\n")
        try:
            while True:
                ecb.WriteClient(b"x" * 65536)
        except isapi.ExtensionError as error:
            print("the child was told:", error.errno)
        return 4


def __ExtensionFactory__():
    return Extension()
"""
