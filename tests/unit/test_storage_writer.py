"""The store from the event loop: batches, order, back-pressure, failures told to all."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from storage_kit import EVENT, answer, new_store, slot

from qualmon.errors import StoreError
from qualmon.storage.writer import AsyncStore
from qualmon.types import Member, Observation, Score

Items = Sequence[tuple[Observation, Sequence[Score]]]


def _observation(number: int) -> Observation:
    return answer(Member(slot(1), f"m/{number}/r", "p1"))


class GatedLedger:
    """Counts batches; each waits until the gate is open, and fails while `error` is set."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.error: Exception | None = None

    def append(self, items: Items) -> int:
        assert self.gate.wait(5)
        if self.error is not None:
            raise self.error
        self.batches.append([observation.id for observation, _ in items])
        return len(items)


def _over(ledger: GatedLedger, **how: float) -> AsyncStore:
    return AsyncStore(ledger, **how)  # type: ignore[arg-type]


async def test_an_append_is_in_the_database_when_it_returns(tmp_path: Path) -> None:
    """With its scores, readable by a call."""
    store = new_store(tmp_path)
    writer = AsyncStore(store, max_delay=0.01)
    await writer.call(store.materialise, [slot(1)])
    one = _observation(1)
    await writer.append(one, [EVENT])
    assert writer.pending == 0
    stored = await writer.call(store.observation, one.id)
    assert stored is not None
    assert stored.scores == (EVENT,)
    await writer.aclose()
    store.dispose()


async def test_company_shares_a_transaction() -> None:
    """Appends made together are one batch after the delay."""
    ledger = GatedLedger()
    writer = _over(ledger, max_delay=0.02)
    await asyncio.gather(*(writer.append(_observation(n)) for n in range(10)))
    assert [len(batch) for batch in ledger.batches] == [10]
    await writer.aclose()


async def test_a_full_batch_does_not_wait() -> None:
    """Rows count scores too: four rows are two observations with one score each."""
    ledger = GatedLedger()
    writer = _over(ledger, max_rows=4, max_delay=60.0)
    await asyncio.gather(*(writer.append(_observation(n), [EVENT]) for n in range(4)))
    assert [len(batch) for batch in ledger.batches] == [2, 2]
    await writer.aclose()


async def test_a_call_comes_after_the_appends_before_it() -> None:
    """It does not wait for the delay, and finds them written."""
    ledger = GatedLedger()
    writer = _over(ledger, max_delay=60.0)
    append = asyncio.create_task(writer.append(_observation(1)))
    await asyncio.sleep(0)
    assert await writer.call(lambda: len(ledger.batches)) == 1
    await append
    await writer.aclose()


async def test_a_failing_write_reaches_every_caller() -> None:
    """All of the batch raise; the next batch is tried anew."""
    ledger = GatedLedger()
    ledger.error = StoreError("disk full")
    writer = _over(ledger, max_delay=0.01)
    results = await asyncio.gather(
        *(writer.append(_observation(n)) for n in range(3)), return_exceptions=True
    )
    assert results == [ledger.error] * 3
    assert writer.pending == 0
    ledger.error = None
    await writer.append(_observation(4))
    await writer.aclose()


async def test_a_failing_call_raises_its_error() -> None:
    """And harms nobody else."""
    writer = _over(GatedLedger())
    with pytest.raises(ZeroDivisionError):
        await writer.call(divmod, 1, 0)
    assert await writer.call(divmod, 7, 2) == (3, 1)
    await writer.aclose()


async def test_a_slow_store_slows_its_callers() -> None:
    """Memory stays bounded: beyond max_pending rows an append waits for the writer."""
    ledger = GatedLedger()
    ledger.gate.clear()
    writer = _over(ledger, max_rows=2, max_delay=60.0, max_pending=4)
    tasks = [asyncio.create_task(writer.append(_observation(n))) for n in range(20)]
    await asyncio.sleep(0.02)
    assert writer.pending == 4
    assert not any(task.done() for task in tasks)
    ledger.gate.set()
    while not all(task.done() for task in tasks):
        await writer.flush()
        await asyncio.sleep(0)
    assert sum(map(len, ledger.batches)) == 20
    await writer.aclose()


async def test_one_huge_append_passes_alone() -> None:
    """An observation with more rows than the bound is not stuck for ever."""
    ledger = GatedLedger()
    writer = _over(ledger, max_delay=0.01, max_pending=2)
    await writer.append(_observation(1), [EVENT] * 9)
    assert len(ledger.batches) == 1
    await writer.aclose()


async def test_a_cancelled_caller_loses_nothing() -> None:
    """What was asked is written though nobody waits any more."""
    ledger = GatedLedger()
    writer = _over(ledger, max_delay=60.0)
    task = asyncio.create_task(writer.append(_observation(1)))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await writer.aclose()
    assert ledger.batches == [[_observation(1).id]]


async def test_flush_without_work() -> None:
    """Closing an idle writer is immediate."""
    writer = _over(GatedLedger())
    await writer.flush()
    await writer.aclose()
