"""The scheduler loses no slot, runs none twice, and says which it missed and why."""

import asyncio
import json

from prober_kit import START, bench, endpoint, fleet, stream_of

from qualmon.errors import StoreError
from qualmon.prober.rounds import due, index_at, slot_at
from qualmon.schedule.slots import CATCH_UP, Scheduler, SlotBook
from qualmon.testing.fakes import DirectLog, HangingProvider, ScriptedProvider
from qualmon.testing.memory_ledger import MemoryLedger
from qualmon.testing.virtual_time import run_virtual
from qualmon.types import Limits, Price, Timeouts


def scheduler_of(b, streams, **more):
    book = SlotBook(streams, b.ledger, b.log, events=b.events)
    return Scheduler(book, b.runner, b.clock, events=b.events, **more)


async def tick_until(scheduler, clock, end, step=5.0):
    """Looks every `step` seconds, as a timer would."""
    while clock.now() < end:
        await scheduler.look()
        await clock.sleep_until(min(end, clock.now() + step))


def states(ledger):
    return [e.state for e in sorted(ledger.entries.values(), key=lambda e: e.slot)]


def test_every_slot_of_every_stream_is_run_once():
    """Two streams over ten minutes: all slots closed, none twice, none missed."""

    async def main():
        async with bench() as b:
            streams = [
                stream_of(b.endpoints),
                stream_of(b.endpoints, suite="other", every=45.0, probes=2),
            ]
            scheduler = scheduler_of(b, streams)
            await scheduler.start()
            await tick_until(scheduler, b.clock, START + 600)
            await scheduler.stop(30)
            expected = {
                slot_at(s, i).key
                for s in streams
                for i in range(index_at(s, START), index_at(s, START + 595) + 1)
            }
            assert set(b.ledger.entries) == expected
            assert set(states(b.ledger)) == {"closed"}
            assert sorted(key for key, _, _ in b.events.closed) == sorted(expected)
            assert not b.events.slots

    run_virtual(main())


def test_one_look_materialises_all_streams_together():
    """The folder may take a missing earlier slot as a promise: they come in one call."""

    class Counting(MemoryLedger):
        def __init__(self):
            super().__init__()
            self.batches = []

        def materialise(self, slots):
            batch = list(slots)
            self.batches.append([s.key for s in batch])
            assert batch == sorted(batch)
            super().materialise(batch)

    async def main():
        async with bench(ledger=Counting()) as b:
            streams = [stream_of(b.endpoints, suite=f"s{i}") for i in range(5)]
            scheduler = scheduler_of(b, streams)
            await scheduler.start()
            assert [len(batch) for batch in b.ledger.batches] == [5]
            await asyncio.sleep(60)
            await scheduler.look()
            assert [len(batch) for batch in b.ledger.batches] == [5, 5]
            await scheduler.look()
            assert len(b.ledger.batches) == 2
            await scheduler.stop(30)

    run_virtual(main())


def test_slots_of_a_stand_still_are_missed_or_run():
    """Down for ten minutes: what can still be run is run, the rest is `not_running`."""
    ledger = MemoryLedger()

    async def first():
        async with bench(ledger=ledger) as b:
            scheduler = scheduler_of(b, [stream_of(b.endpoints)])
            await scheduler.start()
            await scheduler.stop(30)

    async def second():
        async with bench(ledger=ledger, start=START + 600) as b:
            stream = stream_of(b.endpoints)
            scheduler = scheduler_of(b, [stream])
            await scheduler.start()
            await scheduler.stop(30)
            assert states(ledger) == ["closed"] + ["missed"] * 9 + ["closed"]
            assert {e.reason for e in ledger.entries.values() if e.state == "missed"} == {
                "not_running"
            }
            assert len(b.events.slots) == 9

    run_virtual(first())
    run_virtual(second())


def test_a_long_stand_still_lists_a_bounded_number_of_slots():
    """A fortnight at one slot a minute is listed for its last thousand, and counted beyond."""
    ledger = MemoryLedger()
    fortnight = 14 * 86_400

    async def main():
        async with bench(ledger=ledger, start=START + fortnight) as b:
            stream = stream_of(b.endpoints)
            old = slot_at(stream, index_at(stream, START))
            ledger.materialise([old])
            ledger.miss(old, "overrun", START)
            scheduler = scheduler_of(b, [stream])
            await scheduler.start()
            await scheduler.stop(30)
            assert len(ledger.entries) == 1 + CATCH_UP
            assert b.events.skipped == {stream.key: fortnight // 60 - CATCH_UP}

    run_virtual(main())


def test_a_changed_interval_begins_anew():
    """Renumbered slots are neither a stand-still of years nor a ledger from the future."""
    for before, after in ((60.0, 300.0), (300.0, 60.0)):

        async def main(before=before, after=after):
            async with bench() as b:
                old, new = (stream_of(b.endpoints, every=every) for every in (before, after))
                b.ledger.materialise([slot_at(old, index_at(old, START - 600))])
                b.ledger.miss(b.ledger.open_slots()[0], "overrun", START)
                scheduler = scheduler_of(b, [new])
                await scheduler.start()
                await scheduler.stop(30)
                assert states(b.ledger).count("closed") == 1
                assert len(b.ledger.entries) == 2
                assert not b.events.skipped

        run_virtual(main())


def test_a_clock_behind_the_ledger_repeats_no_slot():
    """After a step back nothing is run again; the stream waits for its next slot."""

    async def main():
        async with bench() as b:
            stream = stream_of(b.endpoints)
            ahead = slot_at(stream, index_at(stream, START) + 3)
            b.ledger.materialise([ahead])
            b.ledger.miss(ahead, "overrun", START)
            scheduler = scheduler_of(b, [stream])
            await scheduler.start()
            assert len(b.ledger.entries) == 1
            await tick_until(scheduler, b.clock, due(stream, ahead.index + 1) + 6)
            await scheduler.stop(30)
            assert [s.index for (s,) in zip([e.slot for e in b.ledger.entries.values()])] == [
                ahead.index,
                ahead.index + 1,
            ]

    run_virtual(main())


def test_a_claim_left_by_a_dead_process_is_taken_up_at_once():
    """The lease of a killed predecessor does not hold up the folder."""
    ledger = MemoryLedger()

    async def main():
        async with bench(ledger=ledger) as b:
            stream = stream_of(b.endpoints)
            slot = slot_at(stream, index_at(stream, START))
            ledger.materialise([slot])
            ledger.claim(slot, "dead", START + 1e6, START)
            scheduler = scheduler_of(b, [stream])
            await scheduler.start()
            await scheduler.stop(30)
            assert ledger.entries[slot.key].state == "closed"

    run_virtual(main())


def test_an_overdue_slot_with_observations_is_closed_not_missed():
    """Answers that were paid for are folded even if nobody lived to close their slot."""
    ledger = MemoryLedger()

    async def main():
        async with bench(ledger=ledger) as b:
            stream = stream_of(b.endpoints)
            slot = slot_at(stream, index_at(stream, START))
            ledger.materialise([slot])
            await b.runner.run(slot, stream)
            ledger.entries[slot.key].state = "claimed"
            for key in list(ledger.rows)[3:]:
                del ledger.rows[key]
        async with bench(ledger=ledger, start=START + 300) as b:
            scheduler = scheduler_of(b, [stream])
            await scheduler.start()
            await scheduler.stop(30)
            assert states(ledger)[0] == "closed"
            assert (slot.key, 8, 5) in b.events.closed
            assert len([r for p in b.providers.values() for r in p.requests]) == 8

    run_virtual(main())


def test_slots_of_a_removed_stream_are_retired():
    """A suite that left the configuration does not block the fold."""
    ledger = MemoryLedger()

    async def main():
        async with bench(ledger=ledger) as b:
            gone = stream_of(b.endpoints, suite="gone")
            slot = slot_at(gone, index_at(gone, START))
            ledger.materialise([slot])
            scheduler = scheduler_of(b, [stream_of(b.endpoints)])
            await scheduler.start()
            await scheduler.stop(30)
            assert ledger.entries[slot.key].reason == "removed"

    run_virtual(main())


def test_rounds_beyond_the_bound_wait_and_then_overrun():
    """With room for one round and that one hanging, a slot that waited too long is `overrun`."""

    async def main():
        places = {"m/aws/default": endpoint("aws", timeouts=Timeouts(1, 100, 1000))}
        async with bench(places, {"m/aws/default": HangingProvider()}) as b:
            slow = stream_of(places, suite="slow", every=5000.0, probes=1)
            quick = stream_of(places, suite="quick", every=100.0, probes=1)
            scheduler = scheduler_of(b, [slow, quick], max_rounds=1)
            await scheduler.start()
            assert scheduler.running == 1
            await tick_until(scheduler, b.clock, START + 1100)
            (first, reason), *_ = b.events.slots
            assert reason == "overrun"
            assert b.ledger.entries[first].slot.suite == "quick"
            assert b.ledger.entries[first].members is None
            assert max(b.events.queue) > 0
            await scheduler.stop(0)

    run_virtual(main())


def test_a_freed_place_is_used_at_once():
    """When a round ends, a waiting slot starts without waiting for the next tick."""

    async def main():
        async with bench() as b:
            streams = [stream_of(b.endpoints, suite=f"s{i}") for i in range(6)]
            scheduler = scheduler_of(b, streams, max_rounds=2)
            await scheduler.start()
            await asyncio.sleep(0.1)
            assert states(b.ledger) == ["closed"] * 6
            await scheduler.stop(1)

    run_virtual(main())


def test_a_hung_target_does_not_hold_up_later_rounds():
    """Rounds of one stream overlap: healthy targets are asked on time in each."""

    async def main():
        hung = HangingProvider()
        async with bench(fleet("aws", "gcp"), {"m/aws/default": hung}) as b:
            stream = stream_of(b.endpoints, every=2.0, probes=1)
            scheduler = scheduler_of(b, [stream])
            await scheduler.start()
            await tick_until(scheduler, b.clock, START + 30, step=0.5)
            healthy = [r for r in b.ledger.rows.values() if r.observation.outcome == "ok"]
            assert len(healthy) == 15
            late = [r.observation.at - r.observation.member.slot.due for r in healthy[1:]]
            assert max(late) <= 0.6
            await scheduler.stop(60)

    run_virtual(main())


def test_a_failing_store_costs_a_look_and_no_slot():
    """What the store refused is materialised and run once it works again."""

    class Flaky(DirectLog):
        broken = True

        async def call(self, fn, *args, **kwargs):
            if self.broken:
                raise StoreError("locked")
            return await super().call(fn, *args, **kwargs)

    async def main():
        ledger = MemoryLedger()
        log = Flaky(ledger)
        async with bench(ledger=ledger, log=log) as b:
            scheduler = scheduler_of(b, [stream_of(b.endpoints)])
            for _ in range(3):
                try:
                    await scheduler.look()
                except StoreError:
                    log.broken = False
            await scheduler.stop(30)
            assert states(ledger) == ["closed"]

    run_virtual(main())


def test_a_round_that_fails_is_reported_and_run_again():
    """A store error inside a round is counted; the next look runs the slot again."""

    class Once(DirectLog):
        failures = 1

        async def append(self, observation, scores):
            if self.failures:
                self.failures -= 1
                raise StoreError("disk full")
            await super().append(observation, scores)

    async def main():
        ledger = MemoryLedger()
        async with bench(ledger=ledger, log=Once(ledger)) as b:
            scheduler = scheduler_of(b, [stream_of(b.endpoints)])
            await scheduler.start()
            await asyncio.sleep(0.1)
            assert [error for _, error in b.events.failed] == ["StoreError"]
            await scheduler.look()
            await scheduler.stop(30)
            assert states(ledger) == ["closed"]
            assert len(ledger.rows) == 8
            asked = [r.request_id for p in b.providers.values() for r in p.requests]
            assert len(asked) == len(set(asked)) + 1

    run_virtual(main())


def test_stop_lets_rounds_finish_within_the_drain():
    """SIGTERM: no new claims, running rounds end well."""

    async def main():
        slow = {k: ScriptedProvider(delay=3.0) for k in fleet()}
        async with bench(providers=slow) as b:
            scheduler = scheduler_of(b, [stream_of(b.endpoints, every=2.0)])
            await scheduler.start()
            await scheduler.stop(30)
            assert states(b.ledger) == ["closed"]
            await scheduler.look()
            assert len(b.ledger.entries) == 1

    run_virtual(main())


def test_stop_releases_what_does_not_finish():
    """After the drain the rest is given back, unrecorded, for the next process to ask."""

    async def main():
        hung = {k: HangingProvider() for k in fleet()}
        places = fleet(timeouts=Timeouts(1, 50, 60))
        async with bench(places, hung) as b:
            scheduler = scheduler_of(b, [stream_of(places)])
            await scheduler.start()
            await scheduler.stop(5)
            assert b.clock.now() - START < 10
            (left,) = b.ledger.entries.values()
            assert left.state == "claimed"
            assert left.lease_until <= b.clock.now()
            assert not b.ledger.rows

    run_virtual(main())


def test_budgets_hold_over_twenty_kills():
    """Twenty processes die in mid-round; requests really sent stay within the day's budget."""
    ledger = MemoryLedger()
    key, limits = "m/aws/default", Limits(requests_per_day=100)
    sent = 0

    async def life(number):
        nonlocal sent
        start = START + 20.0 * number
        places = {key: endpoint("aws", limits=limits, price=Price(1, 1))}
        provider = ScriptedProvider(delay=0.5)
        async with bench(places, {key: provider}, ledger, start=start) as b:
            scheduler = scheduler_of(b, [stream_of(places, probes=8)])
            await scheduler.start()
            # Killed while requests are on the wire, every third time after they came back.
            await asyncio.sleep(0.2 if number % 3 else 1.0)
            sent += len(provider.requests)
            entries = {k: (e.state, e.fence) for k, e in ledger.entries.items()}
            rows, notes = dict(ledger.rows), dict(ledger.notes)
            await scheduler.stop(0)
            ledger.rows, ledger.notes = rows, notes
            for k, (state, fence) in entries.items():
                ledger.entries[k].state, ledger.entries[k].fence = state, fence

    for number in range(20):
        run_virtual(life(number))
    assert 20 < sent <= 100


def test_a_clean_stop_costs_no_budget():
    """After a stop the account on record is what was sent, not what might have been."""
    ledger, key = MemoryLedger(), "m/aws/default"
    places = {key: endpoint("aws", limits=Limits(requests_per_day=20))}

    async def life(start, expected):
        async with bench(places, ledger=ledger, start=start) as b:
            scheduler = scheduler_of(b, [stream_of(places)])
            await scheduler.start()
            await asyncio.sleep(0.1)
            await scheduler.stop(30)
            assert len(b.providers[key].requests) == expected
            return ledger.notes

    for number, expected in enumerate((4, 4, 4, 4, 4, 0)):
        notes = run_virtual(life(START + 60 * number, expected))
    assert json.loads(notes["budget/m"])[key][1] == 20


def test_a_slot_that_cannot_be_retired_holds_up_no_other():
    """One row that the store refuses to change is reported; the rest of the look goes on."""

    class Refusing(MemoryLedger):
        def miss(self, slot, reason, now):
            raise StoreError("this row is damaged")

    async def main():
        async with bench(ledger=Refusing()) as b:
            stream = stream_of(b.endpoints)
            old = slot_at(stream, index_at(stream, START) - 5)
            b.ledger.materialise([old])
            scheduler = scheduler_of(b, [stream])
            await scheduler.start()
            await scheduler.stop(30)
            assert b.events.failed[0] == (old.key, "StoreError")
            assert states(b.ledger)[-1] == "closed"

    run_virtual(main())


def test_a_stop_during_a_look_starts_no_round():
    """The slots that a slow store names after SIGTERM are left to the next process."""

    class Slow(DirectLog):
        async def call(self, fn, *args, **kwargs):
            await asyncio.sleep(1.0)
            return await super().call(fn, *args, **kwargs)

    async def main():
        ledger = MemoryLedger()
        async with bench(ledger=ledger, log=Slow(ledger)) as b:
            scheduler = scheduler_of(b, [stream_of(b.endpoints)])
            look = asyncio.create_task(scheduler.look())
            await asyncio.sleep(0.5)
            await scheduler.stop(0)
            await look
            await asyncio.sleep(5)
            assert states(ledger) == ["due"]

    run_virtual(main())
