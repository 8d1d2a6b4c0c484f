"""What an event of a stream is worth: against a declared rate, or against a frozen reference.

A reference without prompts gives one rate, and every later answer depends on the same error of
it: the bet is made at its upper 95 % limit. With many prompts the errors of single prompts
average out: empirical Bayes rates with the inflated prior. With few prompts they do not, and
the rates are raised together until their mean is the pooled upper limit.

Catches: events more frequent than in the reference. Blind to: a fault that the reference holds;
prompts whose reference was bad throughout.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, Protocol

import numpy as np

from qualmon.errors import StatisticsError
from qualmon.stats.baselines import empirical_bayes
from qualmon.stats.baselines.dispersion import dispersion, independent
from qualmon.stats.bets.events import event_ratio
from qualmon.stats.bounds import upper_limit
from qualmon.stats.detector import EVENTS
from qualmon.stats.stream import Health, Worth, worth

#: With as many prompts the errors of their rates average out (reference of ten answers each).
MANY_PROMPTS: Final = 30
#: Blocks of the dispersion check: at most so many, each with so many bad answers expected.
_BLOCKS: Final = 30
_EXPECTED: Final = 5.0


class Counts(NamedTuple):
    """Answers and bad ones; a cluster counts as one answer with its mean."""

    n: int
    hits: float


class Valuation(Protocol):
    """Turns values of a stream into bets. weights: of the bets, sum 1."""

    health: Health
    weights: Sequence[float]

    def worth(self, prompt: str | None, value: float) -> Worth:
        """The bet on one value; raises StatisticsError for one outside the kind's range."""
        ...


class Events:
    """Events (0 or 1) with a healthy rate by prompt, and one for all other prompts."""

    def __init__(self, health: Health, rates: Mapping[str | None, float], other: float) -> None:
        """Raises StatisticsError for a rate outside (0, 1]."""
        self.health = health
        self.weights: Sequence[float] = EVENTS.weights
        self._good = worth(0.0, 0.0)
        self._bad = {key: worth(event_ratio(1.0, rate), 1.0) for key, rate in rates.items()}
        self._other = worth(event_ratio(1.0, other), 1.0)

    def worth(self, prompt: str | None, value: float) -> Worth:
        """The bet on an event; raises StatisticsError for a value that is neither 0 nor 1."""
        if value == 0.0:
            return self._good
        if value == 1.0:
            return self._bad.get(prompt, self._other)
        raise StatisticsError(f"event {value!r} is neither 0 nor 1")


def declared(rate: float) -> Events:
    """Events against a declared healthy rate, which the stream itself has to prove."""
    return Events(Health(null_rate(rate), "declared"), {}, rate)


def null_rate(rate: float) -> float:
    """`rate` if a healthy rate can be declared so; StatisticsError outside (0, 1)."""
    if not 0.0 < rate < 1.0:
        raise StatisticsError(
            f"null rate {rate!r} is not between 0 and 1", remedy="Give a healthy rate such as 0.01"
        )
    return rate


def referenced(counts: Mapping[str | None, Counts], blocks: Sequence[Counts]) -> Events:
    """Events against a reference: counts by prompt (None: lines without one), and the same
    answers by blocks of time in order, for the dispersion check.

    Raises StatisticsError for an empty reference, and for one that is bad throughout.
    """
    n, hits = sum(c.n for c in counts.values()), math.fsum(c.hits for c in counts.values())
    if not n:
        raise StatisticsError("the reference is empty", remedy="Give lines from a healthy time")
    if hits >= n:
        raise StatisticsError(
            f"all {n} answers of the reference are bad, nothing could be worse",
            remedy="Give lines from a healthy time",
        )
    limit = min(upper_limit(n, hits), 1.0 - 0.5 / n)
    health = Health(limit, "proven" if even(blocks) else "refused")
    if set(counts) == {None}:
        return Events(health, {}, limit)
    return Events(health, *_by_prompt(counts, limit))


def _by_prompt(
    counts: Mapping[str | None, Counts], limit: float
) -> tuple[dict[str | None, float], float]:
    """Rates of the prompts of a reference, and of a prompt unknown to it."""
    n = np.array([c.n for c in counts.values()], dtype=np.float64)
    hits = np.array([c.hits for c in counts.values()])
    prior = empirical_bayes.inflated(empirical_bayes.fit(hits, n), hits, n)
    rates = empirical_bayes.rate(prior, hits, n)
    other = float(empirical_bayes.rate(prior, 0.0, 0.0))
    if len(counts) < MANY_PROMPTS:
        raised = max(1.0, limit * float(n.sum()) / float(n @ rates))
        rates, other = np.minimum(rates * raised, 1.0), min(other * raised, 1.0)
    return dict(zip(counts, rates.tolist(), strict=True)), other


def even(blocks: Sequence[Counts]) -> bool:
    """True unless the bad answers scatter more between blocks of time than chance allows.

    Consecutive blocks are joined until each expects five bad answers; with fewer than two such
    blocks nothing speaks against evenness.
    """
    n, hits = sum(b.n for b in blocks), math.fsum(b.hits for b in blocks)
    groups = min(_BLOCKS, len(blocks), int(hits / _EXPECTED))
    if groups < 2 or hits >= n:
        return True
    answers, bad = np.zeros(groups), np.zeros(groups)
    seen = 0
    for block in blocks:
        group = min(groups - 1, seen * groups // n)
        answers[group] += block.n
        bad[group] += block.hits
        seen += block.n
    kept = answers > 0
    if kept.sum() < 2:
        return True
    return independent(dispersion(answers[kept].tolist(), bad[kept].tolist()))
