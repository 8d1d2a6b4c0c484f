"""What a scorer sees and what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from qualmon.scorers.positions import Positions, read_positions
from qualmon.types import ChannelInfo, CompileVerdict, Completion, Probe, Score


@dataclass(frozen=True)
class Case:
    """One answer to judge, and all that may be known about it.

    sampler: the effective sampler settings of the request; a name that is absent is unknown
    unless ``sampler["neutral"]`` is true. verdict: recorded word of a compiler, if any.
    """

    probe: Probe
    completion: Completion
    sampler: Mapping[str, Any]
    verdict: CompileVerdict | None = None

    @cached_property
    def positions(self) -> Positions:
        """Token positions of the answer as arrays; none where there are no logprobs."""
        return read_positions(self.completion.logprobs or ())


@dataclass(frozen=True, slots=True)
class Scorer:
    """A family of channels and the function that judges an answer on all of them.

    `judge` is pure, total and linear in the answer's size; it gives at most one score per
    channel, and a score of value None with ``detail["reason"]`` where it cannot judge.
    """

    channels: tuple[ChannelInfo, ...]
    judge: Callable[[Case], Iterable[Score]]


def unjudged(info: ChannelInfo, reason: str, **detail: Any) -> Score:
    """The score of a channel that cannot judge this answer, and why."""
    return Score(info.name, info.kind, None, {"reason": reason, **detail})


def event(info: ChannelInfo, bad: bool, detail: Mapping[str, Any] | None = None) -> Score:
    """0 or 1 on an event channel."""
    return Score(info.name, info.kind, 1.0 if bad else 0.0, {} if detail is None else detail)
