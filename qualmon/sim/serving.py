"""Serving the fleet: in a running event loop, or in a process of its own."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import sys
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from qualmon.errors import DependencyError, PortInUseError
from qualmon.sim.backend import Fleet, Settings
from qualmon.sim.fleet import FleetSpec, demo_fleet
from qualmon.sim.language import Language
from qualmon.sim.server import application
from qualmon.sim.speaker import Answer, Speaker

_SHUTDOWN_SECONDS = 1.0


def load_answers() -> dict[str, Answer]:
    """Answers of all shipped suites by prompt text: choices where stated, else the reference."""
    from qualmon.config import load_suite, suite_names

    probes = [probe for name in suite_names() for probe in load_suite(name).probes]
    known = {probe.prompt: probe.choices or probe.reference for probe in probes}
    return {prompt: answer for prompt, answer in known.items() if answer is not None}


@dataclass(frozen=True, slots=True)
class Running:
    """A fleet that is being served in this event loop."""

    host: str
    port: int
    fleet: Fleet
    _runner: web.AppRunner

    @property
    def origin(self) -> str:
        """``http://HOST:PORT``."""
        return f"http://{self.host}:{self.port}"

    async def aclose(self) -> None:
        """Stops serving and frees the port."""
        await self._runner.cleanup()


async def start(
    answers: Mapping[str, Answer],
    *,
    spec: FleetSpec | None = None,
    faults: Sequence[Mapping[str, Any]] = (),
    settings: Settings | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
    clock: Callable[[], float] = time.time,
    language: Language | None = None,
) -> Running:
    """Serves the fleet (the demo's by default) on `port`; 0 takes a free one.

    answers: by prompt text. `clock` says when faults begin and end. Raises PortInUseError,
    UsageError for wrong faults.
    """
    spec = spec or demo_fleet()
    language = language or Language()
    speakers = {model: Speaker(model, language, answers) for model in spec.models}
    fleet = Fleet(spec, speakers, settings or Settings(), clock)
    fleet.plant(list(faults))
    runner = web.AppRunner(application(fleet), access_log=None, shutdown_timeout=_SHUTDOWN_SECONDS)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        await runner.cleanup()
        if error.errno == errno.EADDRINUSE:
            raise PortInUseError(f"{host}:{port}") from error
        raise DependencyError(f"{host}:{port}: {error.strerror}") from error
    return Running(host, int(runner.addresses[0][1]), fleet, runner)


def serve(
    port: int,
    faults: Sequence[Mapping[str, Any]] = (),
    seed: int = 0,
    host: str = "127.0.0.1",
    *,
    answers: Mapping[str, Answer] | None = None,
    seconds_per_token: float = 0.0,
    on_ready: Callable[[Running], None] | None = None,
    until_eof: bool = False,
) -> None:
    """Serves the demo fleet until SIGINT or SIGTERM, and with `until_eof` no longer than
    standard input stays open.

    answers: by prompt text; None loads those of the shipped suites. Raises as `start` does.
    """
    asyncio.run(
        _serve(
            start(
                load_answers() if answers is None else answers,
                faults=faults,
                settings=Settings(seed=seed, seconds_per_token=seconds_per_token),
                host=host,
                port=port,
            ),
            on_ready,
            until_eof,
        )
    )


async def _serve(
    starting: Coroutine[Any, Any, Running],
    on_ready: Callable[[Running], None] | None,
    until_eof: bool,
) -> None:
    running = await starting
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    if until_eof:
        loop.add_reader(sys.stdin.fileno(), _stop_at_eof, stop)
    try:
        if on_ready:
            on_ready(running)
        await stop.wait()
    finally:
        await running.aclose()


def _stop_at_eof(stop: asyncio.Event) -> None:
    if not os.read(sys.stdin.fileno(), 4096):
        stop.set()
