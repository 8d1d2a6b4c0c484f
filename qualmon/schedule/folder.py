"""The folder: closed rounds in, state and incidents out, one transaction a round.

Rebuilding is the same code over the same log, from the first round on. Every input of the
fold is in the log: rounds, the epoch each slot was planned under, and people's words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, Protocol

from qualmon.folding.epochs import migrated
from qualmon.folding.fold import Folded, fold
from qualmon.folding.rules import FoldRules
from qualmon.folding.state import FoldState, dump, initial, load
from qualmon.ports import FoldLog
from qualmon.types import ClosedRound, Slot

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


class Folder:
    """Folds what is closed, in order. Runs beside the store, in one thread; not thread-safe."""

    def __init__(self, store: FoldStore) -> None:
        self._store = store
        self._epoch: int | None = None
        self._rules: FoldRules | None = None
        self._state: FoldState | None = None
        self._cursor: Slot | None = None
        self._started = False

    @property
    def state(self) -> FoldState | None:
        """The state after the last folded round; None before the first epoch."""
        return self._state

    @property
    def rules(self) -> FoldRules | None:
        """The rules of the last folded round's epoch."""
        return self._rules

    @property
    def cursor(self) -> Slot | None:
        """The last slot that was folded or passed over."""
        return self._cursor

    def start(self) -> None:
        """Takes up where the store's state rows end."""
        rows, self._cursor = self._store.load_state()
        if EPOCH_ROW in rows:
            self._epoch = int(rows[EPOCH_ROW])
            self._rules = self._rules_of(self._epoch)
            self._state = load(rows, self._rules)
        self._started = True

    def step(self) -> Folded | Slot | None:
        """Folds the next closed round and commits it; a missed slot is passed over.

        None when nothing more is closed yet.
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
        rows = self._enter_epoch(found.slot)
        folded = self._fold(found)
        rows |= dump(folded.state, self._known_rules(), folded.changed)
        incidents = [asdict(incident) for incident in folded.incidents]
        self._store.commit_fold(found.slot, rows, incidents, folded.transitions)
        self._state, self._cursor = folded.state, found.slot
        return folded

    def _fold(self, rnd: ClosedRound) -> Folded:
        assert self._state is not None  # noqa: S101 - _enter_epoch set it
        ended = {
            key
            for key in self._state.incidents
            for word in self._store.acks(key)
            if word.action == "resolve" and word.at < rnd.slot.due
        }
        return fold(self._state, rnd, self._known_rules(), resolved=frozenset(ended))

    def _known_rules(self) -> FoldRules:
        assert self._rules is not None  # noqa: S101 - _enter_epoch set it
        return self._rules

    def _enter_epoch(self, slot: Slot) -> dict[str, bytes]:
        """Changes the rules when the slot was planned under others; returns all rows then."""
        epoch = self._store.epoch_of(slot)
        if epoch is None or epoch == self._epoch:
            return {}
        rules = self._rules_of(epoch)
        old: Mapping[str, bytes] = {}
        if self._state is None or self._rules is None:
            self._state = initial(rules)
        else:
            old = dict.fromkeys(dump(self._state, self._rules), b"")
            self._state = migrated(self._state, self._rules, rules)
        self._epoch, self._rules = epoch, rules
        rows = {**old, **dump(self._state, rules)}
        return {**rows, EPOCH_ROW: str(epoch).encode()}

    def _rules_of(self, epoch: int) -> FoldRules:
        docs = {known.id: known.doc for known in self._store.epochs()}
        return FoldRules.load(docs[epoch])


def epoch_rules(fresh: FoldRules, current: Epoch | None) -> FoldRules:
    """The rules to put on record: hours go on counting from the first epoch's start."""
    if current is None:
        return fresh
    return replace(fresh, started=FoldRules.load(current.doc).started)


def drain(folder: Folder) -> list[Any]:
    """Everything that can be folded now."""
    results = []
    while (result := folder.step()) is not None:
        results.append(result)
    return results
