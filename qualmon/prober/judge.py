"""From an answer to its scores: compiler verdict first, then the pure scorers."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Protocol

from qualmon.ports import Compiler
from qualmon.prober.events import NoEvents, ProbeEvents
from qualmon.types import CompileVerdict, Completion, Endpoint, Probe, Score

logger = logging.getLogger(__name__)


class ScoreFn(Protocol):
    """``qualmon.pipeline.score``."""

    def __call__(
        self,
        probe: Probe,
        completion: Completion,
        *,
        sampler: Mapping[str, Any],
        verdict: CompileVerdict | None = None,
    ) -> tuple[Score, ...]:
        """Scores of one answer on the probe's channels."""
        ...


class CodeFn(Protocol):
    """``qualmon.pipeline.code_to_check``."""

    def __call__(self, probe: Probe, completion: Completion) -> tuple[str, str] | None:
        """(language, source) for the compiler, or None when there is nothing to compile."""
        ...


class Judge:
    """Scores answers. A scorer that raises costs this answer its scores and nothing else."""

    def __init__(
        self,
        score: ScoreFn,
        code_to_check: CodeFn,
        compiler: Compiler,
        events: ProbeEvents | None = None,
    ) -> None:
        self._score, self._code_to_check, self._compiler = score, code_to_check, compiler
        self._events = events or NoEvents()

    async def scores(
        self, probe: Probe, endpoint: Endpoint, completion: Completion
    ) -> tuple[Score, ...]:
        """The answer's scores; empty, logged and counted when judging it raised."""
        try:
            verdict = await self._verdict(probe, completion)
            sampler = sampler_params(probe, endpoint)
            return self._score(probe, completion, sampler=sampler, verdict=verdict)
        except Exception:
            logger.exception("cannot score an answer of %s to %s", endpoint.target.key, probe.id)
            self._events.judging_failed(endpoint.target.key)
            return ()

    async def _verdict(self, probe: Probe, completion: Completion) -> CompileVerdict | None:
        code = self._code_to_check(probe, completion)
        return None if code is None else await self._compiler.check(*code)


def sampler_params(probe: Probe, endpoint: Endpoint) -> dict[str, Any]:
    """Sampler settings in force: the probe's, overlaid by what the endpoint always sends.

    A key that `extra_body` sets to null is not sent, hence unknown.
    """
    merged = {**probe.params, **endpoint.extra_body}
    params = {name: value for name, value in merged.items() if value is not None}
    if endpoint.neutral_sampler:
        params["neutral"] = True
    return params
