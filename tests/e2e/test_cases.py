"""Scripts in the style of the old package's samples, each with a file that says what its clients see.

Every pair NAME.py and NAME.txt in tests/cases is one test: the script is served alone, the exchanges are made
in order, each over a connection of its own. To add a case, add two files. A line of NAME.txt begins with a
mark and one blank:

    # comment; empty lines mean nothing
    @ folder NAME         serve the script from a folder of this name
    @ arguments A B       more arguments of the program; {folder} is the script's folder
    @ log REGEX           the server's log, up to its end, must show this
    > GET /path           request line, HTTP/1.1 if it names no version; then one line for each header;
                          Host, and Content-Length where there is a body, are added unless they are given
    >> text               a line of the request's body; lines are joined by a line feed
    < 200 OK              status of the answer, or its number alone; it ends the request. Then headers that
                          must be there, with this value
    <! Name               a header that must not be there
    << text               a line of the answer's body, which must be exactly these lines; the last line end
                          may be missing
    <~ regex              must be found in the body; a line for each

Bodies are UTF-8 and their lines may end with CR LF.
"""

from __future__ import annotations

import http.client
import re
from pathlib import Path

import case_file
import pytest
from case_file import Exchange
from conftest import Servers
from server_process import Response, ServerProcess

CASES = Path(__file__).parent.with_name("cases")
FILES = sorted(CASES.glob("*.txt"))


def test_every_script_has_its_expectations() -> None:
    scripts = {path.stem for path in CASES.glob("*.py")}
    assert scripts == {path.stem for path in FILES} and len(scripts) >= 25


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_case(serve: Servers, path: Path) -> None:
    case = case_file.parse(path)
    arguments = [
        argument.replace("{folder}", str(serve.directory / case.folder)) for argument in case.arguments
    ]
    server = serve(path.with_suffix(".py"), *arguments, folder=case.folder)
    for exchange in case.exchanges:
        check(exchange, exchange_with(server, exchange), f"{path.name}:{exchange.line}")
    assert server.stop() == 0
    for pattern in case.log_patterns:
        server.wait_for_log(pattern)


def exchange_with(server: ServerProcess, exchange: Exchange) -> Response:
    with server.connect() as connection:
        connection.sendall(exchange.request())
        answer = http.client.HTTPResponse(connection, method=exchange.request_line.split(" ")[0])
        answer.begin()
        return Response.receive(answer)


def check(exchange: Exchange, response: Response, place: str) -> None:
    body = response.text.replace("\r\n", "\n")
    what = f"{place}: {response.status} {response.reason}\n{response.headers}\n{body}"
    assert exchange.status in (f"{response.status} {response.reason}", str(response.status)), what
    for name, value in exchange.headers:
        assert value in response.headers.get_all(name, []), what
    for name in exchange.absent_headers:
        assert name not in response.headers, what
    if exchange.body is not None:
        assert body.removesuffix("\n").split("\n") == exchange.body, what
    for pattern in exchange.patterns:
        assert re.search(pattern, body, re.MULTILINE), f"{pattern!r} not in {what}"
