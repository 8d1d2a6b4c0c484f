"""The ledger under any order of claims, crashes, repeats and late answers."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from qualmon.errors import StaleFenceError
from qualmon.storage.integrity import check
from qualmon.storage.open import open_store
from qualmon.types import Attempt, ClosedRound, Completion, Member, Observation, Score, Slot

TARGETS = ("m/a/r", "m/b/r", "m/c/r")
WORKERS = ("w1", "w2")
SLOTS = 3
INDEX = st.integers(0, SLOTS - 1)
WORKER = st.sampled_from(WORKERS)


def _slot(index: int) -> Slot:
    return Slot(index * 60.0, "core", "m", index, 60.0)


class Ledger(RuleBasedStateMachine):
    """Two workers on one store. `closed` and `missed` are what the store said yes to."""

    @initialize()
    def start(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.url = f"sqlite:///{self.folder}/qualmon.db"
        self.store = open_store(self.url)
        self.now = 0.0
        self.known: set[int] = set()
        self.fences: dict[tuple[str, int], int] = {}
        self.holder: dict[int, tuple[int, float]] = {}
        self.plans: dict[int, tuple[Member, ...]] = {}
        self.on_time: dict[str, int] = {}
        self.late: dict[str, int] = {}
        self.over: dict[int, str] = {}
        self.folded: list[int] = []
        self.materialise(SLOTS - 1)

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.dispose()
            assert check(self.url) == []
            shutil.rmtree(self.folder)

    @rule(count=st.integers(1, SLOTS))
    def materialise(self, count: int) -> None:
        """The scheduler fills the ledger in order, and may repeat itself."""
        self.store.materialise([_slot(index) for index in range(count)])
        self.known.update(range(count))

    @rule(seconds=st.sampled_from([1.0, 40.0]))
    def time_passes(self, seconds: float) -> None:
        """Leases of 30 s run out or not."""
        self.now += seconds

    @rule(worker=WORKER, index=INDEX)
    def claim(self, worker: str, index: int) -> None:
        """Granted exactly when the slot is open and nobody's lease runs; fences only grow."""
        fence = self.store.claim(_slot(index), worker, self.now + 30.0, self.now)
        last, until = self.holder.get(index, (0, 0.0))
        free = index in self.known and index not in self.over and until <= self.now
        assert (fence is not None) == free
        if fence is not None:
            assert fence > last
            self.holder[index] = (fence, self.now + 30.0)
            self.fences[worker, index] = fence

    @rule(worker=WORKER, index=INDEX, size=st.integers(0, 3))
    def plan(self, worker: str, index: int, size: int) -> None:
        """The first plan stands; a worker without the lease is turned away."""
        fence = self.fences.get((worker, index), 0)
        planned = tuple(Member(_slot(index), target, "p") for target in TARGETS[:size])
        try:
            recorded = tuple(self.store.set_members(_slot(index), fence, planned))
        except StaleFenceError:
            assert not self._holds(worker, index)
            return
        assert self._holds(worker, index)
        assert recorded == self.plans.setdefault(index, planned)

    @rule(
        index=INDEX, picks=st.lists(st.sampled_from(TARGETS), max_size=4), value=st.integers(0, 1)
    )
    @precondition(lambda self: self.plans)
    def append(self, index: int, picks: list[str], value: int) -> None:
        """Any worker, any time, twice over: first come stays, after the end it is late."""
        of = _slot(index)
        asked = {member.target for member in self.plans.get(index, ())}
        items = [
            (_observation(Member(of, target, "p"), value), [Score("a.b", "event", float(value))])
            for target in picks
            if target in asked
        ]
        fresh = {item[0].id for item in items} - {*self.on_time, *self.late}
        assert self.store.append(items) == len(fresh)
        (self.late if index in self.over else self.on_time).update(dict.fromkeys(fresh, value))

    @rule(worker=WORKER, index=INDEX)
    def close(self, worker: str, index: int) -> None:
        """Only the holder closes, once; its own repetition is granted again."""
        if index not in self.plans:
            return
        fence = self.fences.get((worker, index), 0)
        repeats = self.over.get(index) == f"closed {fence}"
        expected = self._holds(worker, index) or repeats
        assert self.store.close(_slot(index), fence, self.now) == expected
        if expected:
            self.over[index] = f"closed {fence}"

    @rule(worker=WORKER, index=INDEX, picks=st.sets(st.sampled_from(TARGETS)))
    def whole_round(self, worker: str, index: int, picks: set[str]) -> None:
        """The usual course with stragglers, so that stories reach the end of a slot."""
        self.claim(worker, index)
        self.plan(worker, index, 3)
        if self.plans:
            self.append(index, sorted(picks), 1)
        self.close(worker, index)
        if self.plans:
            self.append(index, list(TARGETS), 0)

    @rule(index=INDEX)
    @precondition(lambda self: self.over)
    def miss(self, index: int) -> None:
        """Ends what is open, changes nothing else."""
        self.store.miss(_slot(index), "lag", self.now)
        if index in self.known:
            self.over.setdefault(index, "missed")

    @rule()
    def crash(self) -> None:
        """A new process opens the file; workers have forgotten their fences."""
        self.store.dispose()
        self.store = open_store(self.url)
        self.store.load_state()
        self.fences.clear()

    @rule()
    def fold(self) -> None:
        """Every finished slot is folded once, in order, with what was there at its end."""
        cursor = self.store.load_state()[1]
        while (found := self.store.next_closed(cursor)) is not None:
            cursor = found.slot if isinstance(found, ClosedRound) else found
            self.store.commit_fold(cursor, {"n": str(cursor.index).encode()}, [], [])
            self.folded.append(cursor.index)
            if isinstance(found, ClosedRound):
                self._agrees(found)
        assert self.folded == list(range(len(self.folded)))

    @invariant()
    def nothing_lost_or_doubled(self) -> None:
        """What was acknowledged is stored; open slots are those not over."""
        if not hasattr(self, "store"):
            return
        stored = set().union(*(self.store.present(_slot(index)) for index in range(SLOTS)))
        assert stored == {*self.on_time, *self.late}
        assert [slot.index for slot in self.store.open_slots()] == sorted(
            self.known - set(self.over)
        )

    def _holds(self, worker: str, index: int) -> bool:
        fence = self.fences.get((worker, index), 0)
        return fence > 0 and fence == self.holder[index][0] and index not in self.over

    def _agrees(self, found: ClosedRound) -> None:
        planned = self.plans[found.slot.index]
        assert [scored.member for scored in found.members] == sorted(
            planned, key=lambda member: member.sort_key
        )
        for scored in found.members:
            value = self.on_time.get(scored.member.id)
            got = {name: score.value for name, score in scored.scores.items()}
            assert got == ({} if value is None else {"a.b": float(value)})
            assert scored.outcome == ("missing" if value is None else "ok")


def _observation(member: Member, value: int) -> Observation:
    answer = Completion(f"answer {value}", "stop")
    return Observation(member, 1.0, answer, (Attempt(1, 1.0, "ok", 0.1),), "v")


TestLedger = Ledger.TestCase
TestLedger.settings = settings(
    max_examples=40,
    stateful_step_count=35,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
