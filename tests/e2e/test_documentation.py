"""What README.md and docs show works as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from conftest import Servers
from raising import pool, simple

ROOT = Path(__file__).parents[2]
GUIDE = "docs/writing-extensions.md"


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


def test_every_defect_that_tests_name_is_listed() -> None:
    listed = set(
        re.findall(r"^\| (D\d+) \|", (ROOT / "docs/compatibility.md").read_text("utf-8"), re.MULTILINE)
    )
    named: set[str] = set()
    for path in Path(__file__).parent.glob("test_*.py"):
        named |= set(re.findall(r"\b(D\d+)\b", path.read_text("utf-8")))
    assert named - listed == set() and len(named) > 30
