"""One round outside the schedule: what `qualmon probe` asks.

Its observations are kept under a suite name of their own (``adhoc:SUITE``), in a slot that is
recorded as missed, so the fold never sees them: people probe when they already suspect
something, and evidence must not depend on that.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from qualmon.bootstrap.plan import endpoints_by_key
from qualmon.bootstrap.routes import reason_of
from qualmon.config import Config
from qualmon.pipeline import code_to_check, score
from qualmon.prober.ask import Asker, build_askers
from qualmon.prober.flight import Flight
from qualmon.prober.judge import Judge
from qualmon.prober.lag import LoopLag
from qualmon.providers import make_provider
from qualmon.sandbox import PythonCompiler
from qualmon.schedule.clock import SystemClock
from qualmon.scorers.channels import CHANNELS
from qualmon.storage.open import open_store
from qualmon.types import (
    Capability,
    Completion,
    Failure,
    Member,
    Observation,
    Probe,
    Score,
    Slot,
)

#: How long a round outside the schedule may take beyond its slowest target's time-out.
GRACE = 10.0


@dataclass(frozen=True, slots=True)
class Asked:
    """One observation with its scores."""

    observation: Observation
    scores: tuple[Score, ...]

    @property
    def failure(self) -> dict[str, Any] | None:
        """Kind and detail of a failure, None for an answer."""
        result = self.observation.result
        if isinstance(result, Failure):
            return {"kind": result.kind, "detail": result.detail, "status": result.status}
        return None

    @property
    def logprobs(self) -> Capability | None:
        """The state in which the route offered log-probabilities; None without an answer."""
        result = self.observation.result
        return result.logprobs_state if isinstance(result, Completion) else None

    @property
    def unjudged(self) -> dict[str, list[str]]:
        """Channels that could not judge the answer, by reason."""
        found: dict[str, list[str]] = {}
        for silent in (s for s in self.scores if s.value is None):
            found.setdefault(reason_of(silent), []).append(silent.channel)
        return found

    @property
    def broken(self) -> list[Score]:
        """Bad scores on invariant channels: what never happens on a healthy server."""
        return [
            s
            for s in self.scores
            if CHANNELS[s.channel].null == "invariant" and s.value not in (None, 0, 0.0)
        ]


async def ask_once(config: Config, target_glob: str, probe_glob: str, *, keep: bool) -> list[Asked]:
    """Asks every matching probe of every matching target once; kept in the store if wanted.

    Raises StoreError and UsageError before anything is asked.
    """
    clock = SystemClock()
    store = open_store(config.store) if keep else None
    members = _members(config, target_glob, probe_glob, clock.now())
    async with contextlib.AsyncExitStack() as stack:
        endpoints = {
            key: endpoint
            for key, endpoint in endpoints_by_key(config).items()
            if fnmatchcase(key, target_glob)
        }
        providers = {}
        for key, endpoint in endpoints.items():
            providers[key] = make_provider(endpoint)
            stack.push_async_callback(providers[key].aclose)
        compiler = PythonCompiler()
        stack.push_async_callback(compiler.aclose)
        lag = await stack.enter_async_context(LoopLag())
        askers = build_askers(endpoints, providers, clock=clock, lag=lag)
        judge = Judge(score, code_to_check, compiler)
        slowest = max(endpoint.timeouts.total for endpoint in endpoints.values())
        deadline = asyncio.get_running_loop().time() + slowest + GRACE
        tasks = [
            _ask(askers[member.target], judge, Flight(member, probe, deadline, member.id))
            for member, probe in members
        ]
        asked = [item for item in await asyncio.gather(*tasks) if item is not None]
    if store is not None:
        _keep(store, members, asked)
        store.dispose()
    return asked


def _members(
    config: Config, target_glob: str, probe_glob: str, now: float
) -> list[tuple[Member, Probe]]:
    chosen = []
    for plan in config.suites:
        for endpoint in config.endpoints:
            target = endpoint.target
            if not plan.asks(target.model) or not fnmatchcase(target.key, target_glob):
                continue
            # Milliseconds as the index: two runs by hand never share a slot. No interval: the
            # store looks for gaps between slots of a schedule, and these have none.
            slot = Slot(now, f"adhoc:{plan.name}", target.model, int(now * 1000), every=0.0)
            chosen += [
                (Member(slot, target.key, probe.id), probe)
                for probe in plan.probes
                if fnmatchcase(probe.id, probe_glob)
            ]
    return chosen


async def _ask(asker: Asker, judge: Judge, flight: Flight) -> Asked | None:
    observation = await asker.ask(flight)
    if observation is None:
        return None
    scores: Sequence[Score] = ()
    if isinstance(observation.result, Completion):
        scores = await judge.scores(flight.probe, asker.endpoint, observation.result)
    return Asked(observation, tuple(scores))


def _keep(store: Any, members: list[tuple[Member, Probe]], asked: list[Asked]) -> None:
    slots = sorted({member.slot for member, _ in members})
    store.materialise(slots)
    for slot in slots:
        store.miss(slot, "adhoc", slot.due)
    store.append([(item.observation, item.scores) for item in asked])
