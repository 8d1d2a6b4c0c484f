"""`qualmon run`: the service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from qualmon.cli.options import DEFAULT_CONFIG, ConfigOption
from qualmon.cli.tuning import tune_collector
from qualmon.errors import UsageError

if TYPE_CHECKING:
    import asyncio

    from qualmon.config import Config

ROLES = ("all",)


def run(
    config: ConfigOption = DEFAULT_CONFIG,
    role: Annotated[str, typer.Option(help="Parts to run; `all` is the embedded shape.")] = "all",
    log_level: Annotated[str, typer.Option(help="debug, info, warning or error.")] = "info",
) -> None:
    """Run the service: probe, score, fold, alert, until SIGTERM or Ctrl-C."""
    import asyncio
    import logging
    import os

    from qualmon.config import load

    if role not in ROLES:
        raise UsageError(f"role {role!r}", remedy=f"Roles: {', '.join(ROLES)}")
    if log_level not in ("debug", "info", "warning", "error"):
        raise UsageError(f"log level {log_level!r}", remedy="Use debug, info, warning or error")
    loaded = load(config, os.environ)
    logging.basicConfig(
        level=log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    # One line per tick and request would bury what matters.
    for name in ("apscheduler", "httpx", "alembic", "uvicorn.error"):
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLogger().level))
    tune_collector()
    asyncio.run(_serve(loaded))


async def _serve(config: Config) -> None:
    import asyncio
    import signal

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await serve_until(config, stop)


async def serve_until(config: Config, stop: asyncio.Event) -> None:
    """Runs the whole service until `stop` is set, then drains.

    Raises StoreError, PortInUseError and UsageError before anything is probed.
    """
    import asyncio

    from qualmon.bootstrap import Service
    from qualmon.bootstrap.delivery import delivering
    from qualmon.schedule.clock import SystemClock
    from qualmon.schedule.embedded import Embedded
    from qualmon.schedule.slots import Scheduler
    from qualmon.web.app import make_app
    from qualmon.web.server import serve

    clock = SystemClock()
    # Three missed rounds of the slowest suite are no longer bad luck.
    stale_after = max(60.0, 3 * max(plan.every for plan in config.suites))
    async with (
        Service.opened(config, clock) as service,
        serve(
            make_app(service.view, stale_after=stale_after), config.listen.host, config.listen.port
        ) as address,
        delivering(service, config),
    ):
        typer.echo(f"qualmon: pages and metrics at {address}", err=True)
        scheduler = Scheduler(service.book, service.runner, clock, events=service.events)
        timer = Embedded(scheduler, service.book, clock, events=service.events)
        folding = asyncio.create_task(service.fold_forever(service.events.closed), name="folder")
        try:
            await timer.start()
            service.view.started()
            await _first(stop, folding)
        finally:
            typer.echo(f"qualmon: stopping; rounds get up to {config.drain:g} s to end", err=True)
            service.view.problems["stopping"] = "the service is stopping"
            await timer.stop(config.drain)
            folding.cancel()
            await asyncio.gather(folding, return_exceptions=True)
            await service.fold_ready()


async def _first(stop: asyncio.Event, folding: asyncio.Task[None]) -> None:
    """Returns when asked to stop; a folder that died takes the service down with its error."""
    import asyncio

    waiting = asyncio.create_task(stop.wait())
    await asyncio.wait({waiting, folding}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if folding.done():
        folding.result()
