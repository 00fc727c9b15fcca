"""Let in only users of a small SQLite database, with Basic authentication.

    python basic_auth.py add mary       asks for a password; again for a new password
    python basic_auth.py remove mary

The environment variable BASIC_AUTH_USERS names the database, by default basic_auth.sqlite3 beside this
script. It holds salted scrypt hashes, no passwords. Extensions get the user's name in the request header
AuthenticatedUser (variable HTTP_AUTHENTICATEDUSER), and the access log has it as well. What a client sends
under that name is dropped, and its password is not passed on. Basic authentication sends passwords readable
for all on the way: use it over TLS only.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import getpass
import hashlib
import hmac
import os
import secrets
import sqlite3
import sys
import threading
from contextlib import closing
from pathlib import Path

from pyisapi.filters import Filter, LogEntry, Request

DATABASE = Path(os.environ.get("BASIC_AUTH_USERS") or Path(__file__).with_name("basic_auth.sqlite3"))
REALM = "Members"
# One word: Authenticated-User and Authenticated_User are one variable, and a client could send the latter.
USER_HEADER = "AuthenticatedUser"

MAX_BYTES = 256
SALT_BYTES = 16
SCHEMA = "CREATE TABLE IF NOT EXISTS users (name TEXT PRIMARY KEY, salt BLOB NOT NULL, hash BLOB NOT NULL)"


class Users:
    """The database, read anew for each request: who is added or removed, is so at once."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, name: str, password: str) -> None:
        """Add a user, or give one a new password; ValueError for what a client could not send."""
        check(name, password)
        salt = secrets.token_bytes(SALT_BYTES)
        with closing(sqlite3.connect(self._path)) as database, database:
            database.execute(SCHEMA)
            row = (name, salt, scrypt(password.encode(), salt))
            database.execute("INSERT OR REPLACE INTO users (name, salt, hash) VALUES (?, ?, ?)", row)

    def remove(self, name: str) -> bool:
        """Remove a user; False if there was none."""
        with closing(sqlite3.connect(self._path)) as database, database:
            database.execute(SCHEMA)
            return database.execute("DELETE FROM users WHERE name = ?", (name,)).rowcount > 0

    def find(self, name: str) -> tuple[bytes, bytes] | None:
        """Return a user's salt and hash."""
        if not self._path.exists():
            return None
        address = f"{self._path.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(address, uri=True)) as database:
            row: tuple[bytes, bytes] | None = database.execute(
                "SELECT salt, hash FROM users WHERE name = ?", (name,)
            ).fetchone()
        return row


class Checker:
    """Compares passwords, and remembers what was right: the slow hash is not made for every request."""

    def __init__(self, users: Users) -> None:
        self._users = users
        self._key = secrets.token_bytes(32)
        # By name: a digest of the password together with the hash that it was right for.
        self._right: dict[str, bytes] = {}
        # Each takes 16 MB and a processor for some time; guessing must not take all of them.
        self._at_once = threading.BoundedSemaphore(2)

    def accepts(self, name: str, password: bytes) -> bool:
        """Tell whether this is the user's password."""
        # An unknown name takes as long as a wrong password, so nobody learns who is a user.
        salt, expected = self._users.find(name) or (b"\0" * SALT_BYTES, b"")
        digest = hmac.digest(self._key, expected + password, "sha256")
        if hmac.compare_digest(self._right.get(name, b""), digest):
            return True
        with self._at_once:
            right = hmac.compare_digest(scrypt(password, salt), expected)
        if right:
            self._right[name] = digest
        return right


class BasicAuth(Filter):
    """Lets in only those who show a name and its password."""

    priority = "high"

    def __init__(self, checker: Checker) -> None:
        self._checker = checker

    def on_request(self, request: Request) -> None:
        """Let the request pass with the user's name, or ask for one."""
        # The connection may be another user's from now on, as it is behind a proxy.
        request.state = None
        presented = credentials(request.headers.get("Authorization", ""))
        if presented is None or not self._checker.accepts(*presented):
            challenge = f'Basic realm="{REALM}", charset="UTF-8"'
            request.respond(401, "Members only.\n", {"WWW-Authenticate": challenge})
            return
        request.state = presented[0]
        # Replaces whatever the client has sent under this name.
        request.headers[USER_HEADER] = presented[0]
        del request.headers["Authorization"]

    def on_log(self, entry: LogEntry) -> None:
        """Have the log say who it was."""
        if entry.state is not None:
            entry.user = entry.state


def __FilterFactory__() -> BasicAuth:
    if not DATABASE.exists():
        print(f"basic_auth: nobody can log on yet, {DATABASE} is missing: python basic_auth.py add NAME")
    return BasicAuth(Checker(Users(DATABASE)))


def credentials(authorization: str) -> tuple[str, bytes] | None:
    """Return the name and password of the header Authorization; None when it has none for Basic."""
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
        # To scrypt a password and the same with NULs behind it are one.
        if colon and len(password) <= MAX_BYTES and b"\0" not in password:
            return name.decode("ascii"), password
    except (binascii.Error, ValueError):
        pass
    return None


def check(name: str, password: str) -> None:
    """Raise ValueError for a name or password that cannot be used."""
    if not (name.isascii() and name.isprintable() and 0 < len(name) <= MAX_BYTES):
        raise ValueError(f"a name has 1 to {MAX_BYTES} printable ASCII characters")
    if ":" in name or name != name.strip():
        raise ValueError("a name has no colon, and no blank at its ends")
    if not 0 < len(password.encode()) <= MAX_BYTES or "\0" in password:
        raise ValueError(f"a password has 1 to {MAX_BYTES} bytes, none of them NUL")


def scrypt(password: bytes, salt: bytes) -> bytes:
    """Return the hash of a password; takes 16 MB and a noticeable time, on purpose."""
    return hashlib.scrypt(password, salt=salt, n=2**14, r=8, p=5)


def ask_password() -> str:
    """Ask for a password, twice; from a pipe it is the first line."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    password = getpass.getpass("Password: ")
    if password != getpass.getpass("Once more: "):
        raise ValueError("the two passwords are not the same")
    return password


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Keep the users of basic_auth.py.")
    parser.add_argument("command", choices=["add", "remove"])
    parser.add_argument("name")
    arguments = parser.parse_args()
    users, name = Users(DATABASE), arguments.name
    try:
        if arguments.command == "add":
            users.add(name, ask_password())
            print(f"{name} can log on ({DATABASE})")
        elif not users.remove(name):
            parser.error(f"{name} is no user in {DATABASE}")
    except (ValueError, sqlite3.Error) as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
