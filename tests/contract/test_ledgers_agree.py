"""The ledger in memory, on which the prober's tests stand, answers as the one on SQLite does."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from qualmon.errors import StaleFenceError
from qualmon.ports import SlotLedger
from qualmon.storage.open import open_store
from qualmon.testing.memory_ledger import MemoryLedger
from qualmon.types import Attempt, Completion, Member, Observation, Score, Slot

SLOTS = [Slot(float(index), "core", model, index, 1.0) for index in (0, 1) for model in ("m", "n")]
TARGETS = ("a", "b")

Step = Callable[[SlotLedger], Any]

slots = st.sampled_from(SLOTS)
fences = st.integers(1, 3)
times = st.sampled_from([0.0, 5.0, 10.0])


def _members(slot: Slot) -> list[Member]:
    return [Member(slot, f"{slot.model}/{target}/r", "p") for target in TARGETS]


def _items(slot: Slot, picks: list[int]) -> list[tuple[Observation, list[Score]]]:
    answer, attempts = Completion("x", "stop"), (Attempt(1, 0.0, "ok", 0.1),)
    return [(Observation(_members(slot)[pick], 0.0, answer, attempts, "v"), []) for pick in picks]


def _plan(ledger: SlotLedger, slot: Slot, fence: int, size: int) -> Any:
    try:
        return tuple(ledger.set_members(slot, fence, _members(slot)[:size]))
    except StaleFenceError:
        return "stale"


def _close(ledger: SlotLedger, slot: Slot, fence: int) -> Any:
    # Closing without a plan is a mistake that only the database refuses.
    return _plan(ledger, slot, fence, 2), ledger.close(slot, fence, 9.0)


steps = st.one_of(
    st.builds(lambda s, t: lambda led: led.claim(s, "w", t + 5.0, t), slots, times),
    st.builds(lambda s, f, n: lambda led: _plan(led, s, f, n), slots, fences, st.integers(0, 2)),
    st.builds(
        lambda s, p: lambda led: led.append(_items(s, p)),
        slots,
        st.lists(st.integers(0, 1), max_size=3),
    ),
    st.builds(lambda s, f: lambda led: _close(led, s, f), slots, fences),
    st.builds(lambda s: lambda led: led.miss(s, "lag", 1.0), slots),
    st.builds(lambda s: lambda led: led.present(s), slots),
    st.just(lambda led: led.open_slots()),
    st.just(lambda led: led.last_index("core", "m")),
)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.lists(steps, max_size=40))
def test_same_steps_same_answers(story: list[Step]) -> None:
    """Step by step, whatever comes in whatever order."""
    with tempfile.TemporaryDirectory() as folder:
        store, memory = open_store(f"sqlite:///{folder}/qualmon.db"), MemoryLedger()
        for ledger in (store, memory):
            ledger.materialise(SLOTS)
        for step in story:
            assert step(store) == step(memory)
        store.dispose()
