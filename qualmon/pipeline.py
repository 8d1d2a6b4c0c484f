"""An answer becomes scores. Pure: no input, output, clock, chance or log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qualmon.scorers import CHANNELS, SCORERS, Case, Scorer, is_derived
from qualmon.scorers.code import LANGUAGES, extract
from qualmon.types import CompileVerdict, Completion, Probe, Score, family_of


def score(
    probe: Probe,
    completion: Completion,
    *,
    sampler: Mapping[str, Any],
    verdict: CompileVerdict | None = None,
    scorers: Mapping[str, Scorer] = SCORERS,
) -> tuple[Score, ...]:
    """Scores of one answer on the probe's channels, one per channel and in the probe's order.

    sampler: the effective sampler settings (probe, then endpoint), with ``neutral: True``
    where the operator vouches for the rest. verdict: of the source that `code_to_check`
    named. scorers: by family, the built-in ones unless told otherwise.
    Never raises on an answer: a channel that cannot judge has value None and a reason.
    Channels that the fold derives (novelty) are left out.
    """
    case = Case(probe, completion, sampler, verdict)
    wanted = [name for name in dict.fromkeys(probe.channels) if not is_derived(name)]
    found: dict[str, Score] = {}
    for family in dict.fromkeys(map(family_of, wanted)):
        if family in scorers:
            found |= _judged(scorers[family], case)
    return tuple(found.get(channel) or _silent(channel) for channel in wanted)


def _judged(scorer: Scorer, case: Case) -> dict[str, Score]:
    try:
        return {judged.channel: judged for judged in scorer.judge(case)}
    except Exception as error:  # noqa: BLE001 - one scorer's fault must not silence the others
        detail = {"reason": f"scorer broken: {type(error).__name__}: {error}"[:500], "broken": True}
        return {info.name: Score(info.name, info.kind, None, detail) for info in scorer.channels}


def _silent(channel: str) -> Score:
    kind = CHANNELS[channel].kind if channel in CHANNELS else "event"
    return Score(channel, kind, None, {"reason": f"no scorer judges {channel}"})


def code_to_check(probe: Probe, completion: Completion) -> tuple[str, str] | None:
    """Language and source that a compiler should see before `score`, or None.

    None where no code channel is wanted, the language has no compiler here, or the answer
    holds no single whole piece of code.
    """
    asked = probe.expect.code
    if asked is None or not any(family_of(channel) == "code" for channel in probe.channels):
        return None
    found = extract(probe, completion)
    return None if found.outcome else (LANGUAGES[asked.strip().lower()], found.source)
