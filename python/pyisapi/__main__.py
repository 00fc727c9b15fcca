"""The command ``pyisapi``: finds the native program inside the package and becomes it.

The program learns from two variables which Python to run scripts with (``PYISAPI_PYTHON``) and which
library to copy beside them (``PYISAPI_LOADER``).
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from pyisapi import loader_path


def main() -> int:
    """Run the native program with this process's arguments and return its exit status."""
    name = "pyisapi.exe" if sys.platform == "win32" else "pyisapi"
    program = Path(__file__).resolve().parent / "bin" / name
    if not program.is_file():
        print(
            f"ISAPI0091 the program is missing: {program}; "
            "install pyisapi from a wheel, or build its native parts",
            file=sys.stderr,
        )
        return 1
    try:
        loader = loader_path()
    except FileNotFoundError as error:
        print(error, file=sys.stderr)
        return 1
    environment = {**os.environ, "PYISAPI_PYTHON": sys.executable, "PYISAPI_LOADER": str(loader)}
    command = [str(program), *sys.argv[1:]]
    if sys.platform == "win32":
        return _run(command, environment)
    os.execve(program, command, environment)


def _run(command: list[str], environment: dict[str, str]) -> int:
    """Run the program as a child: Windows cannot replace a process."""
    with subprocess.Popen(command, env=environment) as child:
        while True:
            try:
                return child.wait()
            except KeyboardInterrupt:
                # The console has sent Ctrl+C to the child too; wait for it to stop in its own way.
                continue


if __name__ == "__main__":
    sys.exit(main())
