"""The demo itself: real HTTP, store, folder and pages, on a virtual clock."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import httpx

from qualmon.bootstrap import Service
from qualmon.cli.demo_plan import (
    HEALTHY,
    KIND_TABLE,
    SETTLE,
    SETTLE_HITS,
    SETTLE_USERS,
    START,
    DemoPlan,
)
from qualmon.config import load
from qualmon.prober.runner import RoundResult
from qualmon.schedule.clock import VirtualClock
from qualmon.schedule.virtual import VirtualDriver
from qualmon.sim.child import spawn
from qualmon.types import Incident
from qualmon.web.app import make_app
from qualmon.web.server import serve


class Screen(Protocol):
    """Who shows the progress."""

    def stage(self, text: str) -> None:
        """Something new begins."""
        ...

    def serving(self, address: str) -> None:
        """The pages are up."""
        ...

    def progress(self, hours: float, requests: int, incidents: Sequence[Incident]) -> None:
        """A round was folded; hours on the virtual clock."""
        ...

    def done(self) -> None:
        """There is nothing more to show; what follows is printed below."""
        ...


class _Watch:
    """Follows the rounds and says when the demo has seen enough."""

    def __init__(self, plan: DemoPlan, service: Service, screen: Screen) -> None:
        self._plan, self._service, self._screen = plan, service, screen
        self.driver: VirtualDriver | None = None
        self.found: Incident | None = None
        self.requests_at_onset = 0
        self.requests_at_alarm = 0

    async def after_round(self, result: RoundResult) -> None:
        """Folds, shows, and stops the driver when the incident has settled."""
        await self._service.fold_ready()
        incidents = self._service.view.snapshot().incidents
        now = result.slot.due - START
        self._screen.progress(now / 3600.0, self._service.events.requests, incidents)
        if now < self._plan.onset:
            return
        self._look(incidents)
        if self.found is not None and self.driver is not None and self._settled(now, self.found):
            self.driver.stop()

    def _look(self, incidents: Sequence[Incident]) -> None:
        mine = [i for i in incidents if is_hit(i, self._plan)]
        if mine:
            first = min(mine, key=lambda i: i.opened_at)
            if self.found is None:
                self.requests_at_alarm = self._service.events.requests
            self.found = first

    def _settled(self, now: float, incident: Incident) -> bool:
        alarm = incident.opened_at - START
        enough = incident.hits >= SETTLE_HITS and incident.identities_bad >= SETTLE_USERS
        return enough or now >= alarm + SETTLE


def is_hit(incident: Incident, plan: DemoPlan) -> bool:
    """An incident opened after the onset at a place that the fault touches."""
    later = incident.opened_at >= START + plan.onset
    return later and bool(plan.targets.intersection(incident.targets))


async def run_demo(
    plan: DemoPlan,
    screen: Screen,
    tell: Callable[[Mapping[str, Any]], None],
    *,
    port: int,
    keep: bool,
) -> dict[str, Any]:
    """Runs the demo, tells its result (contract of `demo --json`) and returns it.

    With `keep` the pages are served on until the process is interrupted.
    """
    started = time.monotonic()
    async with contextlib.AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="qualmon-demo-")))
        screen.stage("starting the simulated fleet")
        fleet = await spawn(seed=plan.seed)
        stack.push_async_callback(fleet.aclose)
        path = folder / "qualmon.yaml"
        path.write_text(plan.config_yaml(fleet.origin))
        clock = VirtualClock(START)
        service = await stack.enter_async_context(
            Service.opened(load(path, os.environ), clock, since=START, batch_seconds=0.002)
        )
        address = await stack.enter_async_context(serve(make_app(service.view), "127.0.0.1", port))
        screen.serving(address)
        watch = await _drive(plan, service, clock, screen, fleet.origin)
        result = _result(plan, service, watch, time.monotonic() - started)
        screen.done()
        tell(result)
        if keep:
            screen.stage(f"serving {address} until Ctrl-C")
            await asyncio.Event().wait()
        return result


async def _drive(
    plan: DemoPlan, service: Service, clock: VirtualClock, screen: Screen, origin: str
) -> _Watch:
    watch = _Watch(plan, service, screen)
    driver = VirtualDriver(service.book, service.runner, clock, watch.after_round)
    watch.driver = driver
    service.view.started()
    beating = asyncio.create_task(_beat(service))
    try:
        screen.stage("probing the healthy fleet")
        await driver.run_until(START + plan.onset)
        watch.requests_at_onset = service.events.requests
        if plan.kind != HEALTHY:
            screen.stage(f"{plan.kind} begins at {plan.node}")
            await _plant(plan, origin)
        await driver.run_until(START + plan.onset + plan.horizon)
    finally:
        beating.cancel()
    return watch


async def _beat(service: Service) -> None:
    while True:
        service.view.beat()
        await asyncio.sleep(1.0)


async def _plant(plan: DemoPlan, origin: str) -> None:
    async with httpx.AsyncClient() as client:
        answer = await client.post(f"{origin}/-/faults", json=[plan.fault])
        answer.raise_for_status()


def _result(plan: DemoPlan, service: Service, watch: _Watch, seconds: float) -> dict[str, Any]:
    incidents = service.view.recent_incidents()
    found = watch.found
    false = [i for i in incidents if found is None or i.id != found.id]
    return {
        "scenario": f"demo-{plan.kind}",
        "seed": plan.seed,
        "hours": round((service.clock.now() - START) / 3600.0, 4),
        "logprobs": plan.logprobs,
        "logprobs_after": plan.logprobs_after,
        "faults": [] if plan.kind == HEALTHY else [_fault(plan, watch)],
        "requests": service.events.requests,
        "outcomes": dict(sorted(service.events.outcomes.items())),
        "false_pages": sum(1 for i in false if i.severity == "page"),
        "false_tickets": sum(1 for i in false if i.severity == "ticket"),
        "wall_seconds": round(seconds, 2),
    }


def _fault(plan: DemoPlan, watch: _Watch) -> dict[str, Any]:
    planted = {
        "id": "demo",
        "kind": plan.kind,
        "planted_at": plan.node,
        "amount": plan.amount,
        "onset": plan.onset,
    }
    if watch.found is None:
        return {**planted, **_NOT_FOUND}
    return {
        **planted,
        **_found(plan, watch.found),
        "requests": watch.requests_at_alarm - watch.requests_at_onset,
    }


_NOT_FOUND: Mapping[str, Any] = {
    "detected_at": None,
    "delay_seconds": None,
    "incident_kind": None,
    "severity": None,
    "node": None,
    "node_correct": False,
    "share": None,
    "share_low": None,
    "share_high": None,
    "causes": [],
    "cause_correct": False,
    "requests": None,
}


def _found(plan: DemoPlan, found: Incident) -> dict[str, Any]:
    at = found.opened_at - START
    return {
        "detected_at": at,
        "delay_seconds": at - plan.onset,
        "incident": found.id,
        "incident_kind": found.kind,
        "incident_kind_correct": found.kind == KIND_TABLE[plan.kind].incident,
        "severity": found.severity,
        "reasons": list(found.reasons),
        "node": found.scope,
        "node_correct": set(found.targets) == plan.targets,
        "onset_estimate": round(found.onset - START, 1),
        "share": found.share,
        "share_low": found.share_low,
        "share_high": found.share_high,
        "bad_answers": found.hits,
        "identities_bad": found.identities_bad,
        "identities_observed": found.identities_observed,
        "families": list(found.families),
        "channels": list(found.channels),
        "causes": [{"cause": cause, "probability": p} for cause, p in found.causes],
        "cause_correct": found.causes[0][0] == KIND_TABLE[plan.kind].cause,
    }
