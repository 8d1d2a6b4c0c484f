"""Stand-ins for the ports that work in memory: no network, no disk, no child process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import ParamSpec, TypeVar

from qualmon.ports import SlotLedger
from qualmon.types import (
    CompileVerdict,
    Completion,
    Failure,
    Observation,
    Request,
    Score,
)

P = ParamSpec("P")
T = TypeVar("T")

#: What a script holds: a result, or an exception to raise.
Step = Completion | Failure | BaseException

ANSWER = Completion(text="ok", finish_reason="stop", total_seconds=0.001)


class ScriptedProvider:
    """Answers by a script: each request takes the next result; the last one repeats.

    delay: seconds before each result. `requests` lists what was asked; `most_in_flight` is the
    largest number of requests at one time.
    """

    def __init__(self, script: Sequence[Step] = (ANSWER,), *, delay: float = 0.0) -> None:
        self._script, self._delay = tuple(script), delay
        self._in_flight = 0
        self.requests: list[Request] = []
        self.most_in_flight = 0
        self.closed = False

    async def complete(self, request: Request) -> Completion | Failure:
        """The next result of the script, raised if it is an exception."""
        step = self._script[min(len(self.requests), len(self._script) - 1)]
        self.requests.append(request)
        self._in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self._in_flight)
        try:
            await asyncio.sleep(self._delay)
        finally:
            self._in_flight -= 1
        if isinstance(step, BaseException):
            raise step
        return step

    async def aclose(self) -> None:
        """Notes that it was closed."""
        self.closed = True


class HangingProvider:
    """Never answers; ends only by cancellation."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.cancelled = 0

    async def complete(self, request: Request) -> Completion | Failure:
        """Waits for its cancellation."""
        self.requests.append(request)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        raise AssertionError("an event that nobody sets was set")

    async def aclose(self) -> None:
        """Nothing to close."""


class FakeCompiler:
    """Gives every source the same verdict and lists what it was shown."""

    def __init__(self, verdict: CompileVerdict | None = None) -> None:
        self._verdict = verdict or CompileVerdict("python", "ok")
        self.sources: list[tuple[str, str]] = []

    async def check(self, language: str, source: str) -> CompileVerdict:
        """The verdict given at the start."""
        self.sources.append((language, source))
        return self._verdict

    async def aclose(self) -> None:
        """Nothing to end."""


class DirectLog:
    """The store seen from the event loop, without a thread: each call is made at once."""

    def __init__(self, ledger: SlotLedger) -> None:
        self._ledger = ledger

    async def append(self, observation: Observation, scores: Sequence[Score]) -> None:
        """Stores one observation."""
        self._ledger.append([(observation, scores)])

    async def call(self, fn: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """fn(*args)."""
        return fn(*args, **kwargs)
