"""gunicorn's corpus of raw requests, replayed at the server: what it sees, and what it refuses.

Every sample goes over a real socket whole, by lines, by bytes and at random cuts. Of a valid one the extension must
see the method, target, version, fields and body that gunicorn sees; an invalid one must be refused without a call of
the extension. Where the server differs from gunicorn, the table DIFFERENCES says what it does and why; a difference
that is not listed fails, and so does a listed one that is none any more.

Most samples of HTTP/1.1 lack a Host, which this server demands (RFC 9112, 3.2). Such a sample must be refused as it
is; it is then replayed with a Host, so that the rest of it is tested too.
"""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from server_process import ServerProcess

from hostile import corpus
from hostile.corpus import Expected, Sample
from hostile.differences import DIFFERENCES
from hostile.testimony import Call, calls_of
from hostile.wire import DELIVERIES, Connection, Delivery

DOCUMENTATION = Path(__file__).parents[2] / "docs" / "hostile-input.md"
REQUEST_LINE = re.compile(rb"[^\r\n]* HTTP/1\.1\r\n")


@dataclass(frozen=True)
class Outcome:
    """What became of a sample."""

    calls: list[Call]
    statuses: list[int]

    @property
    def is_refusal(self) -> bool:
        return not self.calls and all(status >= 400 for status in self.statuses)

    def __str__(self) -> str:
        calls = [" ".join(filter(None, call.summary)) for call in self.calls]
        return "; ".join([*calls, " ".join(map(str, self.statuses)) or "closed"])


@cache
def samples(kind: str) -> list[Sample]:
    try:
        return corpus.samples(kind)
    except corpus.NotFetched as reason:
        pytest.skip(f"gunicorn's corpus could not be fetched: {reason}")


@pytest.mark.parametrize("delivery", DELIVERIES)
@pytest.mark.parametrize("kind", ["valid", "invalid"])
def test_corpus_is_read_as_gunicorn_reads_it(server: ServerProcess, kind: str, delivery: str) -> None:
    listed = {name: difference.outcome for (of, name), difference in DIFFERENCES.items() if of == kind}
    found = {}
    for sample, outcome in outcomes(
        server, [(sample, with_host(sample)) for sample in samples(kind)], delivery
    ):
        if not agrees(outcome, sample):
            found[sample.name] = str(outcome)
    assert found == listed
    assert server.get("/").status == 200


@pytest.mark.parametrize("kind", ["valid", "invalid"])
def test_corpus_without_host_is_refused(server: ServerProcess, kind: str) -> None:
    without = [(sample, sample.data) for sample in samples(kind) if with_host(sample) != sample.data]
    for sample, outcome in outcomes(server, without, "whole"):
        # A request of HTTP/1.0 may come before.
        allowed = [call for call in outcome.calls if call.version == "HTTP/1.0"]
        assert outcome.calls == allowed and outcome.statuses[len(allowed) :] in ([], [400]), sample.name


def with_host(sample: Sample) -> bytes:
    """Return the sample's data with a Host in each head of HTTP/1.1, if it names none."""
    if re.search(rb"\nhost:", sample.data, re.IGNORECASE):
        return sample.data

    def add(match: re.Match[bytes]) -> bytes:
        is_body = any(match[0].decode("latin-1") in expected.body for expected in sample.expected)
        return match[0] if is_body else match[0] + b"Host: example.com\r\n"

    return REQUEST_LINE.sub(add, sample.data)


def outcomes(
    server: ServerProcess, replays: list[tuple[Sample, bytes]], delivery: str
) -> list[tuple[Sample, Outcome]]:
    """Replay many at a time: some wait for a quiet moment."""

    def one(pair: tuple[Sample, bytes]) -> tuple[Sample, Outcome]:
        sample, data = pair
        return sample, replay(server, data, DELIVERIES[delivery], len(sample.expected))

    with ThreadPoolExecutor(32) as threads:
        return list(threads.map(one, replays))


def replay(server: ServerProcess, data: bytes, delivery: Delivery, expected: int) -> Outcome:
    """Send the data, end the client's side when what is expected has come, and gather what the server does."""
    with Connection(server) as client:
        client.send(data, delivery)
        client.end_sending_when_silent()
        statuses = [answer.status for answer in client.answers(expected)]
        return Outcome(calls_of(server, client.port), statuses)


def agrees(outcome: Outcome, sample: Sample) -> bool:
    if not sample.expected:
        return outcome.is_refusal
    seen = [as_gunicorn_sees(call) for call in outcome.calls]
    return seen == [as_sent_on(expected) for expected in sample.expected] and set(outcome.statuses) == {200}


def as_gunicorn_sees(call: Call) -> Expected:
    major, minor = call.version.removeprefix("HTTP/").split(".")
    fields = [field for field in call.fields if field != ("HOST", "example.com")]
    return Expected(call.method, call.target, (int(major), int(minor)), fields, call.body)


def as_sent_on(expected: Expected) -> Expected:
    """A chunked body that was read whole is presented to the extension as one of known length."""
    fields = [field for field in expected.fields if field != ("HOST", "example.com")]
    framing = [field for field in fields if field[0] == "TRANSFER-ENCODING"]
    if framing and not any("gzip" in value for _, value in framing):
        others = [field for field in fields if field not in framing]
        fields = sorted([*others, ("CONTENT-LENGTH", str(len(expected.body)))])
    return Expected(expected.method, expected.target, expected.version, fields, expected.body)


def test_differences_are_documented() -> None:
    page = DOCUMENTATION.read_text(encoding="utf-8")
    for (kind, name), difference in DIFFERENCES.items():
        assert f"| {kind} | {name} | `{difference.outcome}` | {difference.reason} |" in page
