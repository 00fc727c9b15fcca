"""A pending request that nothing is left to end is ended, instead of leaving its client waiting."""

from __future__ import annotations

import http.client

import pytest
from conftest import Servers
from raising import pool, simple
from server_process import receive_all


def test_pending_without_keeping_the_block_is_a_500(serve: Servers) -> None:
    server = serve(simple("return 3"))
    assert server.get("/orders").status == 500
    server.wait_for_log(r"ISAPI0219 \[[0-9a-f]{12}\] the request for /orders was forgotten")


def test_dispatch_that_forgets_to_end_is_a_500(serve: Servers) -> None:
    server = serve(pool("pass"))
    assert [server.get("/").status for _ in range(3)] == [500] * 3
    server.wait_for_log("ISAPI0219")


def test_a_response_that_was_begun_and_forgotten_is_cut(serve: Servers) -> None:
    server = serve(pool("ecb.SendResponseHeaders('200 OK', '\\r\\n', 0)\necb.write('begun')"))
    with pytest.raises(http.client.IncompleteRead):
        server.get("/")
    server.wait_for_log("ISAPI0219")


def test_a_block_that_is_kept_is_not_forgotten(serve: Servers) -> None:
    server = serve(
        simple("""
        if path == b"/later":
            self.kept = ecb
            print("kept", file=sys.stderr)
            return 3
        reply(self.kept, "in the end")
        self.kept.DoneWithSession()
        reply(ecb)
        return 1""")
    )
    with server.connect() as waiting:
        waiting.sendall(b"GET /later HTTP/1.0\r\n\r\n")
        server.wait_for_log("^kept$")
        assert server.get("/now").status == 200
        assert receive_all(waiting).endswith(b"in the end")
    assert "ISAPI0219" not in server.log()
