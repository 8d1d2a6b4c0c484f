"""A round: asked once, closed in time, taken up after a crash, one target apart from another."""

import asyncio

import pytest
from prober_kit import bench, endpoint, first_slot, fleet, one_score, stream_of

from qualmon.errors import StoreError
from qualmon.prober.rounds import members
from qualmon.testing.fakes import (
    ANSWER,
    DirectLog,
    FakeCompiler,
    HangingProvider,
    ScriptedProvider,
)
from qualmon.testing.memory_ledger import MemoryLedger
from qualmon.testing.virtual_time import run_virtual
from qualmon.types import CompileVerdict, Failure, Timeouts


def test_a_round_asks_everything_and_closes():
    """All members are answered, scored, stored and the slot is closed at once."""

    async def main():
        async with bench() as b:
            stream = stream_of(b.endpoints, identities=2)
            slot = first_slot(stream, b.ledger)
            result = await b.runner.run(slot, stream)
            assert (result.status, result.members, result.missing) == ("closed", 16, 0)
            assert set(b.ledger.rows) == {m.id for m in members(stream, slot)}
            assert all(row.scores and not row.late for row in b.ledger.rows.values())
            assert b.ledger.entries[slot.key].state == "closed"
            assert b.events.closed == [(slot.key, 16, 0)]
            again = await b.runner.run(slot, stream)
            assert again.status == "taken"

    run_virtual(main())


def test_the_sampler_in_force_reaches_the_scorers():
    """The endpoint's settings overlay the probe's, null removes one, `neutral` is declared."""

    async def main():
        place = endpoint("aws", neutral_sampler=True, extra_body={"top_k": 5, "max_tokens": None})
        async with bench({place.target.key: place}) as b:
            stream = stream_of(b.endpoints, probes=1)
            await b.runner.run(first_slot(stream, b.ledger), stream)
            (row,) = b.ledger.rows.values()
            assert row.scores[0].detail["sampler"] == {
                "temperature": 0,
                "top_k": 5,
                "neutral": True,
            }

    run_virtual(main())


def test_code_is_compiled_before_it_is_scored():
    """The compiler's verdict is attached to the answer that the scorers see."""

    async def main():
        compiler = FakeCompiler(CompileVerdict("python", "fail"))
        code = lambda probe, completion: ("python", completion.text)  # noqa: E731
        async with bench(fleet("aws"), compiler=compiler, code=code) as b:
            stream = stream_of(b.endpoints, probes=1)
            await b.runner.run(first_slot(stream, b.ledger), stream)
            (row,) = b.ledger.rows.values()
            assert row.scores[0].detail["verdict"] == "fail"
            assert compiler.sources == [("python", "ok")]

    run_virtual(main())


def test_a_scorer_that_raises_costs_one_answer_its_scores():
    """The answer is stored without scores, the failure is counted, the round goes on."""

    def score(probe, completion, **more):
        if probe.id == "p1":
            raise ZeroDivisionError
        return one_score(probe, completion, **more)

    async def main():
        async with bench(fleet("aws"), score=score) as b:
            stream = stream_of(b.endpoints)
            result = await b.runner.run(first_slot(stream, b.ledger), stream)
            assert (result.status, result.missing) == ("closed", 0)
            unscored = [r for r in b.ledger.rows.values() if not r.scores]
            assert [r.observation.member.probe for r in unscored] == ["p1"]
            assert b.events.unjudged == ["m/aws/default"]

    run_virtual(main())


def test_a_failure_has_no_scores():
    """What is no answer is not judged."""

    async def main():
        key = "m/aws/default"
        async with bench(fleet("aws"), {key: ScriptedProvider([Failure("auth", "no")])}) as b:
            stream = stream_of(b.endpoints, probes=1)
            await b.runner.run(first_slot(stream, b.ledger), stream)
            (row,) = b.ledger.rows.values()
            assert (row.observation.outcome, row.scores) == ("auth", ())

    run_virtual(main())


def test_a_hung_target_neither_delays_nor_fails_another():
    """While one target hangs until the end, all answers of the other are in after a moment."""

    async def main():
        hung, key = HangingProvider(), "m/aws/default"
        async with bench(fleet("aws", "gcp"), {key: hung}) as b:
            stream = stream_of(b.endpoints, identities=4)
            slot = first_slot(stream, b.ledger)
            round_ = asyncio.create_task(b.runner.run(slot, stream))
            await asyncio.sleep(0.1)
            healthy = [r for r in b.ledger.rows.values() if r.observation.outcome == "ok"]
            assert len(healthy) == 16
            result = await round_
            assert result.status == "closed"
            assert b.events.outcomes[key, "timeout_total"] == 16

    run_virtual(main())


def test_the_deadline_closes_a_round():
    """At the deadline what hangs is cancelled and on record; what never left is missing."""

    async def main():
        hung, key = HangingProvider(), "m/aws/default"
        slow = Timeouts(1, 90, 100)
        place = endpoint("aws", timeouts=slow)
        quick = endpoint("gcp", timeouts=Timeouts(1, 3, 5))
        async with bench({key: place, quick.target.key: quick}, {key: hung}) as b:
            stream = stream_of(b.endpoints)
            slot = first_slot(stream, b.ledger)
            assert b.runner.deadline(slot) == slot.due + 110
            result = await b.runner.run(slot, stream)
            # The back-stop of the slow target lies after the deadline of a round begun late.
            outcomes = {r.observation.outcome for r in b.ledger.rows.values()}
            assert outcomes == {"ok", "cancelled"}
            assert (result.status, result.missing) == ("closed", 0)
            assert b.clock.now() <= b.runner.deadline(slot) + 1
            cancelled = b.events.outcomes[key, "cancelled"]
            assert cancelled == hung.cancelled == 4
            assert not any(r.late for r in b.ledger.rows.values())

    run_virtual(main())


def test_members_never_sent_are_missing():
    """What waits for its turn when the round closes was not asked, and has no observation."""

    async def main():
        from qualmon.types import Limits

        key = "m/aws/default"
        place = endpoint("aws", limits=Limits(rate=0.05))
        async with bench({key: place}) as b:
            stream = stream_of(b.endpoints, probes=6, every=30.0)
            slot = first_slot(stream, b.ledger)
            result = await b.runner.run(slot, stream)
            assert result.status == "closed"
            assert result.missing == 6 - len(b.ledger.rows) >= 4
            assert b.events.missed[key, "deadline"] == result.missing

    run_virtual(main())


def test_an_answer_in_hand_is_kept_when_judging_lasts_too_long():
    """The deadline cuts a compiler short, not the answer that it was given."""

    class Endless(FakeCompiler):
        async def check(self, language, source):
            await asyncio.Event().wait()

    async def main():
        code = lambda probe, completion: ("python", "x")  # noqa: E731
        async with bench(fleet("aws"), compiler=Endless(), code=code) as b:
            stream = stream_of(b.endpoints, probes=2)
            result = await b.runner.run(first_slot(stream, b.ledger), stream)
            assert (result.status, result.missing) == ("closed", 0)
            assert {r.observation.outcome for r in b.ledger.rows.values()} == {"ok"}
            assert sum(b.events.outcomes.values()) == 2

    run_virtual(main())


@pytest.mark.parametrize("killed_after", [0, 1, 3, 7])
def test_a_killed_round_is_finished_by_the_next_process(killed_after):
    """Only the missing members are asked again; nothing is doubled, the plan is the first one."""
    ledger = MemoryLedger()

    class Dying(DirectLog):
        async def append(self, observation, scores):
            if len(ledger.rows) >= killed_after:
                await asyncio.Event().wait()  # kill -9: nothing after this reaches the disk
            await super().append(observation, scores)

    async def first():
        async with bench(ledger=ledger, log=Dying(ledger)) as b:
            stream = stream_of(b.endpoints)
            slot = first_slot(stream, ledger)
            task = asyncio.create_task(b.runner.run(slot, stream))
            await asyncio.sleep(0.05)
            kept, state = dict(ledger.rows), ledger.entries[slot.key].fence
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            ledger.rows, ledger.entries[slot.key].fence = kept, state
            ledger.entries[slot.key].state = "claimed"  # a killed process releases nothing
            return slot

    async def second(slot):
        async with bench(ledger=ledger, start=slot.due + 1) as b:
            stream = stream_of(b.endpoints)
            result = await b.runner.run(slot, stream)
            asked = [r for p in b.providers.values() for r in p.requests]
            assert len(asked) == 8 - killed_after
            assert (result.status, result.members, result.missing) == ("closed", 8, 0)

    slot = run_virtual(first())
    before = dict(ledger.rows)
    assert len(before) == killed_after
    run_virtual(second(slot))
    assert len(ledger.rows) == 8
    assert all(ledger.rows[key] is row for key, row in before.items())


def test_a_second_worker_waits_for_the_lease():
    """In the distributed shape a slot in work is left alone until its lease has run out."""
    ledger = MemoryLedger()

    async def main():
        async with bench(ledger=ledger, exclusive=False, owner="one") as b:
            stream = stream_of(b.endpoints)
            slot = first_slot(stream, ledger)
            assert ledger.claim(slot, "two", b.clock.now() + 20, b.clock.now()) == 1
            assert (await b.runner.run(slot, stream)).status == "taken"
            await asyncio.sleep(21)
            assert (await b.runner.run(slot, stream)).status == "closed"

    run_virtual(main())


def test_a_stale_fence_closes_nothing():
    """Who was overtaken does not close the slot under the new owner."""
    ledger = MemoryLedger()

    class Overtaken(ScriptedProvider):
        async def complete(self, request):
            entry = next(iter(ledger.entries.values()))
            entry.fence += 1
            return ANSWER

    async def main():
        async with bench(fleet("aws"), {"m/aws/default": Overtaken()}, ledger) as b:
            stream = stream_of(b.endpoints, probes=1)
            slot = first_slot(stream, ledger)
            assert (await b.runner.run(slot, stream)).status == "fenced"
            assert ledger.entries[slot.key].state == "claimed"

    run_virtual(main())


def test_cancelled_from_outside_it_gives_the_slot_back():
    """SIGTERM in mid-round: what is stored stays, the rest is asked by the next process."""

    async def main():
        key = "m/aws/default"
        async with bench(providers={key: HangingProvider()}) as b:
            stream = stream_of(b.endpoints)
            slot = first_slot(stream, b.ledger)
            task = asyncio.create_task(b.runner.run(slot, stream))
            await asyncio.sleep(0.05)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert b.ledger.entries[slot.key].lease_until <= b.clock.now()
            assert {r.observation.outcome for r in b.ledger.rows.values()} == {"ok"}

    run_virtual(main())


def test_a_store_that_fails_leaves_the_slot_open():
    """The round raises what the store raised; nothing is closed over a loss."""

    class Broken(DirectLog):
        async def append(self, observation, scores):
            raise StoreError("disk full")

    async def main():
        ledger = MemoryLedger()
        async with bench(ledger=ledger, log=Broken(ledger)) as b:
            stream = stream_of(b.endpoints)
            slot = first_slot(stream, ledger)
            with pytest.raises(StoreError):
                await b.runner.run(slot, stream)
            assert ledger.entries[slot.key].state == "claimed"

    run_virtual(main())


def test_members_that_the_configuration_lost_stay_missing():
    """A plan from before a change of probes and targets is kept and asked as far as possible."""
    ledger = MemoryLedger()

    async def main():
        async with bench(ledger=ledger) as b:
            old = stream_of(b.endpoints)
            slot = first_slot(old, ledger)
            fence = ledger.claim(slot, "dead", slot.due, slot.due)
            ledger.set_members(slot, fence, members(old, slot))
        async with bench(fleet("gcp"), ledger=ledger) as b:
            new = stream_of(b.endpoints, probes=2)
            result = await b.runner.run(slot, new)
            assert (result.members, result.missing) == (8, 6)
            assert sum(b.events.missed.values()) == 6

    run_virtual(main())


def test_a_round_past_its_deadline_is_settled_without_asking():
    """What is on record is closed as it is."""

    async def main():
        async with bench() as b:
            stream = stream_of(b.endpoints)
            slot = first_slot(stream, b.ledger, at=b.clock.now() - 600)
            result = await b.runner.run(slot, stream)
            assert (result.status, result.missing) == ("closed", 8)
            assert not any(p.requests for p in b.providers.values())

    run_virtual(main())
