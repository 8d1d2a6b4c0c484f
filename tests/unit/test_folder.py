"""The folder on a real store: resumable at every commit, rebuildable, one at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from fold_kit import DAY, START, make_rules
from storage_kit import answer, new_store

from qualmon.errors import FoldMovedError, StoreError
from qualmon.folding.fold import Folded
from qualmon.folding.rules import FoldRules
from qualmon.schedule.folder import EPOCH_ROW, Folder, drain, epoch_rules
from qualmon.storage.store import SqlStore
from qualmon.types import ClosedRound, Member, Score, Slot, Target

FLEET = tuple(Target("m", platform, "r") for platform in ("a", "b", "c"))
BAD = FLEET[0].key
CHANNELS = ("code.fail", "script.run")
BOUND = 1e-2
EVERY = 900.0
ROUNDS = 44
FAULT_FROM, FAULT_UNTIL = 32, 38


def rules_of(targets: Sequence[Target] = FLEET, **changes: Any) -> FoldRules:
    """A small budget, so that a fault alarms within a round or two."""
    return make_rules(
        targets,
        events=CHANNELS,
        bounds=dict.fromkeys(CHANNELS, BOUND),
        budget_hours=50.0,
        versions={f"core/p{k}": "1" for k in range(5)},
        **changes,
    )


def slot_of(index: int) -> Slot:
    """Slot `index` of the only stream."""
    return Slot(START + index * EVERY, "core", "m", index, EVERY)


def fill(store: SqlStore, index: int, targets: Sequence[Target] = FLEET) -> None:
    """One closed round: every target answers five prompts, the bad one badly while it lasts."""
    of = slot_of(index)
    members = [Member(of, target.key, f"p{k}") for target in targets for k in range(5)]
    store.materialise([of])
    fence = store.claim(of, "w", of.due + 100, of.due)
    assert fence is not None
    store.set_members(of, fence, members)
    store.append([(answer(member, at=of.due), scores_of(member)) for member in members])
    assert store.close(of, fence, of.due + 1)


def scores_of(member: Member) -> list[Score]:
    """Good everywhere but at the fault."""
    broken = member.target == BAD and FAULT_FROM <= member.slot.index < FAULT_UNTIL
    return [Score(channel, "event", float(broken)) for channel in CHANNELS]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    opened = new_store(tmp_path)
    opened.add_epoch(START, rules_of().dump())
    yield opened
    opened.dispose()


def eventful(store: SqlStore) -> None:
    """A fault, a missed slot, a word of a person, a new configuration: all in one log."""
    for index in range(ROUNDS):
        if index == 10:
            store.materialise([slot_of(index)])
            store.miss(slot_of(index), "overrun", START)
            continue
        if index == 36:
            new = (*FLEET, Target("m", "d", "r"))
            store.add_epoch(START, rules_of(new, started=START).dump())
        fill(store, index)


def test_killed_after_every_commit_it_ends_with_the_same_bytes(store: SqlStore) -> None:
    """A new folder for every step, one folder for all, and a rebuild from the log: equal dumps,
    with an incident, a missed slot and a new configuration on the way."""
    eventful(store)
    steps = 0
    while Folder(store).step() is not None:
        steps += 1
    assert steps == ROUNDS
    killed = store.dump_state()
    assert len(store.incidents()) == 1
    store.clear_fold()
    drain(Folder(store))
    assert store.dump_state() == killed
    store.clear_fold()
    for _ in range(20):
        Folder(store).step()
    drain(Folder(store))
    assert store.dump_state() == killed


def test_the_fault_is_an_incident_at_its_place(store: SqlStore) -> None:
    """What was put into the log comes out of the fold: one incident, on the bad target."""
    eventful(store)
    results = drain(Folder(store))
    (incident,) = store.incidents()
    assert incident.scope == f"target={BAD}"
    assert incident.opened_at < slot_of(FAULT_FROM + 3).due
    assert results[10] == slot_of(10)
    told = [t for r in results if isinstance(r, Folded) for t in r.transitions]
    assert told[0]["incident_id"] == incident.id


def test_a_folder_resumes_where_the_rows_end(store: SqlStore) -> None:
    """State, rules and cursor come from the store alone."""
    eventful(store)
    first = Folder(store)
    drain(first)
    second = Folder(store)
    second.start()
    assert second.cursor == first.cursor == slot_of(ROUNDS - 1)
    assert second.rules is not None
    assert first.rules is not None
    assert second.rules.dump() == first.rules.dump()
    assert second.state is not None
    assert second.step() is None


def test_before_the_first_round_there_is_nothing(store: SqlStore) -> None:
    """No state, no rules, no cursor, and nothing to fold."""
    folder = Folder(store)
    assert folder.step() is None
    assert (folder.state, folder.rules, folder.cursor) == (None, None, None)


def test_an_open_slot_is_waited_for(store: SqlStore) -> None:
    """The fold goes in order: what closed early waits for what is still open."""
    store.materialise([slot_of(0)])
    fill(store, 1)
    folder = Folder(store)
    assert folder.step() is None
    store.miss(slot_of(0), "overrun", START)
    assert folder.step() == slot_of(0)
    assert isinstance(folder.step(), Folded)


class Failing:
    """A store whose next commits fail before anything is written."""

    def __init__(self, store: SqlStore, failures: int) -> None:
        self._store, self.failures = store, failures

    def __getattr__(self, name: str) -> Callable[..., Any]:
        found: Callable[..., Any] = getattr(self._store, name)
        return found

    def commit_fold(
        self,
        cursor: Slot,
        state: Mapping[str, bytes],
        incidents: Sequence[Mapping[str, Any]],
        transitions: Sequence[Mapping[str, Any]],
    ) -> None:
        """Fails while failures are left."""
        if self.failures:
            self.failures -= 1
            raise StoreError("the disk is full")
        self._store.commit_fold(cursor, state, incidents, transitions)


@pytest.mark.parametrize("at", [0, 33, 36])
def test_a_failed_commit_is_tried_again_whole(store: SqlStore, at: int) -> None:
    """Memory follows the store: after a failure at the first round, at an alarm or at a new
    configuration, the step is repeated and nothing of it is missing."""
    eventful(store)
    drain(Folder(store))
    expected = store.dump_state()
    store.clear_fold()
    flaky = Failing(store, 0)
    folder = Folder(flaky)  # type: ignore[arg-type]
    for _ in range(at):
        folder.step()
    flaky.failures = 2
    for _ in range(2):
        with pytest.raises(StoreError, match="disk is full"):
            folder.step()
    drain(folder)
    assert store.dump_state() == expected


def test_a_second_folder_is_refused(store: SqlStore) -> None:
    """Two folders on one store: the one that comes late is told, and writes nothing."""
    for index in range(3):
        fill(store, index)
    first, second = Folder(store), Folder(new_view(store))
    first.step()
    second.start()
    first.step()
    before = store.dump_state()
    with pytest.raises(FoldMovedError):
        second.step()
    assert store.dump_state() == before


def new_view(store: SqlStore) -> SqlStore:
    """Another process's view of the same file."""
    return SqlStore(store._database)


def test_a_word_of_a_person_ends_the_incident_and_is_replayed(store: SqlStore) -> None:
    """`resolve` counts from the next slot on, live and in a rebuild alike."""
    for index in range(36):
        fill(store, index)
    folder = Folder(store)
    drain(folder)
    (incident,) = store.incidents(open_only=True)
    store.add_ack(incident.id, slot_of(35).due + 10, "ada", "known", "ack")
    store.add_ack(incident.id, slot_of(36).due + 10, "ada", "false alarm", "resolve")
    fill(store, 36)
    drain(folder)
    assert [i.id for i in store.incidents(open_only=True)] == [incident.id]
    fill(store, 37)
    drain(folder)
    ended = next(i for i in store.incidents() if i.id == incident.id)
    assert ended.resolved_at == slot_of(37).due
    live = store.dump_state()
    store.clear_fold()
    drain(Folder(store))
    assert store.dump_state() == live


def test_an_incident_whose_place_left_the_configuration_ends(store: SqlStore) -> None:
    """Its last word is told to the world, and the store shows it as resolved."""
    for index in range(36):
        fill(store, index)
    folder = Folder(store)
    drain(folder)
    (incident,) = store.incidents(open_only=True)
    store.add_epoch(START, rules_of(FLEET[1:], started=START).dump())
    fill(store, 36, FLEET[1:])
    (result,) = drain(folder)
    assert isinstance(result, Folded)
    assert [t["to_level"] for t in result.transitions] == ["ok"]
    assert store.incidents(open_only=True) == []
    (ended,) = [i for i in store.incidents() if i.id == incident.id]
    assert ended.resolved_at == slot_of(36).due
    live = store.dump_state()
    store.clear_fold()
    drain(Folder(store))
    assert store.dump_state() == live


def test_a_round_without_a_configuration_is_told(store: SqlStore) -> None:
    """A log whose epochs are lost is an error with a remedy, not a crash."""

    class NoEpoch(Failing):
        def epoch_of(self, slot: Slot) -> int | None:
            """Forgotten."""
            return None

    fill(store, 0)
    with pytest.raises(StoreError, match="core/m/0"):
        Folder(NoEpoch(store, 0)).step()  # type: ignore[arg-type]


def test_rows_are_written_for_what_changed_only(store: SqlStore) -> None:
    """A round rewrites its own targets, pool and nodes; the epoch row stays as it is."""
    written: list[set[str]] = []

    class Watching(Failing):
        def commit_fold(
            self,
            cursor: Slot,
            state: Mapping[str, bytes],
            incidents: Sequence[Mapping[str, Any]],
            transitions: Sequence[Mapping[str, Any]],
        ) -> None:
            """Notes the keys."""
            written.append(set(state))
            super().commit_fold(cursor, state, incidents, transitions)

    for index in range(2):
        fill(store, index)
    drain(Folder(Watching(store, 0)))  # type: ignore[arg-type]
    assert EPOCH_ROW in written[0]
    assert EPOCH_ROW not in written[1]
    assert {"fleet", "pool/core/m", *(f"target/{t.key}" for t in FLEET)} <= written[1]


def test_hours_count_from_the_first_epoch(store: SqlStore) -> None:
    """A new configuration goes on with the old beginning, so that times stay comparable."""
    fresh = rules_of(started=START + 30 * DAY)
    assert epoch_rules(fresh, None).started == START + 30 * DAY
    assert epoch_rules(fresh, store.current_epoch()).started == START


def test_a_closed_round_comes_back_from_the_log_as_it_was(store: SqlStore) -> None:
    """The fold reads what was stored: members in order, scores by channel."""
    fill(store, FAULT_FROM)
    found = store.next_closed(None)
    assert isinstance(found, ClosedRound)
    assert len(found.members) == 15
    bad = [m for m in found.members if m.scores["code.fail"].value == 1.0]
    assert {m.member.target for m in bad} == {BAD}
