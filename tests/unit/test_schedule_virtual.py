"""Hours pass in moments on the virtual clock, in fold order and the same way every time."""

import asyncio

import pytest
from prober_kit import START, bench, fleet, stream_of

from qualmon.schedule.clock import SystemClock, VirtualClock
from qualmon.schedule.slots import SlotBook
from qualmon.schedule.virtual import VirtualDriver
from qualmon.testing.fakes import HangingProvider
from qualmon.testing.virtual_time import run_virtual


async def drive(hours, *, stop_after=None, providers=None):
    clock = VirtualClock(START)
    results = []
    async with bench(fleet("aws", "gcp"), providers, clock=clock) as b:
        streams = [
            stream_of(b.endpoints, suite=suite, every=every, probes=2)
            for suite, every in (("core", 300.0), ("rare", 3600.0), ("twin", 300.0))
        ]
        book = SlotBook(streams, b.ledger, b.log, since=START)

        async def after(result):
            results.append((result.slot, clock.now()))
            if stop_after == len(results):
                driver.stop()

        driver = VirtualDriver(book, b.runner, clock, after)
        for hour in range(1, hours + 1):
            await driver.run_until(START + 3600 * hour)
        return b, clock, results


def test_slots_run_in_order_at_their_times():
    """Strictly by (due, suite, model), the clock on the dot, the callback after each."""
    b, clock, results = run_virtual(drive(6))
    assert [slot for slot, _ in results] == sorted(e.slot for e in b.ledger.entries.values())
    assert all(now == slot.due for slot, now in results)
    assert len(results) == 6 * (12 + 1 + 12)
    assert clock.now() == START + 6 * 3600
    assert all(e.state == "closed" for e in b.ledger.entries.values())


def test_two_runs_are_the_same():
    """Nothing but the configuration decides who is asked what and when."""
    (one, _, _), (two, _, _) = run_virtual(drive(2)), run_virtual(drive(2))
    rows = [
        {k: (r.observation.at, r.observation.attempts) for k, r in b.ledger.rows.items()}
        for b in (one, two)
    ]
    assert rows[0] == rows[1]


def test_a_driver_stops_after_the_round_under_way():
    """A demo that has seen enough ends without finishing the hour."""
    _, clock, results = run_virtual(drive(1, stop_after=5))
    assert len(results) == 5
    assert clock.now() == results[-1][0].due


def test_a_deadline_is_wall_time():
    """A hung server ends its round after real seconds while the virtual clock stands still."""

    async def main():
        loop = asyncio.get_running_loop()
        await drive(1, stop_after=1, providers={"m/aws/default": HangingProvider()})
        return loop.time()

    assert run_virtual(main()) == pytest.approx(10.0, abs=1.0)


async def test_sleepers_wake_in_order():
    """Who waits on the virtual clock wakes when it is turned, earliest first."""
    clock, woken = VirtualClock(10.0), []

    async def sleeper(when):
        await clock.sleep_until(when)
        woken.append(when)

    tasks = [asyncio.create_task(sleeper(when)) for when in (30.0, 20.0, 5.0, 40.0)]
    await asyncio.sleep(0)
    clock.advance(30.0)
    await asyncio.wait(tasks[:3])
    assert woken == [5.0, 20.0, 30.0]
    with pytest.raises(ValueError, match="back"):
        clock.advance(29.0)
    clock.advance(50.0)
    await tasks[3]


def test_the_system_clock_never_goes_back():
    """A step forward is followed, a step back is not."""
    wall, ticks = [1000.0], [5.0]
    clock = SystemClock(wall=lambda: wall[0], monotonic=lambda: ticks[0])
    assert clock.now() == 1000.0
    wall[0], ticks[0] = 1010.0, 15.0
    assert clock.now() == 1010.0
    wall[0], ticks[0] = 500.0, 16.0
    assert clock.now() == 1011.0
    wall[0] = 2000.0
    assert clock.now() == 2000.0


async def test_the_system_clock_sleeps_until_the_time():
    """sleep_until returns at or after its time."""
    clock = SystemClock()
    until = clock.now() + 0.02
    await clock.sleep_until(until)
    assert clock.now() >= until
