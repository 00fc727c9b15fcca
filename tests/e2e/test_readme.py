"""The first script of the README does what the README says."""

from __future__ import annotations

import re
from pathlib import Path

from conftest import Servers

README = Path(__file__).parents[2] / "README.md"


def test_the_first_script_answers(serve: Servers) -> None:
    script = re.search(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    assert script
    assert len(script.group(1).splitlines()) <= 14
    answer = serve(script.group(1), name="hello.py").get("/some/page")
    assert (answer.status, answer.text) == (200, "Hello from /some/page\n")
