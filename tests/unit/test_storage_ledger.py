"""Slots go due -> claimed -> closed or missed, once, whoever repeats which step."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from storage_kit import EVENT, answer, closed, members, new_store, slot

from qualmon.errors import StaleFenceError, StoreError
from qualmon.ports import FoldLog, SlotLedger
from qualmon.storage.ledger import BEHIND_FOLD
from qualmon.storage.store import SqlStore
from qualmon.types import ClosedRound, Member, Score


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    opened = new_store(tmp_path)
    yield opened
    opened.dispose()


def test_it_is_the_ports(store: SqlStore) -> None:
    """One object serves as ledger and as fold log."""
    ledger: SlotLedger = store
    log: FoldLog = store
    assert ledger is log


def test_materialise_is_idempotent_and_ordered(store: SqlStore) -> None:
    """Slots are added once; open ones come oldest first, then by suite and model."""
    late, early = slot(2), slot(1)
    other = slot(1, suite="a")
    store.materialise([late, early])
    store.materialise([early, other])
    assert store.open_slots() == [other, early, late]


def test_last_index(store: SqlStore) -> None:
    """The highest index of a stream, None for an unknown one."""
    store.materialise([slot(3), slot(7), slot(9, model="n")])
    assert store.last_index("core", "m") == 7
    assert store.last_index("core", "x") is None


def test_a_lease_excludes_others_until_it_runs_out(store: SqlStore) -> None:
    """A second claim waits for the lease's end and gets a higher fence."""
    store.materialise([slot(1)])
    first = store.claim(slot(1), "a", lease_until=100.0, now=60.0)
    assert store.claim(slot(1), "b", lease_until=200.0, now=99.0) is None
    second = store.claim(slot(1), "b", lease_until=200.0, now=100.0)
    assert first is not None
    assert second is not None
    assert second > first


def test_unknown_slots_cannot_be_claimed(store: SqlStore) -> None:
    """What was never materialised is nobody's work."""
    assert store.claim(slot(1), "a", 100.0, 0.0) is None


def test_the_first_plan_stands(store: SqlStore) -> None:
    """A re-run is given the members that the first run recorded."""
    store.materialise([slot(1)])
    fence = store.claim(slot(1), "a", 10.0, 0.0)
    assert fence is not None
    planned = store.set_members(slot(1), fence, members(slot(1)))
    again = store.claim(slot(1), "b", 90.0, 20.0)
    assert again is not None
    assert store.set_members(slot(1), again, members(slot(1), ["m/z/r"])) == planned


def test_an_empty_plan_is_a_plan(store: SqlStore) -> None:
    """A round in which nobody may be asked closes with no members."""
    store.materialise([slot(1)])
    fence = store.claim(slot(1), "a", 10.0, 0.0)
    assert fence is not None
    assert list(store.set_members(slot(1), fence, [])) == []
    assert store.close(slot(1), fence, 1.0)


def test_a_stale_fence_is_refused(store: SqlStore) -> None:
    """After another's claim the first worker can neither plan nor close."""
    store.materialise([slot(1)])
    stale = store.claim(slot(1), "a", 10.0, 0.0)
    fresh = store.claim(slot(1), "b", 90.0, 20.0)
    assert stale is not None
    assert fresh is not None
    with pytest.raises(StaleFenceError, match="core/m/1, fence 1"):
        store.set_members(slot(1), stale, members(slot(1)))
    store.set_members(slot(1), fresh, members(slot(1)))
    assert not store.close(slot(1), stale, 30.0)
    assert store.close(slot(1), fresh, 30.0)


def test_closing_again_is_harmless(store: SqlStore) -> None:
    """The same worker may repeat its close after a crash; the first time stands."""
    closed(store, slot(1))
    assert store.close(slot(1), 1, 999.0)
    assert not store.close(slot(1), 2, 999.0)
    assert store.claim(slot(1), "b", 1e9, 1e9) is None


def test_a_slot_without_a_plan_cannot_close(store: SqlStore) -> None:
    """The closing record lists its members, so there must be some record of them."""
    store.materialise([slot(1)])
    fence = store.claim(slot(1), "a", 10.0, 0.0)
    assert fence is not None
    with pytest.raises(StoreError, match="closed_has_members"):
        store.close(slot(1), fence, 1.0)


def test_members_of_another_slot_are_refused(store: SqlStore) -> None:
    """A plan mixed up between slots would never fold."""
    store.materialise([slot(1)])
    fence = store.claim(slot(1), "a", 10.0, 0.0)
    assert fence is not None
    with pytest.raises(ValueError, match="members of another slot"):
        store.set_members(slot(1), fence, members(slot(2)))


def test_append_counts_only_what_is_new(store: SqlStore) -> None:
    """Known ids are ignored, in one batch as across batches, with all their scores."""
    store.materialise([slot(1)])
    one, two = (answer(member) for member in members(slot(1)))
    assert store.append([(one, [EVENT]), (one, [])]) == 1
    assert store.append([(one, []), (two, [EVENT])]) == 1
    assert store.present(slot(1)) == {one.id, two.id}
    stored = store.observation(one.id)
    assert stored is not None
    assert stored.scores == (EVENT,)


def test_a_repeated_answer_adds_no_scores(store: SqlStore) -> None:
    """The first judgement stands: a second one must not slip in through another channel."""
    store.materialise([slot(1)])
    one = answer(members(slot(1))[0])
    store.append([(one, [EVENT])])
    store.append([(one, [Score("code.fail", "event", 1.0)])])
    stored = store.observation(one.id)
    assert stored is not None
    assert [score.channel for score in stored.scores] == ["script.run"]


def test_answers_after_the_close_are_late(store: SqlStore) -> None:
    """They are stored and marked, and the fold does not see them."""
    closed(store, slot(1))
    straggler = answer(Member(slot(1), "m/c/r", "p1"))
    assert store.append([(straggler, [EVENT])]) == 1
    stored = store.observation(straggler.id)
    assert stored is not None
    assert stored.late
    assert straggler.id in store.present(slot(1))


def test_answers_of_a_missed_slot_are_late(store: SqlStore) -> None:
    """A missed slot is over as well."""
    store.materialise([slot(1)])
    store.miss(slot(1), "lag", 70.0)
    one = answer(members(slot(1))[0])
    store.append([(one, [])])
    stored = store.observation(one.id)
    assert stored is not None
    assert stored.late


def test_append_for_an_unknown_slot_stores_nothing(store: SqlStore) -> None:
    """One transaction: the good row of the batch is not kept either."""
    store.materialise([slot(1)])
    good, bad = answer(members(slot(1))[0]), answer(members(slot(2))[0])
    with pytest.raises(StoreError, match=r"core/m/2 is not in the ledger.*Materialise it first"):
        store.append([(good, []), (bad, [])])
    assert store.present(slot(1)) == set()


def test_miss_only_ends_open_slots(store: SqlStore) -> None:
    """A closed slot stays closed, the first reason of a missed one stays."""
    closed(store, slot(1))
    store.materialise([slot(2)])
    store.miss(slot(1), "lag", 1.0)
    store.miss(slot(2), "lag", 1.0)
    store.miss(slot(2), "other", 2.0)
    assert store.slot_counts() == {("closed", ""): 1, ("missed", "lag"): 1}


def test_a_missed_slot_cannot_be_closed(store: SqlStore) -> None:
    """Whoever still works on it learns that it was given up."""
    store.materialise([slot(1)])
    fence = store.claim(slot(1), "a", 10.0, 0.0)
    assert fence is not None
    store.set_members(slot(1), fence, members(slot(1)))
    store.miss(slot(1), "lag", 1.0)
    assert not store.close(slot(1), fence, 2.0)


def test_slots_behind_the_fold_are_never_folded(store: SqlStore) -> None:
    """A stream that comes back late fills its gap without disturbing the order of the fold."""
    closed(store, slot(5))
    store.commit_fold(slot(5), {}, [], [])
    store.materialise([slot(4, model="n"), slot(6, model="n")])
    assert store.slot_counts()["missed", BEHIND_FOLD] == 1
    assert store.open_slots() == [slot(6, model="n")]
    store.clear_fold()
    first = store.next_closed(None)
    assert isinstance(first, ClosedRound)
    assert store.next_closed(slot(5)) is None


def test_the_plan_notes_its_epoch(store: SqlStore) -> None:
    """A slot belongs to the configuration in force when it was planned or missed."""
    store.materialise([slot(1), slot(2), slot(3)])
    first = store.add_epoch(0.0, b"one")
    fence = store.claim(slot(1), "a", 10.0, 0.0)
    assert fence is not None
    store.set_members(slot(1), fence, [])
    second = store.add_epoch(1.0, b"two")
    store.miss(slot(2), "lag", 2.0)
    assert [store.epoch_of(slot(n)) for n in (1, 2, 3)] == [first.id, second.id, None]
