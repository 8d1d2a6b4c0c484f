"""The log gives back what went in, counts what was spent and remembers configurations."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from storage_kit import EVENT, answer, closed, members, new_store, slot

from qualmon.storage.keep import is_bad, keeps_logprobs
from qualmon.storage.store import SqlStore
from qualmon.types import (
    Attempt,
    Completion,
    Failure,
    Member,
    Score,
    TokenLogprob,
    TopToken,
    Usage,
)

NASTY = "a\x00b \ud800 \ud83d\ude00 é 𝔘 \udfff"
TOP = (TopToken("\x00", -math.inf, None, None), TopToken(NASTY, -0.1, b"\xff\x00", 7))
FULL = Completion(
    text=NASTY,
    finish_reason=NASTY,
    logprobs=(TokenLogprob(NASTY, -1 / 3, b"\xf0\x9f", 2**40, TOP), TokenLogprob("", 0.0)),
    logprobs_state="present",
    usage=Usage(1, 2, 3, 2**62),
    ttft_seconds=0.1 + 0.2,
    total_seconds=1 / 7,
    response_model=NASTY,
    response_id="id",
    headers={"server": NASTY},
    tool_calls=({"name": NASTY, "arguments": {"x": [1, 2.5, None, True]}},),
    refusal="no",
)
FAILED = Failure(
    kind="malformed",
    detail=NASTY,
    head=NASTY,
    status=200,
    retry_after=1.5,
    before_first_byte=True,
    total_seconds=9.25,
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    opened = new_store(tmp_path)
    opened.materialise([slot(n) for n in range(1, 6)])
    yield opened
    opened.dispose()


@pytest.mark.parametrize("result", [FULL, FAILED, Completion("", None), Failure("reset", "")])
def test_an_observation_round_trips(store: SqlStore, result: Completion | Failure) -> None:
    """Lone surrogates, NUL, infinities and big numbers included."""
    given = replace(
        answer(Member(slot(1), "m/a/r", "p1", "key-2", 4), result, at=1 / 3),
        attempts=(Attempt(1, 0.1, "overloaded", 0.2), Attempt(2, 0.3, "ok", 1 / 3)),
        lagged=True,
    )
    store.append([(given, [Score("script.run", "event", 1.0)])])
    stored = store.observation(given.id)
    assert stored is not None
    assert stored.observation == given
    assert not stored.late


def test_absurd_counts_are_missing(store: SqlStore) -> None:
    """A number that no column can hold does not stop the log."""
    given = answer(members(slot(1))[0], replace(FULL, usage=Usage(2**63, -(2**70), 5, None)))
    store.append([(given, [Score("script.run", "event", 1.0)])])
    stored = store.observation(given.id)
    assert stored is not None
    assert isinstance(stored.observation.result, Completion)
    assert stored.observation.result.usage == Usage(None, None, 5, None)


def test_logprobs_are_kept_for_bad_answers_and_a_sample(store: SqlStore) -> None:
    """All or none of the healthy ones by argument; a bad one always."""
    one, two, three = (
        answer(Member(slot(1), f"m/{name}/r", "p1"), FULL) for name in ("a", "b", "c")
    )
    store.append([(one, [EVENT])], keep_one_in=0)
    store.append([(two, [EVENT])], keep_one_in=1)
    store.append([(three, [Score("token.drop", "e_value", 11.0)])], keep_one_in=0)
    kept = []
    for given in (one, two, three):
        stored = store.observation(given.id)
        assert stored is not None
        assert isinstance(stored.observation.result, Completion)
        assert stored.observation.result.logprobs_state == "present"
        kept.append(stored.observation.result.logprobs)
    assert kept == [None, FULL.logprobs, FULL.logprobs]


def test_the_sample_is_one_in_twenty_by_id() -> None:
    """Deterministic, and close to its rate over many ids."""
    ids = [Member(slot(n), "m/a/r", "p1").id for n in range(4000)]
    kept = [key for key in ids if keeps_logprobs(key, [EVENT])]
    assert 140 < len(kept) < 260
    assert kept == [key for key in ids if keeps_logprobs(key, [])]


@pytest.mark.parametrize(
    ("score", "bad"),
    [
        (Score("a.b", "event", 1.0), True),
        (Score("a.b", "event", 0.0), False),
        (Score("a.b", "bounded", 0.5), True),
        (Score("a.b", "bounded", 0.49), False),
        (Score("a.b", "e_value", 10.0), True),
        (Score("a.b", "e_value", 9.0), False),
        (Score("a.b", "category", "fail"), False),
        (Score("a.b", "event", None), False),
    ],
)
def test_which_scores_are_bad(score: Score, bad: bool) -> None:
    """Per kind of score."""
    assert is_bad(score) is bad


def test_latest_observations_of_a_target(store: SqlStore) -> None:
    """Newest first, of one target, failures alone on request."""
    for number in (1, 2, 3):
        result = FAILED if number == 2 else None
        one, two = members(slot(number))
        given = [(answer(m, result, at=float(number)), [EVENT]) for m in (one, two)]
        store.append(given)
    latest = store.observations("m/a/r", limit=2)
    assert [s.observation.at for s in latest] == [3.0, 2.0]
    assert {s.observation.member.target for s in latest} == {"m/a/r"}
    failures = store.observations("m/a/r", failures_only=True)
    assert [s.observation.at for s in failures] == [2.0]
    assert store.observations("m/x/r") == []
    assert store.observation("0" * 32) is None


def test_spending_counts_every_attempt(store: SqlStore) -> None:
    """Retries and failures are requests; tokens come from usage, missing ones count nothing."""
    one, two = members(slot(1))
    three = Member(slot(2), one.target, "p1")
    tries = tuple(Attempt(n, 100.0, "overloaded", 0.1) for n in (1, 2, 3))
    store.append([(replace(answer(one, at=100.0), attempts=tries), [])])
    store.append([(answer(three, FAILED, at=200.0), []), (answer(two, at=200.0), [])])
    assert store.requests_since(one.target, 0.0) == (4, 10, 20)
    assert store.requests_since(one.target, 150.0) == (1, 0, 0)
    assert store.requests_since("m/x/r", 0.0) == (0, 0, 0)


def test_slot_counts(store: SqlStore) -> None:
    """By state, and by reason where missed."""
    closed(store, slot(1))
    store.claim(slot(2), "a", 1e9, 0.0)
    store.miss(slot(3), "lag", 1.0)
    store.miss(slot(4), "down", 1.0)
    assert store.slot_counts() == {
        ("closed", ""): 1,
        ("claimed", ""): 1,
        ("missed", "lag"): 1,
        ("missed", "down"): 1,
        ("due", ""): 1,
    }


def test_epochs_change_with_their_document(store: SqlStore) -> None:
    """The same document again is the same epoch; going back to an old one is a new epoch."""
    assert store.current_epoch() is None
    first = store.add_epoch(1.0, b"\x00a")
    assert store.add_epoch(2.0, b"\x00a") == first
    second = store.add_epoch(3.0, b"b")
    third = store.add_epoch(4.0, b"\x00a")
    assert [epoch.id for epoch in store.epochs()] == [first.id, second.id, third.id] == [1, 2, 3]
    assert store.current_epoch() == third
    assert third.digest == first.digest


def test_notes(store: SqlStore) -> None:
    """Written, overwritten, absent."""
    store.set_meta("started", "1")
    store.set_meta("started", "2 \x00")
    assert store.get_meta("started") == "2 \x00"
    assert store.get_meta("other") is None
