"""The installed `qualmon` as child processes: short commands, the simulator, the service."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from qualmon.bootstrap import Service
from qualmon.config import load
from qualmon.prober.runner import RoundResult
from qualmon.schedule.clock import VirtualClock
from qualmon.schedule.virtual import VirtualDriver
from qualmon.sim.fleet import base_url, demo_fleet

#: The console script of the environment that runs the tests.
PROGRAM = str(Path(sys.executable).with_name("qualmon"))

#: Channels that judge every answer there is, so that a missing score is a lost one.
CHANNELS = ("script.run", "script.char", "script.corrupt", "finish.length", "finish.empty")
#: High enough to be proven by the clean answers of a few seconds (3 / n).
BOUND = 0.05

PATIENCE = 40.0


def qualmon(
    *words: str | Path, cwd: Path | None = None, environ: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end."""
    return subprocess.run(
        [PROGRAM, *map(str, words)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, **(environ or {})},
        timeout=120,
        stdin=subprocess.DEVNULL,
    )


def one_line(done: subprocess.CompletedProcess[str], code: int) -> str:
    """The one line on stderr of a command that failed as it should, without a traceback."""
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    return lines[0]


@dataclass(frozen=True)
class Child:
    """A long-running command; what it says, on both streams, is in a file from `start` on."""

    process: subprocess.Popen[bytes]
    log: Path
    start: int

    @property
    def said(self) -> str:
        """Everything so far."""
        return self.log.read_bytes()[self.start :].decode(errors="replace")

    def wait_said(self, pattern: str) -> re.Match[str]:
        """The first match of a line that was or will be said; fails if the child ends first."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            alive = self.process.poll() is None
            if found := re.search(pattern, self.said, re.MULTILINE):
                return found
            if not alive:
                break
            time.sleep(0.03)
        raise AssertionError(f"never said {pattern!r}, exit {self.process.poll()}:\n{self.said}")

    def kill(self) -> None:
        """SIGKILL: no time to clean up."""
        self.process.kill()
        self.process.wait(PATIENCE)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Sends a signal; returns the exit code."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)


def _heed_ctrl_c() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextlib.contextmanager
def child(
    log: Path, *words: str | Path, environ: Mapping[str, str] | None = None
) -> Iterator[Child]:
    """A command that runs while the context is open, in the log's folder."""
    start = log.stat().st_size if log.exists() else 0
    with log.open("ab") as output:
        process = subprocess.Popen(
            [PROGRAM, *map(str, words)],
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            cwd=log.parent,
            env={**os.environ, **(environ or {})},
            # A shell that runs the tests in the background has them ignore Ctrl-C, and what
            # they start would too.
            preexec_fn=_heed_ctrl_c,
        )
    try:
        yield Child(process, log, start)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(PATIENCE)


@dataclass(frozen=True)
class Fleet:
    """A running `qualmon sim`."""

    origin: str

    def plant(self, *faults: Mapping[str, Any]) -> None:
        """Replaces all faults."""
        answer = httpx.post(f"{self.origin}/-/faults", json=list(faults), timeout=PATIENCE)
        answer.raise_for_status()

    @property
    def answers(self) -> int:
        """Answers that it has drawn."""
        return int(httpx.get(f"{self.origin}/-/healthy", timeout=PATIENCE).json()["answers"])


@contextlib.contextmanager
def fleet(folder: Path, *options: str) -> Iterator[Fleet]:
    """The simulated fleet on a port of its own."""
    with child(folder / "sim.log", "sim", "--port", "0", *options) as running:
        yield Fleet(running.wait_said(r"^ready: (\S+)$")[1])


@contextlib.contextmanager
def service(config: Path, **environ: str) -> Iterator[tuple[Child, str]]:
    """`qualmon run` on a configuration, once its pages are up, and their address."""
    with child(config.parent / "run.log", "run", "-c", config, environ=environ) as running:
        yield running, running.wait_said(r"pages and metrics at (\S+)$")[1]


def live_through(config: Path, seconds: float = 40.0) -> None:
    """Gives the store a past: the rounds of the last `seconds`, asked now on a virtual clock.

    Thirty rounds are what the proof of a healthy rate takes.
    """
    asyncio.run(_live_through(config, seconds))


async def _live_through(config: Path, seconds: float) -> None:
    start = time.time() - seconds
    clock = VirtualClock(start)
    async with Service.opened(load(config, os.environ), clock, since=start) as past:

        async def fold(_: RoundResult) -> None:
            await past.fold_ready()

        await VirtualDriver(past.book, past.runner, clock, fold).run_until(start + seconds)


def wait_until(wanted: Any, what: str, seconds: float = PATIENCE) -> Any:
    """The first true result of `wanted()`; asked ten times a second."""
    deadline = time.monotonic() + seconds
    while not (found := wanted()):
        if time.monotonic() >= deadline:
            pytest.fail(f"not within {seconds} s: {what}")
        time.sleep(0.1)
    return found


def proven(url: str) -> bool:
    """Whether a service trusts every channel with a declared bound on every target."""
    found = httpx.get(f"{url}/api/v1/targets", timeout=PATIENCE).json()["targets"]
    judged = [c for t in found for c in t["channels"] if c["channel"].startswith("script.")]
    return len(judged) == 3 * len(found) and all(channel["proven"] for channel in judged)


def incidents(url: str) -> list[dict[str, Any]]:
    """What a service knows."""
    answer = httpx.get(f"{url}/api/v1/incidents", timeout=PATIENCE)
    return list(answer.json()["incidents"])


def probes(count: int = 4, channels: Sequence[str] = CHANNELS) -> list[dict[str, Any]]:
    """Short questions, which the simulator answers with Latin babble."""
    return [
        {
            "id": f"p{number}",
            "why": "short",
            "catches": "foreign tokens",
            "source": "tests",
            "messages": [{"role": "user", "content": f"Say something about number {number}."}],
            "params": {"temperature": 0.7, "max_tokens": 12},
            "expect": {"scripts": ["Latn"]},
            "channels": list(channels),
            "bounds": {name: BOUND for name in channels if name.startswith("script")},
            "expected_tokens": {"input": 10, "output": 12},
        }
        for number in range(1, count + 1)
    ]


def targets(origin: str, **more: Any) -> list[dict[str, Any]]:
    """All targets of the simulated fleet."""
    return [
        {
            "model": target.model,
            "platform": target.platform,
            "route": target.route,
            "provider": "openai_chat",
            "url": base_url(origin, target),
            "labels": dict(target.labels),
            "timeout": "3s",
            "neutral_sampler": True,
            **more,
        }
        for target in demo_fleet().targets
    ]


def write_config(folder: Path, watched: Sequence[Mapping[str, Any]], **more: Any) -> Path:
    """A configuration that asks every target twice a second, and its suite, in `folder`."""
    suite = {"suite": "canary", "version": "1", "probes": probes()}
    (folder / "canary.yaml").write_text(yaml.safe_dump(suite))
    config = {
        "store": "sqlite:///qualmon.db",
        "listen": "127.0.0.1:0",
        "burn_in": "0s",
        "false_pages": {"max": 1, "per": "1h"},
        "recovery": {"clean_for": "6s"},
        "drain": "10s",
        "targets": list(watched),
        "suites": [{"name": "./canary.yaml", "every": "1s", "probes_per_round": 2}],
        **more,
    }
    path = folder / "qualmon.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    return path
