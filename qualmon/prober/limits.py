"""Rate and concurrency of one target: a gate that every attempt passes, first come first served."""

from __future__ import annotations

import asyncio

from qualmon.types import Limits


class Rate:
    """A token bucket that holds one token: at most `per_second` starts a second, evenly spaced.

    Depth one is on purpose. A deeper bucket would start up to twice the configured rate in
    some second, and the far side's limiter may be stricter than ours.
    """

    def __init__(self, per_second: float) -> None:
        self._gap = 1.0 / per_second
        self._free_at = float("-inf")
        self._turn = asyncio.Lock()  # wakes its waiters in order of arrival

    async def wait(self) -> None:
        """Returns when the next start is allowed. A cancelled waiter uses up nothing."""
        loop = asyncio.get_running_loop()
        async with self._turn:
            while (delay := self._free_at - loop.time()) > 0:  # noqa: ASYNC110  # no event here
                await asyncio.sleep(delay)
            # From the real start, not the planned one: a late start must not shorten the gap.
            self._free_at = loop.time() + self._gap


class Gate:
    """Admits attempts to one target: ``async with gate: send``. Shared by all rounds.

    cap: the target's part of the process's in-flight bound. It is a fixed share and not a
    common pool, so that requests hanging at one target can never use up another's.
    """

    def __init__(self, limits: Limits, *, cap: int) -> None:
        allowed = cap if limits.concurrency is None else min(cap, limits.concurrency)
        self._places = asyncio.Semaphore(allowed)
        self._rate = None if limits.rate is None else Rate(limits.rate)

    async def __aenter__(self) -> None:
        await self._places.acquire()
        if self._rate is None:
            return
        try:
            await self._rate.wait()
        except BaseException:
            self._places.release()
            raise

    async def __aexit__(self, *_: object) -> None:
        self._places.release()


def fair_cap(max_in_flight: int, targets: int) -> int:
    """Requests that one of `targets` may have in flight when all together may have the bound.

    Never less than one: with more targets than `max_in_flight` the bound is `targets`.
    """
    return max(1, max_in_flight // max(1, targets))
