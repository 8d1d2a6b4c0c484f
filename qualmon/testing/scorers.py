"""The contract of a scorer.

    class TestMine(ScorerContract):
        scorer = MY_SCORER

Each method is one test; pytest finds them by name, and no plug-in is needed to run them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar

from qualmon.scorers import Case, Scorer
from qualmon.testing.answers import SAMPLERS, hostile_completions, sample_probe
from qualmon.testing.checks import check, check_equal
from qualmon.types import ChannelInfo, CompileVerdict, Expect, Score

_VERDICTS = (
    None,
    CompileVerdict("python", "ok"),
    CompileVerdict("python", "fail", message="invalid syntax" * 500, line=1),
    CompileVerdict("python", "resource_limit"),
    CompileVerdict("python", "unavailable"),
)


class ScorerContract:
    """What every scorer keeps, whatever the answer: range, totality, determinism, size."""

    scorer: ClassVar[Scorer]
    seed: ClassVar[int] = 0

    def test_channels_say_what_they_are(self) -> None:
        """Names are ``family.what`` of one family; invariants declare a bound."""
        families = {info.family for info in self.scorer.channels}
        check_equal(len(families), 1, "families of one scorer")
        for info in self.scorer.channels:
            check(info.catches and info.blind_to and info.source, f"{info.name} explains nothing")
            bounded = info.bound is not None and 0 < info.bound < 1
            check(info.null != "invariant" or bounded, f"{info.name} declares no healthy rate")

    def test_judges_every_channel_once(self) -> None:
        """One score per channel and no other, on any answer."""
        wanted = sorted(info.name for info in self.scorer.channels)
        for case in self.cases():
            found = sorted(score.channel for score in self.scorer.judge(case))
            check_equal(found, wanted, f"channels judged of {case.completion.text[:40]!r}")

    def test_values_lie_in_range(self) -> None:
        """Values fit the kind; without a value there is a reason."""
        infos = {info.name: info for info in self.scorer.channels}
        for case in self.cases():
            for score in self.scorer.judge(case):
                check_value(infos[score.channel], score)

    def test_is_deterministic(self) -> None:
        """The same answer gets the same scores."""
        for case in self.cases():
            check_equal([*self.scorer.judge(case)], [*self.scorer.judge(case)], "judged again")

    def test_detail_is_small_json(self) -> None:
        """detail is strict JSON of at most 2 KiB."""
        for case in self.cases():
            for score in self.scorer.judge(case):
                size = len(json.dumps(dict(score.detail), allow_nan=False))
                check(size <= 2048, f"{score.channel}: detail of {size} bytes")

    def cases(self) -> Iterator[Case]:
        """Hostile answers, each with one of the sampler settings and verdicts in turn."""
        probe = sample_probe([info.name for info in self.scorer.channels])
        silent = replace(probe, expect=Expect())
        for number, completion in enumerate(hostile_completions(self.seed)):
            sampler = SAMPLERS[number % len(SAMPLERS)]
            verdict = _VERDICTS[number % len(_VERDICTS)]
            yield Case(probe, completion, sampler, verdict)
            yield Case(silent, completion, sampler, verdict)


def check_value(info: ChannelInfo, score: Score) -> None:
    """Raises AssertionError where a score does not fit its channel."""
    value = score.value
    check_equal(score.kind, info.kind, f"kind of {info.name}")
    if value is None:
        check(score.detail.get("reason"), f"{info.name}: neither value nor reason")
    elif info.kind == "category":
        check(isinstance(value, str), f"{info.name}: {value!r} is no category")
    else:
        check(isinstance(value, float) and _fits(info, value), f"{info.name}: value {value!r}")


def _fits(info: ChannelInfo, value: float) -> bool:
    if info.kind == "event":
        return value in (0.0, 1.0)
    return 0.0 <= value <= (1.0 if info.kind == "bounded" else 1e250)
