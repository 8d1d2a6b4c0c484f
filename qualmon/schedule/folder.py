"""The folder: closed rounds in, state and incidents out, one transaction a round.

Rebuilding is the same code over the same log, from the first round on. Every input of the
fold is in the log: rounds, the epoch each slot was planned under, and people's words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import NamedTuple, Protocol

from qualmon.errors import StateUnreadableError, StoreError
from qualmon.folding.epochs import closed, migrated
from qualmon.folding.fold import Folded, fold, transitions
from qualmon.folding.rules import FoldRules
from qualmon.folding.state import FoldState, dump, initial, load
from qualmon.ports import FoldLog
from qualmon.types import ClosedRound, Incident, Slot

#: Row that says under which epoch the state rows were written.
EPOCH_ROW = "epoch"


class Epoch(Protocol):
    """A configuration on record."""

    @property
    def id(self) -> int:
        """Number, rising."""
        ...

    @property
    def doc(self) -> bytes:
        """FoldRules as bytes."""
        ...


class Word(Protocol):
    """What a person said of an incident."""

    @property
    def at(self) -> float:
        """Unix seconds."""
        ...

    @property
    def action(self) -> str:
        """``ack`` or ``resolve``."""
        ...


class FoldStore(FoldLog, Protocol):
    """The store as the folder needs it."""

    def epoch_of(self, slot: Slot) -> int | None:
        """Epoch in force when the slot was planned or missed."""
        ...

    def epochs(self) -> Sequence[Epoch]:
        """All configurations, oldest first."""
        ...

    def acks(self, incident_id: str) -> Sequence[Word]:
        """What people said of an incident, oldest first."""
        ...


class _Standing(NamedTuple):
    """Where the fold stands: the epoch, its rules, and the state under them."""

    epoch: int
    rules: FoldRules
    state: FoldState


class Folder:
    """Folds what is closed, in order. Runs beside the store, in one thread; not thread-safe.

    What it holds in memory changes only after the store took it, so that a failed commit can
    be tried again.
    """

    def __init__(self, store: FoldStore) -> None:
        self._store = store
        self._standing: _Standing | None = None
        self._cursor: Slot | None = None
        self._started = False

    @property
    def state(self) -> FoldState | None:
        """The state after the last folded round; None before the first epoch."""
        return self._standing.state if self._standing else None

    @property
    def rules(self) -> FoldRules | None:
        """The rules of the last folded round's epoch."""
        return self._standing.rules if self._standing else None

    @property
    def cursor(self) -> Slot | None:
        """The last slot that was folded or passed over."""
        return self._cursor

    def start(self) -> None:
        """Takes up where the store's state rows end. Raises StoreError."""
        rows, self._cursor = self._store.load_state()
        self._standing = None
        if EPOCH_ROW in rows:
            self._standing = self._resumed(rows)
        self._started = True

    def _resumed(self, rows: Mapping[str, bytes]) -> _Standing:
        try:
            epoch = int(rows[EPOCH_ROW])
            rules = self._rules_of(epoch)
            return _Standing(epoch, rules, load(rows, rules))
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise StateUnreadableError(f"{type(error).__name__} {error}") from error

    def step(self) -> Folded | Slot | None:
        """Folds the next closed round and commits it; a missed slot is passed over.

        None when nothing more is closed yet. Raises StoreError; the step may be repeated.
        """
        if not self._started:
            self.start()
        found = self._store.next_closed(self._cursor)
        if found is None:
            return None
        if isinstance(found, Slot):
            self._store.commit_fold(found, {}, (), ())
            self._cursor = found
            return found
        return self._committed(found)

    def _committed(self, rnd: ClosedRound) -> Folded:
        standing, rows, left = self._entered(rnd.slot)
        folded = fold(standing.state, rnd, standing.rules, resolved=self._ended(standing, rnd))
        rows |= dump(folded.state, standing.rules, folded.changed)
        if left:
            old = self._standing.state.incidents if self._standing else {}
            folded = replace(
                folded,
                incidents=(*left, *folded.incidents),
                transitions=(*transitions(old, left, rnd.slot), *folded.transitions),
            )
        incidents = [asdict(incident) for incident in folded.incidents]
        self._store.commit_fold(rnd.slot, rows, incidents, folded.transitions)
        self._standing = standing._replace(state=folded.state)
        self._cursor = rnd.slot
        return folded

    def _ended(self, standing: _Standing, rnd: ClosedRound) -> frozenset[str]:
        return frozenset(
            key
            for key in standing.state.incidents
            for word in self._store.acks(key)
            if word.action == "resolve" and word.at < rnd.slot.due
        )

    def _entered(self, slot: Slot) -> tuple[_Standing, dict[str, bytes], tuple[Incident, ...]]:
        """Where the fold stands in the slot's epoch; on a change of epoch also all rows, and
        the incidents that the change ends."""
        epoch, standing = self._store.epoch_of(slot), self._standing
        if standing is not None and epoch in (None, standing.epoch):
            return standing, {}, ()
        if epoch is None:
            raise StoreError(
                f"slot {slot.key} was planned under no configuration",
                remedy="Restore the store's epochs table from a backup",
            )
        rules = self._rules_of(epoch)
        mark = {EPOCH_ROW: str(epoch).encode()}
        if standing is None:
            return _Standing(epoch, rules, initial(rules)), dump(initial(rules), rules) | mark, ()
        entered = migrated(standing.state, standing.rules, rules)
        gone = dict.fromkeys(dump(standing.state, standing.rules), b"")
        left = closed(standing.state, entered, slot)
        return _Standing(epoch, rules, entered), gone | dump(entered, rules) | mark, left

    def _rules_of(self, epoch: int) -> FoldRules:
        docs = {known.id: known.doc for known in self._store.epochs()}
        return FoldRules.load(docs[epoch])


def epoch_rules(fresh: FoldRules, current: Epoch | None) -> FoldRules:
    """The rules to put on record: hours go on counting from the first epoch's start."""
    if current is None:
        return fresh
    return replace(fresh, started=FoldRules.load(current.doc).started)


def drain(folder: Folder) -> list[Folded | Slot]:
    """Everything that can be folded now."""
    results: list[Folded | Slot] = []
    while (result := folder.step()) is not None:
        results.append(result)
    return results
