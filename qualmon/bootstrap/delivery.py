"""Telling the sinks: at least once, in order, blocking nobody.

The webhook works through the transitions on record from where it last succeeded, so an
outage or a restart loses nothing. Alertmanager is told the present state every minute.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from qualmon.bootstrap.service import Service
from qualmon.config import Config
from qualmon.errors import DependencyError
from qualmon.sinks.alertmanager import Alertmanager
from qualmon.sinks.webhook import Webhook

logger = logging.getLogger(__name__)

RESEND = 60.0
LOOK_EVERY = 1.0
FIRST_RETRY, LONGEST_RETRY = 1.0, 300.0
BATCH = 100


@dataclass(slots=True)
class _Backoff:
    seconds: float = FIRST_RETRY

    def failed(self) -> float:
        """How long to wait now."""
        wait, self.seconds = self.seconds, min(2 * self.seconds, LONGEST_RETRY)
        return wait

    def worked(self) -> None:
        self.seconds = FIRST_RETRY


@contextlib.asynccontextmanager
async def delivering(service: Service, config: Config) -> AsyncIterator[None]:
    """Feeds the configured sinks while the context is open."""
    tasks = []
    async with contextlib.AsyncExitStack() as stack:
        if config.sinks.webhook is not None:
            webhook = Webhook(config.sinks.webhook.url)
            stack.push_async_callback(webhook.aclose)
            tasks.append(asyncio.create_task(_feed_webhook(service, webhook)))
        if config.sinks.alertmanager is not None:
            url, external = config.sinks.alertmanager.url, config.external_url or ""
            alertmanager = Alertmanager(url, external_url=external)
            stack.push_async_callback(alertmanager.aclose)
            tasks.append(asyncio.create_task(_feed_alertmanager(service, alertmanager)))
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _feed_webhook(service: Service, webhook: Webhook) -> None:
    backoff = _Backoff()
    while True:
        try:
            sent = await _send_next(service, webhook)
            backoff.worked()
            await asyncio.sleep(0.0 if sent else LOOK_EVERY)
        except DependencyError as error:
            await _failed(service, webhook.name, error, backoff)


async def _send_next(service: Service, webhook: Webhook) -> bool:
    """Sends the next batch and remembers how far it came; False when there was nothing."""
    place = f"sink/{webhook.name}"
    after = await service.log.call(service.store.get_meta, place)
    found = await service.log.call(service.store.transitions_after, after, BATCH)
    if not found:
        return False
    await webhook.publish([doc for _, doc in found])
    await service.log.call(service.store.set_meta, place, found[-1][0])
    return True


async def _feed_alertmanager(service: Service, alertmanager: Alertmanager) -> None:
    backoff, last, told = _Backoff(), float("-inf"), None
    now: Callable[[], float] = asyncio.get_running_loop().time
    while True:
        incidents = service.view.snapshot().incidents
        state = [(i.id, i.severity, i.scope, i.resolved_at) for i in incidents]
        if state == told and now() - last < RESEND:
            await asyncio.sleep(LOOK_EVERY)
            continue
        try:
            await alertmanager.push(incidents, service.clock.now())
            backoff.worked()
            last, told = now(), state
        except DependencyError as error:
            await _failed(service, alertmanager.name, error, backoff)


async def _failed(service: Service, sink: str, error: DependencyError, backoff: _Backoff) -> None:
    service.metrics.sink_failed(sink)
    wait = backoff.failed()
    logger.warning("%s; next try in %.0f s", error, wait)
    await asyncio.sleep(wait)
