"""Runs a source beside the fabricated server of foreign_server.py, in a process whose freed memory is overwritten."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

Foreign = Callable[[str], Any]

# What CPython and the C library free is filled: whoever still reads it reads something else.
POISON = {"PYTHONMALLOC": "debug", "MALLOC_PERTURB_": "85"}


def run_beside_server(folder: Path, source: str) -> Any:
    """Return the value of the source's last line."""
    ended = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("foreign_server.py"))],
        input=json.dumps({"folder": str(folder), "source": textwrap.dedent(source).strip()}),
        env=os.environ | POISON,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ast.literal_eval(ended.stdout)
