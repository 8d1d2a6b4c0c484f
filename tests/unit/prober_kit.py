"""A small fleet in memory for tests of the prober and the scheduler."""

from __future__ import annotations

from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from qualmon.prober.ask import build_askers
from qualmon.prober.events import NoEvents
from qualmon.prober.judge import Judge
from qualmon.prober.lag import LoopLag
from qualmon.prober.rounds import Stream, slot_at
from qualmon.prober.runner import RoundRunner
from qualmon.testing.fakes import DirectLog, FakeCompiler, ScriptedProvider
from qualmon.testing.memory_ledger import MemoryLedger
from qualmon.testing.virtual_time import LoopClock
from qualmon.types import Endpoint, Message, Probe, Score, Target, Timeouts

START = 1_700_000_000.0


def probe(name="p0", **more):
    return Probe(
        name, "core", "v1", (Message("user", f"say {name}"),), ("script.run",),
        params={"max_tokens": 10, "temperature": 0}, **more,
    )  # fmt: skip


def endpoint(platform="aws", model="m", timeouts=None, **more):
    target = Target(model, platform, "default")
    return Endpoint(target, "http://x/v1", timeouts=timeouts or Timeouts(1, 3, 5), **more)


def fleet(*platforms, **more):
    endpoints = [endpoint(platform, **more) for platform in platforms or ("aws", "gcp")]
    return {e.target.key: e for e in endpoints}


def stream_of(endpoints, *, probes=4, suite="core", model="m", every=60.0, **more):
    more.setdefault("probes_per_round", probes)
    return Stream(
        suite, model, every, tuple(probe(f"p{i}") for i in range(probes)), tuple(endpoints), **more
    )


def one_score(probe, completion, *, sampler, verdict=None):
    detail = {"sampler": dict(sampler), "verdict": verdict and verdict.outcome}
    return (Score("script.run", "event", 0.0, detail),)


def no_code(probe, completion):
    return None


@dataclass
class Seen(NoEvents):
    """Events as they came."""

    outcomes: Counter = field(default_factory=Counter)
    missed: Counter = field(default_factory=Counter)
    slots: list = field(default_factory=list)
    closed: list = field(default_factory=list)
    failed: list = field(default_factory=list)
    unjudged: list = field(default_factory=list)
    budgets: dict = field(default_factory=dict)
    lags: list = field(default_factory=list)
    queue: list = field(default_factory=list)
    skipped: dict = field(default_factory=dict)
    trouble: list = field(default_factory=list)
    capabilities: list = field(default_factory=list)
    judgements: list = field(default_factory=list)

    def observed(self, observation):
        for attempt in observation.attempts:
            self.outcomes[observation.member.target, attempt.outcome] += 1

    def member_missed(self, target, reason):
        self.missed[target, reason] += 1

    def capability(self, target, feature, state):
        self.capabilities.append((target, feature, state))

    def judged(self, observation, scores):
        self.judgements.append((observation.id, len(scores)))

    def judging_failed(self, target):
        self.unjudged.append(target)

    def round_closed(self, slot, members, missing, seconds):
        self.closed.append((slot.key, members, missing))

    def slot_missed(self, slot, reason):
        self.slots.append((slot.key, reason))

    def slots_skipped(self, stream, count):
        self.skipped[stream] = count

    def queue_lag(self, seconds):
        self.queue.append(seconds)

    def loop_lag(self, seconds):
        self.lags.append(seconds)

    def budget(self, target, resource, remaining_ratio):
        self.budgets[target, resource] = remaining_ratio

    def round_failed(self, slot, error):
        self.failed.append((slot.key, error))

    def timer_trouble(self, kind):
        self.trouble.append(kind)


@dataclass
class Bench:
    """One process's prober on a ledger that may outlive it."""

    endpoints: dict
    providers: dict
    ledger: MemoryLedger
    log: DirectLog
    events: Seen
    clock: LoopClock
    runner: RoundRunner
    lag: LoopLag


@asynccontextmanager
async def bench(
    endpoints=None, providers=None, ledger=None, *, score=one_score, code=no_code, compiler=None,
    start=START, clock=None, spent=None, log=None, **more,
):  # fmt: skip
    endpoints = endpoints or fleet()
    providers = {key: ScriptedProvider() for key in endpoints} | (providers or {})
    ledger = ledger or MemoryLedger()
    log = log or DirectLog(ledger)
    events, clock = Seen(), clock or LoopClock(start)
    async with LoopLag(events) as lag:
        askers = build_askers(
            endpoints, providers, clock=clock, lag=lag, events=events, spent=spent
        )
        judge = Judge(score, code, compiler or FakeCompiler(), events)
        runner = RoundRunner(
            askers=askers,
            judge=judge,
            ledger=ledger,
            log=log,
            clock=clock,
            events=events,
            notes=ledger,
            **more,
        )
        yield Bench(endpoints, providers, ledger, log, events, clock, runner, lag)


def first_slot(stream, ledger, at=START):
    """A slot that falls due at about `at`, on record in the ledger."""
    from qualmon.prober.rounds import index_at

    slot = slot_at(stream, index_at(stream, at))
    ledger.materialise([slot])
    return slot
