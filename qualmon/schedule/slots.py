"""The scheduler's core: which slots exist, which of them to run now, which are lost.

A timer only says "look"; the ledger says what there is. So nothing is lost or run twice when a
timer fires late, twice or not at all.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from qualmon.ports import Clock, SlotLedger
from qualmon.prober.events import NoEvents, ProbeEvents
from qualmon.prober.rounds import Stream, due, due_slots, index_at
from qualmon.prober.runner import RoundLog, RoundRunner
from qualmon.types import Slot

logger = logging.getLogger(__name__)

#: Slots per stream that are listed one by one after a stand-still; older ones are only counted.
CATCH_UP = 1000

#: A ledger that ends this many seconds away from now, in either direction, says that `every`
#: was changed, and with it the numbering; or that nobody was interested for a month.
RENUMBERED = 30 * 86_400.0

#: Rounds at one time. Far more than a healthy service has; the bound on a sick one.
MAX_ROUNDS = 256

#: Seconds by which a timer may be early and still find its slot due.
EARLY = 0.01


class SlotBook:
    """The ledger's slots of all streams.

    since: where streams without history begin, Unix time; None: with their newest due slot.
    """

    def __init__(
        self,
        streams: Sequence[Stream],
        ledger: SlotLedger,
        log: RoundLog,
        *,
        since: float | None = None,
        events: ProbeEvents | None = None,
    ) -> None:
        self.streams = {(stream.suite, stream.model): stream for stream in streams}
        self._ledger, self._log, self._since = ledger, log, since
        self._events = events or NoEvents()
        self._last: dict[str, int | None] = {}
        self._skipped: dict[str, int] = {}  # found beside the store, told on the event loop

    def stream_of(self, slot: Slot) -> Stream | None:
        """The slot's stream; None when the configuration no longer has it."""
        return self.streams.get((slot.suite, slot.model))

    async def open(self, now: float) -> list[Slot]:
        """Materialises all that fell due in one transaction; returns open slots, oldest first.

        One transaction for all streams, because the folder takes the absence of an earlier
        slot as a promise that none will come.
        """
        slots = await self._log.call(self._open, now)
        while self._skipped:
            self._events.slots_skipped(*self._skipped.popitem())
        return slots

    async def miss(self, slot: Slot, reason: str, now: float) -> bool:
        """Marks a slot as missed; False, and no change, when it has observations."""
        missed = await self._log.call(self._miss, slot, reason, now)
        if missed:
            self._events.slot_missed(slot, reason)
        return missed

    def next_due(self, now: float) -> float:
        """Unix time at which the next slot of any stream falls due; inf without streams."""
        times = (due(s, index_at(s, now) + 1) for s in self.streams.values())
        return min(times, default=float("inf"))

    def _open(self, now: float) -> list[Slot]:
        fresh = [slot for stream in self.streams.values() for slot in self._due(stream, now)]
        if fresh:
            self._ledger.materialise(sorted(fresh))
            # Only now: had the transaction failed, the next look must try the same slots.
            for slot in fresh:
                self._last[f"{slot.suite}/{slot.model}"] = slot.index
        return self._ledger.open_slots()

    def _due(self, stream: Stream, now: float) -> list[Slot]:
        if stream.key not in self._last:
            self._last[stream.key] = self._history(stream, now)
        return due_slots(stream, self._last[stream.key], now)

    def _history(self, stream: Stream, now: float) -> int | None:
        """The index after which the ledger still lacks slots; None: begin with the newest."""
        last = self._ledger.last_index(stream.suite, stream.model)
        newest = index_at(stream, now)
        if last is None:
            return None if self._since is None else index_at(stream, self._since)
        if abs(due(stream, last) - now) > RENUMBERED:
            logger.warning("%s: beginning anew at slot %d, after %d", stream.key, newest, last)
            return None
        if last > newest:
            ahead = due(stream, last) - now
            logger.warning("%s: the clock is %.0f s behind the ledger; waiting", stream.key, ahead)
        if newest - last > CATCH_UP:
            self._skipped[stream.key] = newest - last - CATCH_UP
        return max(last, newest - CATCH_UP)

    def _miss(self, slot: Slot, reason: str, now: float) -> bool:
        if self._ledger.present(slot):
            return False
        self._ledger.miss(slot, reason, now)
        return True


class Scheduler:
    """Runs what is due, as rounds side by side, at most `max_rounds` at a time.

    A slot whose deadline passes before its round could start is missed: `overrun` if this
    process was there to see it wait, else `not_running`.
    """

    def __init__(
        self,
        book: SlotBook,
        runner: RoundRunner,
        clock: Clock,
        *,
        events: ProbeEvents | None = None,
        max_rounds: int = MAX_ROUNDS,
    ) -> None:
        self._book, self._runner, self._clock = book, runner, clock
        self._events = events or NoEvents()
        self._max_rounds = max_rounds
        self._rounds: dict[str, asyncio.Task[None]] = {}
        self._seen: set[str] = set()
        self._looking = asyncio.Lock()
        self._stopping = False

    @property
    def running(self) -> int:
        """Rounds under way."""
        return len(self._rounds)

    async def start(self) -> None:
        """Takes up what an earlier process left behind. Raises what the store raises."""
        await self._runner.restore_accounts()
        await self.look()

    async def look(self) -> None:
        """One pass over the ledger: starts rounds, retires lost slots.

        Safe to call at any time and from anywhere. Raises what the store raises; the next
        look makes up for it.
        """
        async with self._looking:
            if self._stopping:
                return
            now, busy = self._clock.now(), set(self._rounds)
            slots = await self._book.open(now + EARLY)
            ages = (now - self._runner.deadline(slot) for slot in slots)
            self._events.queue_lag(max(0.0, max(ages, default=0.0)))
            for slot in slots:
                # `busy` as of before the question: a round may have ended during the answer.
                if slot.key not in busy and not self._stopping:
                    await self._decide(slot, now)
            self._seen = {slot.key for slot in slots}

    async def stop(self, drain: float) -> None:
        """Starts no more rounds, gives those under way `drain` seconds, releases the rest.

        Raises what the store raises when the accounts cannot be saved.
        """
        self._stopping = True
        if tasks := list(self._rounds.values()):
            _, left = await asyncio.wait(tasks, timeout=drain)
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)
        await self._runner.save_accounts()

    async def _decide(self, slot: Slot, now: float) -> None:
        stream = self._book.stream_of(slot)
        if stream is None:
            await self._retire(slot, "removed", now)
        elif now >= self._runner.deadline(slot):
            await self._retire(slot, "overrun" if slot.key in self._seen else "not_running", now)
        elif len(self._rounds) < self._max_rounds:
            self._launch(slot, stream)

    async def _retire(self, slot: Slot, reason: str, now: float) -> None:
        try:
            # With observations on record it was not missed, only never closed.
            if not await self._book.miss(slot, reason, now):
                await self._runner.settle(slot)
        except Exception as error:  # noqa: BLE001  # one slot must not hold up the others
            self._failed(slot, error)

    def _launch(self, slot: Slot, stream: Stream) -> None:
        task = asyncio.create_task(self._round(slot, stream), name=f"round {slot.key}")
        self._rounds[slot.key] = task

    async def _round(self, slot: Slot, stream: Stream) -> None:
        try:
            await self._runner.run(slot, stream)
            full = len(self._rounds) >= self._max_rounds
        except Exception as error:  # noqa: BLE001  # told, and retried from the ledger
            self._failed(slot, error)
            full = False  # retried by the timer, not at once: the store may be down
        finally:
            del self._rounds[slot.key]
        if full:
            await self.look()

    def _failed(self, slot: Slot, error: Exception) -> None:
        logger.error("slot %s failed", slot.key, exc_info=error)
        self._events.round_failed(slot, type(error).__name__)
