"""APScheduler as the timer: it ticks, its troubles are counted, and it stops when told."""

import asyncio
import time

from apscheduler.events import EVENT_JOB_MAX_INSTANCES, EVENT_JOB_MISSED
from prober_kit import bench, stream_of

from qualmon.errors import StoreError
from qualmon.schedule.clock import SystemClock
from qualmon.schedule.embedded import Embedded
from qualmon.schedule.slots import Scheduler, SlotBook
from qualmon.testing.fakes import DirectLog
from qualmon.testing.memory_ledger import MemoryLedger


def embedded_of(b, *, every=0.1, wall=time.time):
    book = SlotBook([stream_of(b.endpoints, every=every, probes=1)], b.ledger, b.log)
    scheduler = Scheduler(book, b.runner, b.clock, events=b.events)
    return Embedded(scheduler, book, b.clock, events=b.events, wall=wall, compare_every=0.05)


async def until(condition, seconds=5.0):
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  # a counter has no event
            await asyncio.sleep(0.01)


async def test_it_ticks_and_stops():
    """Slots are closed one after another without a gap; after the stop none is added."""
    async with bench(clock=SystemClock()) as b:
        service = embedded_of(b)
        await service.start()
        await until(lambda: len(b.events.closed) >= 4)
        await service.stop(5.0)
        entries = [e.slot.index for e in b.ledger.entries.values()]
        assert entries == list(range(entries[0], entries[0] + len(entries)))
        assert {e.state for e in b.ledger.entries.values()} == {"closed"}
        await asyncio.sleep(0.15)
        assert len(b.ledger.entries) == len(entries)


async def test_a_failing_look_is_counted_and_the_timer_lives_on():
    """An error of the store in a tick is one counted trouble; later ticks make up for it."""
    ledger = MemoryLedger()

    class Flaky(DirectLog):
        broken = False

        async def call(self, fn, *args, **kwargs):
            if self.broken:
                raise StoreError("locked")
            return await super().call(fn, *args, **kwargs)

    log = Flaky(ledger)
    async with bench(clock=SystemClock(), ledger=ledger, log=log) as b:
        service = embedded_of(b)
        await service.start()
        log.broken = True
        await until(lambda: "error" in b.events.trouble)
        log.broken = False
        closed = len(b.events.closed)
        await until(lambda: len(b.events.closed) > closed)
        await service.stop(5.0)
        entries = [e.slot.index for e in ledger.entries.values()]
        assert entries == list(range(entries[0], entries[0] + len(entries)))


async def test_a_stepped_wall_clock_sets_the_timers_anew():
    """An hour back on the wall does not silence the probes for an hour."""
    step = [0.0]
    async with bench(clock=SystemClock()) as b:
        service = embedded_of(b, every=3600.0, wall=lambda: time.time() + step[0])
        await service.start()
        (before,) = (job.next_run_time for job in service._timer.get_jobs())
        step[0] = -1800.0
        await until(lambda: service._timer.get_jobs()[0].next_run_time != before)
        (after,) = (job.next_run_time for job in service._timer.get_jobs())
        # The timer itself reads the unstepped clock: a first time that is past is a turn later.
        assert abs((before - after).total_seconds() % 3600 - 1800) < 1
        await service.stop(1.0)


async def test_troubles_of_the_timer_are_told_apart():
    """Missed ticks and ticks on top of each other have names of their own."""
    from apscheduler.events import JobEvent

    async with bench(clock=SystemClock()) as b:
        service = embedded_of(b)
        for code in (EVENT_JOB_MISSED, EVENT_JOB_MAX_INSTANCES):
            service._timer._dispatch_event(JobEvent(code, "job", "default"))
        assert b.events.trouble == ["missed", "max_instances"]


async def test_it_can_be_stopped_before_it_was_started():
    """A start that failed half-way is cleaned up by the same call."""
    async with bench(clock=SystemClock()) as b:
        await embedded_of(b).stop(0.1)
