"""What README.md and docs show works as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from conftest import Servers
from foreign_process import Foreign
from raising import pool, simple

ROOT = Path(__file__).parents[2]
GUIDE = "docs/writing-extensions.md"
FILTER_GUIDE = "docs/writing-filters.md"


def examples(name: str) -> list[str]:
    """Return the Python examples of a page."""
    return re.findall(r"^```python\n(.*?)^```$", (ROOT / name).read_text("utf-8"), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("name", ["README.md", GUIDE])
def test_first_script_says_hello(serve: Servers, name: str) -> None:
    response = serve(examples(name)[0]).get("/")
    assert response.status == 200 and response.text.startswith("Hello")


def test_work_of_ones_own_reaches_the_pool(serve: Servers) -> None:
    [example] = [text for text in examples(GUIDE) if "dispatch_map" in text]
    members, _, posting = example.partition("# from any thread:\n")
    server = serve(
        pool(
            posting + "reply(ecb)\necb.DoneWithSession()",
            members.replace("...", "print('tidied up', key, file=sys.stderr)"),
        )
    )
    assert server.get("/").body == b"fine"
    server.wait_for_log("tidied up 77")


def test_asynchronous_writes_follow_one_another(serve: Servers) -> None:
    [example] = [text for text in examples(GUIDE) if "IOCompletion" in text]
    server = serve(simple("ecb.SendResponseHeaders('200 OK', '\\r\\n')\n" + example))
    assert server.get("/").body == b"onetwo"


@pytest.mark.parametrize("number", [0, 1])
def test_filter_rewrites_the_old_address(foreign: Foreign, number: int) -> None:
    answer = foreign(
        f"""
        filters.headers[b"url"] = b"/old\\0"
        loaded = filters.load({examples(FILTER_GUIDE)[number]!r})
        (loaded, filters.send(PREPROC, None, filters.preproc()), filters.calls[-1])
        """
    )
    assert answer == ((1, 0), 0x08000002, ("SetHeader", b"url", b"/new"))


def test_filter_answers_for_the_server_and_marks_other_responses(foreign: Foreign) -> None:
    answer = foreign(
        f"""
        filters.load({examples(FILTER_GUIDE)[0]!r})
        import ctypes
        path = ctypes.create_string_buffer(b"/srv/private/page", 260)
        data = UrlMap(b"//private/page", ctypes.addressof(path), len(path))
        status = filters.send(URL_MAP, None, data)
        sent = filters.calls[-1]
        (status, sent, filters.send(SEND_RESPONSE, None, filters.preproc(200)), filters.calls[-1])
        """
    )
    assert answer == (
        0x08000001,
        ("WriteClient", b"Not for you.\n", 0),
        0x08000002,
        ("SetHeader", b"X-Served-By:", b"gate"),
    )


def test_every_defect_that_tests_name_is_listed() -> None:
    listed = set(
        re.findall(r"^\| (D\d+) \|", (ROOT / "docs/compatibility.md").read_text("utf-8"), re.MULTILINE)
    )
    named: set[str] = set()
    for path in Path(__file__).parent.glob("test_*.py"):
        named |= set(re.findall(r"\b(D\d+)\b", path.read_text("utf-8")))
    assert named - listed == set() and len(named) > 30
