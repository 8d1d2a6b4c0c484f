"""How late the event loop runs. A probe timed by a late loop measures us and not the model."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

from qualmon.prober.events import NoEvents, ProbeEvents

#: Lateness, in seconds, beyond which a sample is marked.
LATE = 0.05

_BEAT = 0.02
_REPORT = 1.0


class LoopLag:
    """A heartbeat on the running loop: ``async with LoopLag() as lag``.

    A block of b seconds is seen as a lateness between b - 0.02 and b.
    """

    def __init__(self, events: ProbeEvents | None = None) -> None:
        self._events = events or NoEvents()
        self._timer: asyncio.TimerHandle | None = None
        self._last_late = float("-inf")
        self._worst = 0.0
        self._reported = 0.0

    def late_since(self, when: float) -> bool:
        """True when the loop was more than 50 ms late at or after loop time `when`."""
        return self._last_late >= when

    async def __aenter__(self) -> Self:
        self._arm(asyncio.get_running_loop())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _arm(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = loop.call_later(_BEAT, self._beat, loop, loop.time() + _BEAT)

    def _beat(self, loop: asyncio.AbstractEventLoop, expected: float) -> None:
        now = loop.time()
        self._note(now, now - expected)
        self._arm(loop)

    def _note(self, now: float, lateness: float) -> None:
        self._worst = max(self._worst, lateness)
        if lateness > LATE:
            self._last_late = now
        if now - self._reported >= _REPORT:
            self._events.loop_lag(self._worst)
            self._worst, self._reported = 0.0, now
