"""The running parts of qualmon, put together from a configuration.

The service owns the store, the prober and the folder. What drives its rounds (timers, or a
virtual clock) and what serves its pages are put around it by the command that runs it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace

from qualmon import __version__
from qualmon.bootstrap.events import CountedEvents
from qualmon.bootstrap.plan import endpoints_by_key, fold_rules, streams
from qualmon.bootstrap.routes import RouteNotes
from qualmon.bootstrap.view import LiveView
from qualmon.config import Config
from qualmon.errors import StoreError
from qualmon.folding.fold import Folded
from qualmon.folding.rules import FoldRules
from qualmon.folding.snapshot import snapshot
from qualmon.folding.state import initial
from qualmon.pipeline import code_to_check, score
from qualmon.ports import Clock, Provider
from qualmon.prober.ask import build_askers
from qualmon.prober.budget import Spend, day_of
from qualmon.prober.judge import Judge
from qualmon.prober.lag import LoopLag
from qualmon.prober.runner import RoundRunner
from qualmon.providers import make_provider
from qualmon.sandbox import PythonCompiler
from qualmon.schedule.folder import Folder, epoch_rules
from qualmon.schedule.slots import SlotBook
from qualmon.sinks.probe_metrics import ProbeMetrics
from qualmon.storage.lock import sole_service
from qualmon.storage.open import open_store
from qualmon.storage.store import SqlStore
from qualmon.storage.writer import AsyncStore
from qualmon.types import Endpoint, FleetSnapshot

logger = logging.getLogger(__name__)

DAY = 86400.0
#: Seconds between looks at the log when no round has said that it closed.
FOLD_EVERY = 1.0
MISSED_REASONS = ("not_running", "overrun", "removed")


@dataclass(frozen=True, slots=True)
class Service:
    """Everything that is alive while qualmon runs. Use `Service.opened`."""

    config: Config
    store: SqlStore
    log: AsyncStore
    events: CountedEvents
    metrics: ProbeMetrics
    runner: RoundRunner
    book: SlotBook
    folder: Folder
    view: LiveView
    rules: FoldRules
    clock: Clock

    @staticmethod
    @contextlib.asynccontextmanager
    async def opened(
        config: Config,
        clock: Clock,
        *,
        since: float | None = None,
        batch_seconds: float = 0.1,
    ) -> AsyncIterator[Service]:
        """Opens the store and all connections, closes them at the end.

        since: slots before this Unix time are not owed by streams without history.
        batch_seconds: how long a write may wait for company. Raises StoreError, UsageError.
        """
        async with contextlib.AsyncExitStack() as stack:
            store = open_store(config.store)
            stack.callback(store.dispose)
            stack.enter_context(sole_service(config.store))
            rules = _record_epoch(store, config, clock.now())
            yield await _assemble(stack, config, clock, store, rules, since, batch_seconds)

    async def fold_ready(self, *, publish: bool = True) -> list[Folded]:
        """Folds every round that is closed and shows the result. Raises what the store raises."""
        results: list[Folded] = []
        passed = False
        while (result := await self.log.call(self.folder.step)) is not None:
            passed = True
            if isinstance(result, Folded):
                results.append(result)
        if passed and publish:
            await self.publish()
        return results

    async def publish(self) -> None:
        """Shows the present state on pages and in metrics."""
        incidents = await self.log.call(self.view.recent_incidents)
        state, rules = self.folder.state, self.folder.rules
        if state is None or rules is None:
            state, rules = initial(self.rules), self.rules
        targets = tuple(endpoint.target for endpoint in self.config.endpoints)
        at = self.folder.cursor.due if self.folder.cursor else self.clock.now()
        shown = replace(
            snapshot(state, rules, targets, incidents, at),
            capabilities=self.events.routes.capabilities(),
            unjudged=self.events.routes.unjudged(),
        )
        # Rendering a large fleet takes a tenth of a second, too long beside timed probes.
        await asyncio.to_thread(self.view.publish, shown)

    async def fold_forever(self, closed: asyncio.Event) -> None:
        """Folds as rounds close, until cancelled; an unreachable store is shown and retried."""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(closed.wait(), FOLD_EVERY)
            closed.clear()
            self.view.beat()
            try:
                await self.fold_ready()
                self.view.problems.pop("store", None)
            except StoreError as error:
                logger.exception("cannot fold")
                self.view.problems["store"] = str(error)


def _record_epoch(store: SqlStore, config: Config, now: float) -> FoldRules:
    rules = epoch_rules(fold_rules(config, now), store.current_epoch())
    store.add_epoch(now, rules.dump())
    return rules


async def _assemble(
    stack: contextlib.AsyncExitStack,
    config: Config,
    clock: Clock,
    store: SqlStore,
    rules: FoldRules,
    since: float | None,
    batch_seconds: float,
) -> Service:
    endpoints = endpoints_by_key(config)
    metrics = ProbeMetrics(
        __version__, missed_reasons=MISSED_REASONS, sinks=("webhook", "alertmanager")
    )
    routes = RouteNotes(clock.now)
    events = CountedEvents(metrics, {key: e.target for key, e in endpoints.items()}, routes)
    log = AsyncStore(store, max_delay=batch_seconds)
    stack.push_async_callback(log.aclose)
    providers = await _providers(stack, endpoints)
    compiler = PythonCompiler()
    stack.push_async_callback(compiler.aclose)
    lag = await stack.enter_async_context(LoopLag(events))
    askers = build_askers(
        endpoints,
        providers,
        clock=clock,
        lag=lag,
        events=events,
        spent=_spent(store, endpoints, clock.now()),
    )
    judge = Judge(score, code_to_check, compiler, events)
    runner = RoundRunner(
        askers=askers,
        judge=judge,
        ledger=store,
        log=log,
        clock=clock,
        events=events,
        notes=store,
    )
    book = SlotBook(streams(config), store, log, since=since, events=events)
    folder = Folder(store)
    folder.start()
    targets = tuple(endpoint.target for endpoint in config.endpoints)
    empty = FleetSnapshot(clock.now(), targets, (), (), (), config.budget_hours)
    view = LiveView(clock, metrics, store, empty)
    service = Service(config, store, log, events, metrics, runner, book, folder, view, rules, clock)
    metrics.reloaded(ok=True)
    metrics.sandbox(available=True)
    await service.publish()
    return service


async def _providers(
    stack: contextlib.AsyncExitStack, endpoints: Mapping[str, Endpoint]
) -> dict[str, Provider]:
    providers: dict[str, Provider] = {}
    for key, endpoint in endpoints.items():
        providers[key] = make_provider(endpoint)
        stack.push_async_callback(providers[key].aclose)
    return providers


def _spent(store: SqlStore, endpoints: Mapping[str, Endpoint], now: float) -> dict[str, Spend]:
    """What each target has used up on the present UTC day."""
    day = day_of(now)
    spent = {}
    for key, endpoint in endpoints.items():
        requests, tokens_in, tokens_out = store.requests_since(key, day * DAY)
        price = endpoint.price
        usd = (tokens_in * price.input + tokens_out * price.output) / 1e6 if price else 0.0
        spent[key] = Spend(day, requests, usd)
    return spent
