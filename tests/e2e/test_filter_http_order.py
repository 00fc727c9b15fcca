"""Several filters over HTTP: who is asked first, and what `serve --trace` shows of it."""

from __future__ import annotations

import json
import re
import threading
from typing import Any

import pytest
from conftest import SCRIPTS, Servers
from raising import simple
from server_process import ServerProcess, wait_until

MARKER = """
from isapi import isapicon
from isapi.simple import SimpleFilter
class Filter(SimpleFilter):
    filter_flags = (isapicon.SF_NOTIFY_PREPROC_HEADERS | isapicon.SF_NOTIFY_SEND_RESPONSE
                    | isapicon.SF_NOTIFY_SEND_RAW_DATA | isapicon.SF_NOTIFY_LOG | {order})
    def HttpFilterProc(self, fc):
        if fc.NotificationType == isapicon.SF_NOTIFY_PREPROC_HEADERS:
            data = fc.GetData()
            data.SetHeader("X-Order:", data.GetHeader("X-Order:", b"") + b"{name}")
        elif fc.NotificationType == isapicon.SF_NOTIFY_SEND_RESPONSE:
            data = fc.GetData()
            data.SetHeader("X-Response:", data.GetHeader("X-Response:", b"") + b"{name}")
            data.SetHeader("X-Raw:", "-")
        elif fc.NotificationType == isapicon.SF_NOTIFY_SEND_RAW_DATA:
            data = fc.GetData()
            data.InData = data.InData.replace(b": -", b": -{name}", 1) if b": -" in data.InData else data.InData
        {body}
        return isapicon.SF_STATUS_REQ_NEXT_NOTIFICATION
def __FilterFactory__(): return Filter()
"""
SAYS = simple(
    """
    order = ecb.GetServerVariable("HTTP_X_ORDER", b"")
    ecb.SendResponseHeaders("200 OK", "Content-Length: %d\\r\\n\\r\\n" % len(order), 1)
    ecb.WriteClient(order)
    return 1"""
)
HIGH, MEDIUM, LOW = (f"isapicon.SF_NOTIFY_ORDER_{name}" for name in ("HIGH", "MEDIUM", "LOW"))


def several(
    servers: Servers, orders: dict[str, str], *arguments: str, bodies: dict[str, str] | None = None
) -> ServerProcess:
    """Serve with filters of these names and priorities, loaded in this order."""
    options = []
    for name, order in orders.items():
        source = MARKER.format(name=name, order=order, body=(bodies or {}).get(name, "pass"))
        options += ["--filter", str(servers.place(source, f"{name}.py"))]
    return servers(SAYS, *options, *arguments)


@pytest.mark.parametrize(
    ("orders", "expected"),
    [
        ({"a": "0", "b": "0", "c": "0"}, "abc"),
        ({"c": "0", "b": "0", "a": "0"}, "cba"),
        ({"a": LOW, "b": MEDIUM, "c": HIGH}, "cba"),
        ({"a": MEDIUM, "b": HIGH, "c": MEDIUM, "d": HIGH, "e": LOW, "f": "0"}, "bdacef"),
        ({"a": f"{LOW} | {HIGH}", "b": HIGH, "c": f"{LOW} | {MEDIUM}"}, "abc"),
    ],
)
def test_priority_comes_first_and_then_the_order_of_loading(
    serve: Servers, orders: dict[str, str], expected: str
) -> None:
    answer = several(serve, orders).get("/")
    assert answer.text == expected
    assert answer.headers["X-Response"] == expected
    # What is sent goes through them the other way round; each writes in front of those before.
    assert answer.headers["X-Raw"] == "-" + expected


def test_filter_that_handles_a_notification_is_its_last(serve: Servers) -> None:
    handled = (
        "if fc.NotificationType == isapicon.SF_NOTIFY_PREPROC_HEADERS:"
        " return isapicon.SF_STATUS_REQ_HANDLED_NOTIFICATION"
    )
    answer = several(serve, {"a": "0", "b": "0", "c": "0"}, bodies={"b": handled}).get("/")
    assert (answer.text, answer.headers["X-Response"]) == ("ab", "abc")


def test_filter_disables_notifications_for_itself_alone(serve: Servers) -> None:
    disables = "fc.DisableNotifications(isapicon.SF_NOTIFY_SEND_RESPONSE | isapicon.SF_NOTIFY_LOG)"
    body = f"if fc.NotificationType == isapicon.SF_NOTIFY_PREPROC_HEADERS: {disables}"
    server = several(serve, {"a": "0", "b": "0", "c": "0"}, "--trace=json", bodies={"b": body})
    assert server.get("/").headers["X-Response"] == "ac"
    [record] = records(server, 1)
    assert [step["filter"] for step in record["steps"] if step["notification"] == "LOG"] == ["a", "c"]


def test_bytes_that_a_filter_writes_pass_those_nearer_to_the_client(serve: Servers) -> None:
    write = "if fc.NotificationType == isapicon.SF_NOTIFY_SEND_RAW_DATA: fc.WriteClient(b'X-Early: -\\r\\n')"
    server = several(serve, {"a": HIGH, "b": MEDIUM, "c": LOW}, bodies={"b": write})
    received = server.raw(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    # Sent in the order c, b, a: only a comes behind b.
    assert received.startswith(b"X-Early: -a\r\n")


def test_all_halves_are_ended_when_the_server_stops(serve: Servers) -> None:
    server = several(serve, {"a": "0", "b": "0"})
    assert server.get("/").status == 200
    assert server.stop() == 0


# --trace

FAILS = "if fc.NotificationType == isapicon.SF_NOTIFY_PREPROC_HEADERS: raise ValueError('reason')"


def records(server: ServerProcess, count: int) -> list[dict[str, Any]]:
    """Return the records of requests, of which there are to be so many, as soon as they are there."""
    wait_until(lambda: server.output().count('"event":"request"') >= count, f"{count} records")
    wait_until(lambda: server.output().endswith("\n"), "the end of the line")
    lines = [json.loads(line) for line in server.output().splitlines() if line.startswith("{")]
    requests = [line for line in lines if line["event"] == "request"]
    assert len(requests) == count
    return requests


def test_record_has_every_step_in_order(serve: Servers) -> None:
    server = serve(SCRIPTS / "filter_probe.py", "--trace=json")
    data = b"POST /a%20b?c HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
    assert server.raw(data).startswith(b"HTTP/1.1 200 ")
    [record] = records(server, 1)
    assert (record["method"], record["url"], record["status"]) == ("POST", "/a%20b?c", 200)
    assert re.fullmatch(r"127\.0\.0\.1:\d+", record["client"]) and record["microseconds"] > 0
    assert [step["notification"] for step in record["steps"]] == [
        "READ_RAW_DATA",
        "PREPROC_HEADERS",
        "URL_MAP",
        "AUTHENTICATION",
        "AUTH_COMPLETE",
        "SEND_RESPONSE",
        "SEND_RAW_DATA",
        "END_OF_REQUEST",
        "LOG",
    ]
    for step in record["steps"]:
        assert set(step) == {"notification", "filter", "status", "error", "microseconds"}
        assert (step["filter"], step["status"], step["error"]) == ("filter_probe", "NEXT_NOTIFICATION", None)
        assert 0 < step["microseconds"] < record["microseconds"] * 2
    server.wait_for_output('"event":"connection_ended"')
    [ended] = [json.loads(line) for line in server.output().splitlines() if "connection_ended" in line]
    assert ended["client"] == record["client"]
    assert [step["notification"] for step in ended["steps"]] == ["END_OF_NET_SESSION"]


def test_failed_step_has_its_error(serve: Servers) -> None:
    server = several(serve, {"a": "0", "b": "0"}, "--trace=json", bodies={"a": FAILS})
    assert server.get("/").status == 500
    [record] = records(server, 1)
    first = record["steps"][0]
    assert (first["filter"], first["status"], first["error"]) == ("a", "ERROR", 1359)
    assert record["status"] == 500


def test_text_is_aligned(serve: Servers) -> None:
    names = {"short": "0", "a_much_longer_name": "0"}
    server = several(serve, names, "--trace", bodies={"short": FAILS})
    assert server.get("/one?two").status == 500
    server.wait_for_output(r" LOG +a_much_longer_name .*\n")
    lines = server.output().splitlines()
    [start] = [number for number, line in enumerate(lines) if line.startswith("GET ")]
    assert re.fullmatch(r"GET /one\?two  ->  500  in [\d.]+ (µs|ms)  from 127\.0\.0\.1:\d+", lines[start])
    steps = []
    for line in lines[start + 1 :]:
        if not line.startswith("    "):
            break
        steps.append(line)
    assert len(steps) > 3 and len({len(line) for line in steps}) == 1
    width = len("a_much_longer_name")
    pattern = rf"    [A-Z_ ]{{18}} [a-z_ ]{{{width}}}  [A-Z_0-9 ]{{21}} +[\d.]+ (µs|ms)"
    for line in steps:
        assert re.fullmatch(pattern, line), line
    assert steps[0].split()[:4] == ["PREPROC_HEADERS", "short", "ERROR", "1359"]


def test_records_of_several_connections_do_not_mix(serve: Servers) -> None:
    server = several(serve, {"a": "0", "b": "0"}, "--trace=json")

    def ask(client: int) -> None:
        data = b"".join(b"GET /%d/%d HTTP/1.1\r\nHost: x\r\n\r\n" % (client, number) for number in range(20))
        server.raw(data + b"GET /%d/20 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % client)

    threads = [threading.Thread(target=ask, args=(client,)) for client in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    all_of_them = records(server, 8 * 21)
    clients: dict[str, list[str]] = {}
    for record in all_of_them:
        clients.setdefault(record["client"], []).append(record["url"])
        steps = [(step["notification"], step["filter"]) for step in record["steps"]]
        raw = [step for step in steps if step[0] == "SEND_RAW_DATA"]
        assert [step for step in steps if step[0] != "SEND_RAW_DATA"] == [
            (name, filter) for name in ("PREPROC_HEADERS", "SEND_RESPONSE", "LOG") for filter in ("a", "b")
        ]
        assert len(raw) % 2 == 0
    assert sorted(clients.values()) == sorted([f"/{n}/{m}" for m in range(21)] for n in range(8))


def test_markup_and_control_characters_of_a_client_stay_in_their_line(serve: Servers) -> None:
    rename = "if fc.NotificationType == isapicon.SF_NOTIFY_LOG: fc.GetData().Target = '/x\\nGET /forged'"
    server = several(serve, {"a": "0"}, "--trace", bodies={"a": rename})
    server.get("/")
    server.wait_for_output(r"(?m)^GET /x\\nGET /forged  ->  200")
    assert "\nGET /forged" not in server.output()
