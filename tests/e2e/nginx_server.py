"""A real nginx in a folder of its own: one process, own configuration, free port, ended by its process id."""

from __future__ import annotations

import shutil
import socket
import subprocess
from pathlib import Path

from server_process import wait_until

CONFIGURATION = """\
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    types {{ text/html html; image/png png; }}
    default_type application/octet-stream;
    server {{
        listen 127.0.0.1:{port};
        root {root};
    }}
}}
"""

TRIES = 3


def nginx_program() -> str | None:
    """Return nginx's path, if it is installed; not every PATH has the folder of system programs."""
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")


class Nginx:
    """An nginx that serves the files below `root`."""

    def __init__(self, program: str, folder: Path, root: Path) -> None:
        self.folder = folder
        for _ in range(TRIES):
            # Another program may take the port between this question and nginx's start, hence the tries.
            with socket.create_server(("127.0.0.1", 0)) as asked:
                self.port = asked.getsockname()[1]
            configuration = folder / "nginx.conf"
            configuration.write_text(
                CONFIGURATION.format(folder=folder, root=root, port=self.port), encoding="utf-8"
            )
            self._process = subprocess.Popen(
                [program, "-p", str(folder), "-c", str(configuration), "-e", str(folder / "error.log")],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            wait_until(lambda: self._process.poll() is not None or self._accepts(), "nginx is ready")
            if self._process.poll() is None:
                return
        raise AssertionError(f"nginx does not start: {(folder / 'error.log').read_text('utf-8')}")

    def _accepts(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1):
                return True
        except OSError:
            return False

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
