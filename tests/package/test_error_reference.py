"""The error reference and the sources name the same codes."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
REFERENCE = (REPOSITORY / "docs" / "error-reference.md").read_text(encoding="utf-8")

CODE = re.compile(r"\bISAPI[0-9]{4}\b")
HEADING = re.compile(r"^### (ISAPI[0-9]{4}): \S.*$", re.MULTILINE)
LABEL = re.compile(r"^- \*\*(\w+)\*\*: \S", re.MULTILINE)
EXAMPLE = re.compile(r"^- \*\*Example\*\*: `(\S+)", re.MULTILINE)

HEADINGS = HEADING.findall(REFERENCE)


def codes_in_sources() -> dict[str, list[str]]:
    """Return each code with the files that use it."""
    sources = [*REPOSITORY.glob("crates/*/src/**/*.rs"), *REPOSITORY.glob("python/pyisapi/**/*.py")]
    users: dict[str, list[str]] = {}
    for source in sorted(sources):
        for code in set(CODE.findall(source.read_text(encoding="utf-8"))):
            users.setdefault(code, []).append(str(source.relative_to(REPOSITORY)))
    return users


def entries() -> dict[str, str]:
    """Return the text below each heading, up to the next heading of any level."""
    parts = re.split(r"^(?=#{1,3} )", REFERENCE, flags=re.MULTILINE)
    headed = [(HEADING.match(part), part) for part in parts]
    return {match[1]: part for match, part in headed if match}


ENTRIES = entries()


def test_every_code_of_the_sources_has_an_entry() -> None:
    users = codes_in_sources()
    assert users, "no source was found"
    assert {code: files for code, files in users.items() if code not in ENTRIES} == {}


def test_every_entry_is_used_in_the_sources() -> None:
    assert sorted(set(HEADINGS) - set(codes_in_sources())) == []


def test_every_code_has_one_heading() -> None:
    assert [code for code, count in Counter(HEADINGS).items() if count > 1] == []


def test_headings_ascend() -> None:
    assert sorted(HEADINGS) == HEADINGS


def test_every_heading_is_an_entry() -> None:
    assert [
        line for line in REFERENCE.splitlines() if line.startswith("### ") and not HEADING.match(line)
    ] == []


def test_codes_in_the_text_lead_to_entries() -> None:
    assert sorted(set(CODE.findall(REFERENCE)) - set(ENTRIES)) == []


@pytest.mark.parametrize("code", HEADINGS)
def test_an_entry_has_cause_effect_and_cure(code: str) -> None:
    labels = LABEL.findall(ENTRIES[code])
    assert [label for label in labels if label != "Example"] == ["Cause", "Effect", "Cure"]
    assert labels.count("Example") <= 1
    # An example shows the message of its own entry.
    assert set(EXAMPLE.findall(ENTRIES[code])) <= {code}
