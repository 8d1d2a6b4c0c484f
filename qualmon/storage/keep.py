"""Which answers keep their logprobs: they are ten times the size of everything else.

Kept: every answer with a bad score, and a sample of the others by their id, so that the same
answers are kept whoever stores them. The log's scores never need them again.
"""

from __future__ import annotations

from collections.abc import Iterable

from qualmon.types import Score

#: Of the answers without a bad score, one in so many keeps its logprobs.
SAMPLE_ONE_IN = 20

#: Values from which a score counts as bad: any event, a bounded score of one half, an e-value
#: that one healthy answer in ten may reach.
_BAD_FROM = {"event": 1.0, "bounded": 0.5, "e_value": 10.0}


def is_bad(score: Score) -> bool:
    """Whether this judgement alone makes an answer worth keeping whole. Categories never do."""
    limit = _BAD_FROM.get(score.kind)
    return limit is not None and isinstance(score.value, float | int) and score.value >= limit


def keeps_logprobs(
    observation_id: str, scores: Iterable[Score], one_in: int = SAMPLE_ONE_IN
) -> bool:
    """True for bad answers and for one in `one_in` of the rest (0: for none of the rest)."""
    if any(is_bad(score) for score in scores):
        return True
    return one_in > 0 and int(observation_id[-8:], 16) % one_in == 0
