"""The store seen from the event loop: one writer thread, appends in batches.

Everything runs in that one thread in the order it was asked for, so a `call` sees all appends
made before it. Group commit: an append waits at most `max_delay` for company.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import ParamSpec, TypeVar

from qualmon.ports import SlotLedger
from qualmon.types import Observation, Score

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Waiting:
    item: tuple[Observation, Sequence[Score]]
    done: asyncio.Future[None]

    @property
    def rows(self) -> int:
        return 1 + len(self.item[1])


class AsyncStore:
    """Appends and calls on a ledger, awaited. One event loop, closed with `aclose`."""

    def __init__(
        self,
        ledger: SlotLedger,
        *,
        max_rows: int = 1000,
        max_delay: float = 0.1,
        max_pending: int = 20_000,
    ) -> None:
        """A batch is written at max_rows rows (scores count) or after max_delay seconds.

        max_pending: rows not yet written from which `append` makes its callers wait.
        """
        self._ledger = ledger
        self._max_rows, self._max_delay, self._max_pending = max_rows, max_delay, max_pending
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="qualmon-store")
        self._batch: list[_Waiting] = []
        self._batch_rows = 0
        self._pending = 0
        self._room = asyncio.Condition()
        self._timer: asyncio.TimerHandle | None = None
        self._writes: set[asyncio.Task[None]] = set()

    @property
    def pending(self) -> int:
        """Rows that are not in the database yet."""
        return self._pending

    async def append(self, observation: Observation, scores: Sequence[Score] = ()) -> None:
        """Returns when the observation is in the database; raises what the write raised.

        A caller that is cancelled meanwhile leaves the observation in the queue.
        """
        waiting = _Waiting((observation, tuple(scores)), asyncio.get_running_loop().create_future())
        async with self._room:
            await self._room.wait_for(lambda: self._fits(waiting.rows))
            self._enqueue(waiting)
        await waiting.done

    async def call(self, fn: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs fn in the writer thread, after everything appended before; raises what it raises."""
        self._start_batch()
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, partial(fn, *args, **kwargs))

    async def flush(self) -> None:
        """Returns when everything appended so far is written or its callers were told why not."""
        self._start_batch()
        if self._writes:
            await asyncio.wait(set(self._writes))

    async def aclose(self) -> None:
        """Flushes and ends the thread; the store itself stays open."""
        await self.flush()
        self._thread.shutdown(wait=False)

    def _fits(self, rows: int) -> bool:
        return self._pending == 0 or self._pending + rows <= self._max_pending

    def _enqueue(self, waiting: _Waiting) -> None:
        self._batch.append(waiting)
        self._batch_rows += waiting.rows
        self._pending += waiting.rows
        if self._batch_rows >= self._max_rows:
            self._start_batch()
        elif self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self._max_delay, self._start_batch)

    def _start_batch(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._batch:
            return
        batch, self._batch, self._batch_rows = self._batch, [], 0
        # Handed to the thread here and now, so that a following `call` queues up behind it.
        items = [waiting.item for waiting in batch]
        written = asyncio.wrap_future(self._thread.submit(self._ledger.append, items))
        task = asyncio.get_running_loop().create_task(self._settle(batch, written))
        self._writes.add(task)
        task.add_done_callback(self._writes.discard)

    async def _settle(self, batch: Sequence[_Waiting], written: asyncio.Future[int]) -> None:
        error: Exception | None = None
        try:
            await written
        except Exception as caught:  # noqa: BLE001 - handed to every caller below
            error = caught
        for waiting in batch:
            if not waiting.done.done():
                _resolve(waiting.done, error)
        async with self._room:
            self._pending -= sum(waiting.rows for waiting in batch)
            self._room.notify_all()


def _resolve(future: asyncio.Future[None], error: Exception | None) -> None:
    if error is None:
        future.set_result(None)
    else:
        future.set_exception(error)
