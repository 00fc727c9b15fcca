r"""Rewrite URLs, or redirect clients, by rules that are read again whenever their file changes.

The environment variable URL_REWRITER_RULES names the file, by default url_rewriter.txt beside this script.
Each line is a rule: a regular expression for the whole path, the new address, and the status if the client
is to be sent there instead. Groups of the expression are \1, \2 or \g<name> in the address; the first rule
that fits counts. The query is kept unless the address has one. Empty lines and those that begin with # say
nothing. A bad rule is reported with file and line, and the rules before the change stay in force.
"""

from __future__ import annotations

import os
import re
import threading
from dataclasses import dataclass
from pathlib import Path

from pyisapi.filters import Filter, Request

RULES = Path(os.environ.get("URL_REWRITER_RULES") or Path(__file__).with_name("url_rewriter.txt"))
STATUSES = {"301", "302", "303", "307", "308"}


@dataclass(frozen=True)
class Rule:
    """One line of the file."""

    pattern: re.Pattern[str]
    target: str
    status: int | None

    def apply(self, path: str, query: str) -> str | None:
        """Return the new address; None when the rule is not about this path."""
        match = self.pattern.fullmatch(path)
        if match is None:
            return None
        address = match.expand(self.target)
        if self.target.startswith("/"):
            # What a group brings in must not make it //another.host/.
            address = "/" + address.lstrip("/\\")
        if query and "?" not in self.target:
            address += "?" + query
        return address


class BadRule(Exception):
    """A line that is no rule; says where and why."""


class RuleFile:
    """The rules of a file as it is now; many threads may ask at once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._seen: tuple[int, ...] | str | None = None
        self._rules: list[Rule] = []

    def current(self) -> list[Rule]:
        """Return the rules, read again if the file has changed."""
        with self._lock:
            seen = stamp(self._path)
            if seen != self._seen:
                # Before reading: a change in the meantime is another one. What is bad is reported once.
                self._seen = seen
                self._read()
            return self._rules

    def _read(self) -> None:
        try:
            self._rules = parse(self._path.read_text("utf-8-sig"), self._path)
        except (OSError, UnicodeDecodeError) as error:
            print(f"url_rewriter: {self._path}: {error}; {self._consequence()}")
        except BadRule as error:
            print(f"url_rewriter: {error}; {self._consequence()}")
        else:
            print(f"url_rewriter: {self._path}: rules in force: {len(self._rules)}")

    def _consequence(self) -> str:
        return f"rules that stay in force: {len(self._rules)}"


class UrlRewriter(Filter):
    """Rewrites URLs by the rules of a file."""

    priority = "high"

    def __init__(self, rules: RuleFile) -> None:
        self._rules = rules

    def on_request(self, request: Request) -> None:
        """Apply the first rule that fits."""
        for rule in self._rules.current():
            address = rule.apply(request.path, request.query)
            if address is None:
                continue
            if rule.status is None:
                request.url = address
            else:
                request.respond(rule.status, f"See {address}\n", {"Location": address})
            return


def __FilterFactory__() -> UrlRewriter:
    rules = RuleFile(RULES)
    # So that a mistake is seen at the start, not with the first request.
    rules.current()
    return UrlRewriter(rules)


def stamp(path: Path) -> tuple[int, ...] | str:
    """Return what changes when the file does."""
    try:
        status = path.stat()
    except OSError as error:
        return str(error)
    return status.st_mtime_ns, status.st_size, status.st_ino


def parse(text: str, path: Path) -> list[Rule]:
    """Return the rules in the text; BadRule for the first line that is none."""
    rules = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        try:
            rules.append(rule(words))
        except (ValueError, re.error, IndexError, OverflowError) as error:
            raise BadRule(f"{path}:{number}: {error}") from error
    return rules


def rule(words: list[str]) -> Rule:
    """Return the rule of one line; ValueError, or what `re` raises, if it is none."""
    if len(words) not in (2, 3):
        raise ValueError(f"expected PATTERN ADDRESS [STATUS], found {len(words)} words")
    pattern, target = words[0], words[1]
    status = words[2] if len(words) == 3 else None
    if status is not None and status not in STATUSES:
        raise ValueError(f"the status {status!r} is none of {', '.join(sorted(STATUSES))}")
    is_path = target.startswith("/") and not target.startswith("//")
    # A group in the host's name would let clients choose the host.
    if not is_path and not (status and re.match(r"https?://[^/\\]+(/|$)", target)):
        raise ValueError(
            f"the address {target!r} is no path of this site; only a redirect may lead elsewhere"
        )
    if not (target.isascii() and target.isprintable()):
        raise ValueError(f"the address {target!r} must be ASCII: escape the rest, as in %C3%A9")
    compiled = re.compile(pattern)
    # With an empty alternative it fits, and so shows groups that the address names and the pattern lacks.
    re.sub(pattern + "|", target, "")
    return Rule(compiled, target, int(status) if status else None)
