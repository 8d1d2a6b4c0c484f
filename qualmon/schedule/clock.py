"""Two clocks: the machine's, steady across jumps, and one that is set by hand."""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import Callable
from itertools import count

#: A wall clock ahead by more than this many seconds was stepped, or the machine slept.
_STEP = 1.0


class SystemClock:
    """Unix time that never goes back (ports.Clock).

    It runs on the monotonic clock from the wall time at the start. It follows the wall clock
    forward over a step or a sleep of the machine; a step back it ignores until a restart, for
    slots and elapsed times must not repeat.
    """

    def __init__(
        self,
        *,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._wall, self._monotonic = wall, monotonic
        self._offset = wall() - monotonic()

    def now(self) -> float:
        """Unix seconds."""
        elapsed = self._monotonic()
        if self._wall() - (elapsed + self._offset) > _STEP:
            self._offset = self._wall() - elapsed
        return elapsed + self._offset

    async def sleep_until(self, when: float) -> None:
        """Returns at or after Unix time `when`."""
        while (left := when - self.now()) > 0:  # noqa: ASYNC110  # no event says that time passed
            await asyncio.sleep(left)


class VirtualClock:
    """Time that moves only when told (ports.Clock). Sleepers wake in order of their times."""

    def __init__(self, start: float) -> None:
        self._now = start
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = count()

    def now(self) -> float:
        """Unix seconds, virtual."""
        return self._now

    async def sleep_until(self, when: float) -> None:
        """Returns once the clock was advanced to `when`."""
        if when <= self._now:
            return
        woken = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (when, next(self._order), woken))
        await woken

    def advance(self, to: float) -> None:
        """Sets the clock to `to`. Raises ValueError when that lies in the past."""
        if to < self._now:
            raise ValueError(f"cannot set the clock back from {self._now} to {to}")
        self._now = to
        while self._sleepers and self._sleepers[0][0] <= to:
            _, _, woken = heapq.heappop(self._sleepers)
            if not woken.done():
                woken.set_result(None)
