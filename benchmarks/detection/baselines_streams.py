"""Streams of prompts with reference counts: populations, rules for the rates, figures."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.detection.baselines_kernels import times
from qualmon.stats.baselines.empirical_bayes import FLOOR, LEARNING_MARGIN, Prior, fit, inflated
from qualmon.stats.bets.reference import FREEZE
from qualmon.stats.detector import EVENTS

Floats = NDArray[np.float64]

PROMPTS: Final = 200
NOMINAL: Final = 5_000.0
#: One round of the prompts: an answer becomes reference when its prompt is next asked.
LAG: Final = PROMPTS
#: Evidence never falls below this, so a reference with it never learns.
FROZEN: Final = -1.0
#: Reference answers of a rate that is known.
_KNOWN: Final = 1e12


class Population(NamedTuple):
    """References of one population. rates, hits, n: (references, prompts)."""

    rates: Floats
    hits: Floats
    n: Floats


class Rule(NamedTuple):
    """How rates are predicted. priors: (references, 2); learning: with lag, or frozen."""

    name: str
    hits: Floats
    n: Floats
    priors: Floats
    learning: bool


def population(a: float, b: float, calls: int, references: int, seed: int) -> Population:
    """True rates of 200 prompts from Beta(a, b) and `calls` reference answers of each."""
    rng = np.random.default_rng([seed, calls, round(1000 * a), round(1000 * b)])
    rates = rng.beta(a, b, (references, PROMPTS))
    n = np.full(rates.shape, float(calls))
    return Population(rates, rng.binomial(calls, rates).astype(np.float64), n)


def given(people: Population, prior: Prior) -> list[Prior]:
    """The same prior for every reference."""
    return [prior] * len(people.rates)


def fitted(people: Population) -> list[Prior]:
    """Each reference's own prior."""
    return [fit(h, n) for h, n in zip(people.hits, people.n, strict=True)]


def raised(people: Population, priors: list[Prior], margin: float = LEARNING_MARGIN) -> list[Prior]:
    """Each prior inflated on its own reference."""
    counts = zip(priors, people.hits, people.n, strict=True)
    return [inflated(prior, h, n, margin) for prior, h, n in counts]


def by_prompt(name: str, people: Population, priors: list[Prior], learning: bool = True) -> Rule:
    """Rates by prompt from `priors` and the reference counts."""
    pairs = np.array([(prior.a, prior.b) for prior in priors])
    return Rule(name, people.hits, people.n, pairs, learning)


def known(name: str, people: Population, rates: Floats) -> Rule:
    """Rates that are known, however they came about."""
    n = np.full(people.n.shape, _KNOWN)
    return Rule(name, np.broadcast_to(rates, n.shape) * n, n, np.zeros((len(n), 2)), False)


def pooled(people: Population, *, estimated: bool = False) -> Rule:
    """One rate for all prompts: the true mean of the stream, or the reference's."""
    if estimated:
        rate = people.hits.sum(axis=1, keepdims=True) / people.n.sum(axis=1, keepdims=True)
        return known("pooled rate of the reference", people, rate)
    return known("pooled rate, known", people, people.rates.mean(axis=1, keepdims=True))


def simulate(
    people: Population,
    rule: Rule,
    *,
    runs: int,
    seed: int,
    fault: float = 0.0,
    change: int = 0,
    threshold: float = NOMINAL,
    freeze: float = FREEZE,
) -> Floats:
    """Times to alarm after `change`, (references, runs), restricted to 4 x nominal."""
    floor = FLOOR if rule.priors.any() else 0.0
    found = times(
        people.rates,
        rule.hits,
        rule.n,
        rule.priors,
        floor,
        LAG,
        freeze * threshold if rule.learning else FROZEN,
        np.asarray(EVENTS.shares),
        np.asarray(EVENTS.weights),
        threshold,
        fault,
        change,
        runs,
        int(4 * NOMINAL),
        seed,
    )
    return found.astype(np.float64)


class RunLength(NamedTuple):
    """Of the conditional run lengths of references: mean and 10th percentile, each with its
    95 % interval, that percentile corrected for the noise of few runs, and the median."""

    mean: float
    mean_span: tuple[float, float]
    tenth: float
    tenth_span: tuple[float, float]
    corrected: float
    median: float


def run_length(found: Floats) -> RunLength:
    """From times (references, runs), restricted, which only makes the figures smaller."""
    each = found.mean(axis=1)
    references, runs = found.shape
    half = 1.96 * float(each.std(ddof=1)) / math.sqrt(references)
    # The observed spread over references holds the noise of few runs; its part is taken off
    # the distance between the 10th percentile and the centre, on the logarithm.
    logs = np.log(each)
    noise = float((found.var(axis=1, ddof=1) / runs / each**2).mean())
    kept = math.sqrt(max(0.0, 1.0 - noise / float(logs.var(ddof=1))))
    corrected = math.exp(logs.mean() + kept * (np.quantile(logs, 0.1) - logs.mean()))
    spread = 1.96 * math.sqrt(0.09 / references)
    low, high = np.quantile(each, [max(0.0, 0.1 - spread), 0.1 + spread])
    mean = float(each.mean())
    return RunLength(
        mean,
        (mean - half, mean + half),
        float(np.quantile(each, 0.1)),
        (float(low), float(high)),
        corrected,
        float(np.median(each)),
    )


def ratio(slow: Floats, fast: Floats, seed: int) -> tuple[float, float, float]:
    """Ratio of mean delays with a 95 % bootstrap interval over references."""
    a, b = slow.mean(axis=1), fast.mean(axis=1)
    draws = np.random.default_rng(seed).integers(0, len(a), (500, len(a)))
    low, high = np.quantile(a[draws].mean(axis=1) / b[draws].mean(axis=1), [0.025, 0.975])
    return float(a.mean() / b.mean()), float(low), float(high)
