"""Drives rounds on a virtual clock: strictly in fold order, one after another.

Used where hours must pass in seconds and twice the same. Providers' time-outs and a round's
deadline stay real seconds, counted from the start of the round, because servers are real.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from qualmon.prober.runner import RoundResult, RoundRunner
from qualmon.schedule.clock import VirtualClock
from qualmon.schedule.slots import SlotBook


class VirtualDriver:
    """Runs each slot at its due time, as the ledger lists them: by due, suite, model."""

    def __init__(
        self,
        book: SlotBook,
        runner: RoundRunner,
        clock: VirtualClock,
        after_round: Callable[[RoundResult], Awaitable[None]],
    ) -> None:
        self._book, self._runner, self._clock = book, runner, clock
        self._after_round = after_round
        self._stopped = False

    async def run_until(self, end: float) -> None:
        """Runs all slots with due <= `end`, then leaves the clock at `end`.

        May be called again for a later end. Raises what the store or the callback raises.
        """
        self._stopped = False
        await self._run_open()
        while not self._stopped and (due := self._book.next_due(self._clock.now())) <= end:
            self._clock.advance(due)
            await self._run_open()
        if not self._stopped:
            self._clock.advance(end)

    def stop(self) -> None:
        """Ends run_until after the round under way; the clock stays there."""
        self._stopped = True

    async def _run_open(self) -> None:
        for slot in await self._book.open(self._clock.now()):
            if self._stopped:
                return
            stream = self._book.stream_of(slot)
            if stream is None:
                await self._book.miss(slot, "removed", self._clock.now())
            else:
                await self._after_round(await self._runner.run(slot, stream))
