"""An event loop whose clock jumps: time-outs of minutes are tested in microseconds."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _JumpingSelector(selectors.DefaultSelector):
    """Waits for nothing but the end of time-outs, and for those by turning its clock."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Events at hand; with none, the clock moves on by `timeout` at once."""
        if timeout is None:
            return super().select(None)
        events = super().select(0)
        if not events:
            self.now += max(0.0, timeout)
        return events


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Sleeps and time-outs end at once, in order; ``time()`` starts at 0.

    Not for sockets with slow peers or threads: while they work, time-outs run ahead of them.
    """

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._jumping.now


class LoopClock:
    """ports.Clock on the running loop's own time: Unix time is `start` plus ``loop.time()``."""

    def __init__(self, start: float = 0.0) -> None:
        self._start = start

    def now(self) -> float:
        """Unix seconds."""
        return self._start + asyncio.get_running_loop().time()

    async def sleep_until(self, when: float) -> None:
        """Returns at or after `when`."""
        await asyncio.sleep(max(0.0, when - self.now()))


def run_virtual(main: Coroutine[Any, Any, T]) -> T:
    """``asyncio.run`` on a VirtualTimeLoop."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main)
