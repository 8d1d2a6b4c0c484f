"""The scheduler inside one process: APScheduler is the timer, the ledger is the truth."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from apscheduler.events import (
    EVENT_JOB_ERROR,
    EVENT_JOB_MAX_INSTANCES,
    EVENT_JOB_MISSED,
    JobEvent,
)
from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

from qualmon.ports import Clock
from qualmon.prober.events import NoEvents, ProbeEvents
from qualmon.prober.rounds import Stream, due, index_at
from qualmon.schedule.slots import Scheduler, SlotBook

_TROUBLE: Mapping[int, str] = {
    EVENT_JOB_MISSED: "missed",
    EVENT_JOB_MAX_INSTANCES: "max_instances",
    EVENT_JOB_ERROR: "error",
}

#: A late tick is as good as a punctual one, and two late ones are as good as one: the ledger
#: says what there is to do. APScheduler's own default drops a tick that is a second late.
_JOB_DEFAULTS = {"misfire_grace_time": None, "coalesce": True, "max_instances": 1}

#: Drift, in seconds, between the two at which timers are set anew.
_DRIFT = 0.5


class Embedded:
    """One timer per stream, each of which makes the scheduler look at the ledger.

    APScheduler reads the wall clock. When that is stepped, the timers are set anew, so that a
    step back does not silence the probes for as long as it is wide. compare_every: seconds
    between comparisons of `clock` with `wall`.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        book: SlotBook,
        clock: Clock,
        *,
        events: ProbeEvents | None = None,
        wall: Callable[[], float] = time.time,
        compare_every: float = 1.0,
    ) -> None:
        self._compare_every = compare_every
        self._scheduler, self._book, self._clock = scheduler, book, clock
        self._events, self._wall = events or NoEvents(), wall
        self._ahead = 0.0
        self._watch: asyncio.Task[None] | None = None
        self._timer = AsyncIOScheduler(
            jobstores={"default": MemoryJobStore()}, job_defaults=_JOB_DEFAULTS, timezone=UTC
        )
        self._timer.add_listener(self._heard, sum(_TROUBLE))

    async def start(self) -> None:
        """Takes up what was left behind, runs what is due, sets the timers.

        Raises what the store raises.
        """
        await self._scheduler.start()
        self._arm()
        self._timer.start()
        self._watch = asyncio.create_task(self._follow_wall(), name="wall clock watch")

    async def stop(self, drain: float = 30.0) -> None:
        """Stops the timers and claims no more; rounds get `drain` seconds, then are released."""
        if self._watch is not None:
            self._watch.cancel()
        if self._timer.running:
            self._timer.shutdown(wait=False)
        await self._scheduler.stop(drain)

    def _arm(self) -> None:
        now = self._clock.now()
        self._ahead = self._wall() - now
        for stream in self._book.streams.values():
            self._timer.add_job(
                self._scheduler.look,
                self._trigger(stream, now),
                id=stream.key,
                replace_existing=True,
            )

    def _trigger(self, stream: Stream, now: float) -> IntervalTrigger:
        first = due(stream, index_at(stream, now) + 1) + self._ahead
        return IntervalTrigger(
            seconds=stream.every, start_date=datetime.fromtimestamp(first, UTC), timezone=UTC
        )

    async def _follow_wall(self) -> None:
        while True:
            await asyncio.sleep(self._compare_every)
            if abs(self._wall() - self._clock.now() - self._ahead) > _DRIFT:
                self._arm()

    def _heard(self, event: JobEvent) -> None:
        self._events.timer_trouble(_TROUBLE[event.code])
