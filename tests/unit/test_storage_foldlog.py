"""The fold reads rounds in one order and commits each of them once."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from storage_kit import (
    EVENT,
    answer,
    closed,
    incident,
    members,
    new_store,
    slot,
    transition,
    url_of,
)

from qualmon.errors import FoldMovedError, StoreError
from qualmon.storage.open import open_store
from qualmon.storage.store import SqlStore
from qualmon.types import ClosedRound, Failure, Member, Score


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    opened = new_store(tmp_path)
    yield opened
    opened.dispose()


def test_a_closed_round_lists_its_members_in_fold_order(store: SqlStore) -> None:
    """Sorted by target, with outcome and scores; what was asked and not stored is missing."""
    of = slot(1)
    store.materialise([of])
    fence = store.claim(of, "w", 100.0, 60.0)
    assert fence is not None
    planned = store.set_members(of, fence, members(of, ["m/c/r", "m/b/r", "m/a/r"]))
    failed = answer(planned[1], Failure("timeout_total", "60 s"))
    store.append([(answer(planned[0]), [EVENT]), (failed, [])])
    store.close(of, fence, 100.0)
    store.append([(answer(planned[2]), [EVENT])])  # late
    got = store.next_closed(None)
    assert isinstance(got, ClosedRound)
    assert got.slot == of
    assert got.slot.every == of.every
    assert [(m.member.target, m.outcome, dict(m.scores)) for m in got.members] == [
        ("m/a/r", "missing", {}),
        ("m/b/r", "timeout_total", {}),
        ("m/c/r", "ok", {"script.run": EVENT}),
    ]


def test_scores_come_back_as_they_went_in(store: SqlStore) -> None:
    """All kinds, exact floats; a judgement without a value leaves no row."""
    grid = (1.0, 1 / 3, 1e250, 5e-324, math.inf)
    given = [
        Score("a.event", "event", 1.0, {"runs": [1, 2], "why": "\ud800\x00"}),
        Score("b.bounded", "bounded", 0.1 + 0.2),
        Score("c.category", "category", "no_\udfff\x00code"),
        Score("d.e", "e_value", 1e250, {}, grid),
        Score("e.silent", "event", None, {"reason": "no logprobs"}),
        Score("f.nan", "bounded", math.nan),
    ]
    closed(store, slot(1), given)
    got = store.next_closed(None)
    assert isinstance(got, ClosedRound)
    assert got.members[0].scores == {score.channel: score for score in given[:4]}


def test_open_slots_hold_the_fold_back(store: SqlStore) -> None:
    """A later closed round waits for an earlier open one."""
    store.materialise([slot(1)])
    closed(store, slot(2))
    assert store.next_closed(None) is None
    store.miss(slot(1), "lag", 100.0)
    assert store.next_closed(None) == slot(1)
    second = store.next_closed(slot(1))
    assert isinstance(second, ClosedRound)
    assert store.next_closed(slot(2)) is None


def test_order_is_due_then_suite_then_model(store: SqlStore) -> None:
    """By code points, as Python compares: capitals first, then ASCII, then the rest."""
    same_time = [slot(1, suite=s, model=m) for s in ("b", "a", "Z", "é") for m in ("n", "m")]
    for of in same_time:
        closed(store, of)
    seen, after = [], None
    while (got := store.next_closed(after)) is not None:
        assert isinstance(got, ClosedRound)
        after = got.slot
        seen.append(after)
    assert seen == sorted(same_time)


def test_state_and_cursor_survive(store: SqlStore, tmp_path: Path) -> None:
    """What one folder commits the next one loads; unchanged rows stay."""
    assert store.load_state() == ({}, None)
    store.commit_fold(slot(1), {"a": b"1", "b": b"\x00\xff"}, [], [])
    store.commit_fold(slot(2), {"a": b"2"}, [], [])
    again = open_store(url_of(tmp_path))
    assert again.load_state() == ({"a": b"2", "b": b"\x00\xff"}, slot(2))
    again.dispose()


def test_two_folders_cannot_both_commit(store: SqlStore, tmp_path: Path) -> None:
    """The one whose cursor is not the stored one is refused and changes nothing."""
    other = open_store(url_of(tmp_path))
    store.commit_fold(slot(1), {"a": b"1"}, [], [])
    with pytest.raises(FoldMovedError, match=r"at core/m/1, expected the start"):
        other.commit_fold(slot(1), {"a": b"2"}, [], [])
    other.load_state()
    other.commit_fold(slot(2), {"a": b"3"}, [], [])
    with pytest.raises(FoldMovedError, match=r"at core/m/2, expected core/m/1"):
        store.commit_fold(slot(2), {"a": b"4"}, [], [])
    assert other.load_state()[0] == {"a": b"3"}
    other.dispose()


def test_the_cursor_only_moves_forward(store: SqlStore) -> None:
    """A slot is folded once."""
    store.commit_fold(slot(2), {}, [], [])
    for again in (slot(2), slot(1)):
        with pytest.raises(ValueError, match="does not come after core/m/2"):
            store.commit_fold(again, {}, [], [])


def test_incidents_and_transitions(store: SqlStore) -> None:
    """An incident is overwritten by its next version; a transition is written once."""
    opened = incident()
    store.commit_fold(slot(1), {}, [asdict(opened)], [transition(opened)])
    resolved = replace(opened, level="ok", resolved_at=600.0, updated_at=600.0)
    later = [transition(opened), transition(resolved, 2, 600.0)]
    store.commit_fold(slot(2), {}, [asdict(resolved)], later)
    assert store.incident("i1") == resolved
    assert [t["id"] for t in store.transitions("i1")] == ["i1/1", "i1/2"]
    assert store.transitions("i1")[0]["doc"]["level"] == "firing"
    assert store.transitions("other") == []
    assert len(store.transitions()) == 2


def test_open_incidents_and_order(store: SqlStore) -> None:
    """Latest opened first, resolved ones left out on request, at most `limit`."""
    docs = [
        incident("a", opened_at=1.0),
        incident("b", opened_at=3.0, resolved_at=9.0),
        incident("c", opened_at=2.0),
    ]
    store.commit_fold(slot(1), {}, [asdict(doc) for doc in docs], [])
    assert [i.id for i in store.incidents()] == ["b", "c", "a"]
    assert [i.id for i in store.incidents(open_only=True)] == ["c", "a"]
    assert [i.id for i in store.incidents(limit=1)] == ["b"]
    assert store.incident("nope") is None


def test_an_incident_without_its_columns_is_named(store: SqlStore) -> None:
    """A mistake of the caller, told with the missing key."""
    with pytest.raises(StoreError, match="incidents: the key 'opened_at' is missing"):
        store.commit_fold(slot(1), {}, [{"id": "x"}], [])


def test_acknowledgements_show_and_outlive_a_rebuild(store: SqlStore) -> None:
    """The last `ack` names who holds the incident; notes may hold any text."""
    store.commit_fold(slot(1), {}, [asdict(incident())], [])
    store.add_ack("i1", 70.0, "ada", "looking")
    store.add_ack("i1", 80.0, "bob \udc80", "mine\x00", "ack")
    store.add_ack("i1", 90.0, "eve", "", "note")
    store.clear_fold()
    store.commit_fold(slot(1), {}, [asdict(incident())], [])
    found = store.incident("i1")
    assert found is not None
    assert found.acknowledged_by == "bob \udc80"
    assert [(a.who, a.note, a.action) for a in store.acks("i1")] == [
        ("ada", "looking", "ack"),
        ("bob \udc80", "mine\x00", "ack"),
        ("eve", "", "note"),
    ]


def test_dump_is_canonical_and_clear_forgets(store: SqlStore) -> None:
    """The same fold gives the same bytes however it was written; clearing leaves none."""
    bad = incident()
    store.commit_fold(slot(1), {"b": b"2", "a": b"1"}, [asdict(bad)], [transition(bad)])
    first = store.dump_state()
    store.clear_fold()
    assert store.dump_state() == b""
    store.commit_fold(slot(1), {"a": b"1"} | {"b": b"2"}, [asdict(bad)], [transition(bad)])
    assert store.dump_state() == first
    assert [line.split(b'"')[1] for line in first.splitlines()] == [
        b"cursor", b"state", b"state", b"incidents", b"transitions",
    ]  # fmt: skip


def test_dump_tells_states_apart(store: SqlStore) -> None:
    """One byte of one row changes it."""
    store.commit_fold(slot(1), {"a": b"1"}, [], [])
    first = store.dump_state()
    store.clear_fold()
    store.commit_fold(slot(1), {"a": b"2"}, [], [])
    assert store.dump_state() != first


def test_slots_outside_any_schedule_fold_too(store: SqlStore) -> None:
    """Rounds asked by hand (every=0) take their place by time."""
    by_hand = Member(slot(1000, suite="probe", every=0.0), "m/a/r", "p1").slot
    closed(store, by_hand)
    got = store.next_closed(None)
    assert isinstance(got, ClosedRound)
    assert got.slot.every == 0.0
