"""What the tests of the Python package share: fresh interpreters, and whether the native part is there."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

PYTHON_FOLDER = Path(__file__).resolve().parents[2] / "python"


def has_bridge() -> bool:
    """Say whether the native part is built and has its types."""
    if importlib.util.find_spec("pyisapi._bridge") is None:
        return False
    from pyisapi import _bridge

    return hasattr(_bridge, "CompletionPort")


needs_bridge = pytest.mark.skipif(not has_bridge(), reason="the native part is not built")


def run_python(code: str, *, without_bridge: bool = False) -> str:
    """Run code in a fresh interpreter with the package on its path and return what it prints."""
    if without_bridge:
        code = "import sys; sys.modules['pyisapi._bridge'] = None\n" + code
    environment = {**os.environ, "PYTHONPATH": str(PYTHON_FOLDER)}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout
