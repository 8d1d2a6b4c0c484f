"""Every slot ledger keeps the same promises: the one in memory and the one on disk."""

import asyncio
import contextlib
import json

import pytest

from qualmon.errors import StaleFenceError, StoreError
from qualmon.prober.ask import build_askers
from qualmon.prober.judge import Judge
from qualmon.prober.lag import LoopLag
from qualmon.prober.rounds import Stream, index_at, slot_at
from qualmon.prober.runner import RoundRunner
from qualmon.schedule.clock import SystemClock
from qualmon.schedule.slots import Scheduler, SlotBook
from qualmon.storage.open import open_store
from qualmon.storage.writer import AsyncStore
from qualmon.testing.fakes import FakeCompiler, ScriptedProvider
from qualmon.testing.memory_ledger import MemoryLedger
from qualmon.types import (
    Attempt,
    Completion,
    Endpoint,
    Limits,
    Member,
    Message,
    Observation,
    Probe,
    Score,
    Slot,
    Target,
)

SLOT = Slot(100.0, "core", "m", 7, 60.0)
LATER = Slot(160.0, "core", "m", 8, 60.0)
MEMBERS = [Member(SLOT, f"m/{p}/r", "p1") for p in ("b", "a")]
LIMITS = Limits(requests_per_day=1000)
SCORE = Score("script.run", "event", 0.0)


@pytest.fixture(params=["memory", "sqlite"])
def ledger(request, tmp_path):
    if request.param == "memory":
        yield MemoryLedger()
        return
    store = open_store(f"sqlite:///{tmp_path}/q.db")
    yield store
    store.dispose()


def seen(member, text="hello"):
    answer = Completion(text, "stop", total_seconds=0.5)
    return Observation(member, 101.0, answer, (Attempt(1, 101.0, "ok", 0.5),), "v1")


def test_known_slots_stay_as_they_are(ledger):
    """Materialising again changes nothing; open slots come oldest first."""
    ledger.materialise([LATER, SLOT])
    assert ledger.open_slots() == [SLOT, LATER]
    fence = ledger.claim(SLOT, "me", 200.0, 100.0)
    ledger.set_members(SLOT, fence, MEMBERS)
    ledger.close(SLOT, fence, 130.0)
    ledger.materialise([SLOT])
    assert ledger.open_slots() == [LATER]
    assert ledger.last_index("core", "m") == 8
    assert ledger.last_index("core", "other") is None


def test_a_lease_keeps_others_out_until_it_ends(ledger):
    """Fences grow; who was overtaken can neither plan, release nor close."""
    ledger.materialise([SLOT])
    first = ledger.claim(SLOT, "one", 200.0, 100.0)
    assert ledger.claim(SLOT, "two", 300.0, 199.0) is None
    second = ledger.claim(SLOT, "two", 300.0, 200.0)
    assert second > first
    with pytest.raises(StaleFenceError):
        ledger.set_members(SLOT, first, MEMBERS)
    assert not ledger.close(SLOT, first, 210.0)
    ledger.set_members(SLOT, second, MEMBERS)
    assert ledger.close(SLOT, second, 210.0)
    assert ledger.close(SLOT, second, 211.0)


def test_the_first_plan_stands(ledger):
    """A re-run is given the members that the first run wrote down."""
    ledger.materialise([SLOT])
    fence = ledger.claim(SLOT, "one", 200.0, 100.0)
    planned = ledger.set_members(SLOT, fence, MEMBERS)
    assert sorted(m.id for m in planned) == sorted(m.id for m in MEMBERS)
    again = ledger.claim(SLOT, "two", 300.0, 250.0)
    found = ledger.set_members(SLOT, again, MEMBERS[:1])
    assert sorted(m.id for m in found) == sorted(m.id for m in MEMBERS)


def test_an_observation_is_stored_once(ledger):
    """The first row of an id wins; an unknown slot is refused."""
    ledger.materialise([SLOT])
    assert ledger.append([(seen(MEMBERS[0]), [SCORE])]) == 1
    assert ledger.append([(seen(MEMBERS[0], "other"), []), (seen(MEMBERS[1]), [])]) == 1
    assert ledger.present(SLOT) == {m.id for m in MEMBERS}
    assert ledger.present(LATER) == set()
    with pytest.raises(StoreError):
        ledger.append([(seen(Member(LATER, "m/a/r", "p1")), [])])


def test_a_missed_slot_is_not_open(ledger):
    """Missing is final, and closes nothing that is closed."""
    ledger.materialise([SLOT, LATER])
    ledger.miss(SLOT, "overrun", 300.0)
    assert ledger.open_slots() == [LATER]
    assert ledger.claim(SLOT, "one", 400.0, 300.0) is None


class Process:
    """One life of the embedded service on a store; `kill` drops it without a word."""

    def __init__(self, store, platforms=("aws", "gcp"), delay=0.02):
        targets = [Target("m", platform, "r") for platform in platforms]
        self.endpoints = {t.key: Endpoint(t, "http://x/v1", limits=LIMITS) for t in targets}
        self.providers = {t.key: ScriptedProvider(delay=delay) for t in targets}
        probes = tuple(
            Probe(f"p{i}", "core", "v", (Message("user", f"{i}"),), ()) for i in range(4)
        )
        self.stream = Stream("core", "m", 3600.0, probes, tuple(self.endpoints))
        self.store, self.log = store, AsyncStore(store, max_delay=0.005)

    @contextlib.asynccontextmanager
    async def scheduler(self):
        clock = SystemClock()
        async with LoopLag() as lag:
            askers = build_askers(self.endpoints, self.providers, clock=clock, lag=lag)
            judge = Judge(lambda *_, **__: (SCORE,), lambda *_: None, FakeCompiler())
            runner = RoundRunner(
                askers=askers,
                judge=judge,
                ledger=self.store,
                log=self.log,
                clock=clock,
                notes=self.store,
            )
            book = SlotBook([self.stream], self.store, self.log)
            yield Scheduler(book, runner, clock)
        await self.log.aclose()


async def test_the_service_takes_up_its_own_claim_on_disk(tmp_path):
    """Stopped at once in mid-round twice, then left alone: every member once, slot closed."""
    for limit in (0.0, 0.0, 30.0):
        store = open_store(f"sqlite:///{tmp_path}/q.db")
        process = Process(store)
        async with process.scheduler() as scheduler:
            await scheduler.start()
            await asyncio.sleep(0.01)
            await scheduler.stop(limit)
            now = SystemClock().now()
            left = store.open_slots()
            assert len(left) == (limit == 0.0)
            assert all(store.claim(slot, "any", now, now) is not None for slot in left)
        store.dispose()
    store = open_store(f"sqlite:///{tmp_path}/q.db")
    try:
        slot = slot_at(process.stream, index_at(process.stream, SystemClock().now()))
        assert store.open_slots() == []
        assert len(store.present(slot)) == 8
        assert store.slot_counts() == {("closed", ""): 1}
        accounts = json.loads(store.get_meta("budget/m"))
        assert all(4 <= requests <= 3 * 12 for _, requests, _ in accounts.values())
    finally:
        store.dispose()


async def test_a_claim_without_release_is_taken_over_on_disk(tmp_path):
    """After kill -9 the lease is still good for an hour; the only process does not wait for it."""
    store = open_store(f"sqlite:///{tmp_path}/q.db")
    try:
        process = Process(store)
        slot = slot_at(process.stream, index_at(process.stream, SystemClock().now()))
        store.materialise([slot])
        assert store.claim(slot, "dead", slot.due + 1e5, slot.due) is not None
        async with process.scheduler() as scheduler:
            await scheduler.start()
            await scheduler.stop(30.0)
        assert store.slot_counts() == {("closed", ""): 1}
    finally:
        store.dispose()
