"""Targets that answer the same prompts in the same rounds, and what a reference tells of them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, ndtri, stdtrit

from benchmarks.detection.controlled_kernels import ROUNDS_A_DAY
from benchmarks.detection.kernels import Floats
from qualmon.stats.baselines.offsets import offsets
from qualmon.stats.bets.odds import bets_on, node_moments
from qualmon.stats.bets.odds_audit import DayDeviation, Slope, day_deviation, slope

PROMPTS = 10
TARGETS = 5
REFERENCE_DAYS = 30
#: Of the offsets' limits in each of five classes. Where class errors are independent the five
#: together are as safe as one of 95 %; day effects are common to the classes and make them less so.
#: Chosen after .95 gave run lengths of four times the nominal and slower tickets.
CONFIDENCE = 0.8
#: Log odds of failure of five classes of prompts about a rate of 2 %.
DIFFICULTY = np.array([-1.5, -0.75, 0.0, 0.75, 1.5])
#: Round effects common to all targets: five equally likely values of a normal of sd .5.
_LEVELS = 0.5 * ndtri((np.arange(5) + 0.5) / 5)
_CENTRE = float(np.log(0.02 / 0.98))


class World(NamedTuple):
    """rates: factors on the odds of the targets; slopes: on difficulty; deviation: of each
    target's day effect, log odds."""

    name: str
    rates: tuple[float, ...] = (1.0,) * TARGETS
    slopes: tuple[float, ...] = (1.0,) * TARGETS
    deviation: float = 0.0


#: The first target is the one tested, and the one that exchangeability wrongs.
_RATES = (3.0, 0.5, 0.7, 1.0, 1.5)
_SLOPES = (1.5, 0.7, 0.9, 1.0, 1.2)
WORLDS = (
    World("equal"),
    World("rates x .5 to 3", rates=_RATES),
    World("slopes .7 to 1.5", slopes=_SLOPES),
    World("day sd .1", deviation=0.1),
    World("day sd .3", deviation=0.3),
    World("day sd .6", deviation=0.6),
    World("rates, slopes, day sd .3", _RATES, _SLOPES, 0.3),
)


class Knowledge(NamedTuple):
    """offset, upper: (C, k), by class, `upper` with the limit in the tested target's place;
    days: its day deviation; slopes: of each target's offsets on difficulty."""

    offset: Floats
    upper: Floats
    days: DayDeviation
    slopes: tuple[Slope, ...]


def logits(world: World) -> Floats:
    """Healthy log odds, (levels, classes, targets)."""
    shape = np.log(world.rates) + np.outer(DIFFICULTY, world.slopes)
    return np.asarray(_CENTRE + _LEVELS[:, None, None] + shape)


def learn(world: World, rng: np.random.Generator) -> Knowledge:
    """From thirty healthy days; a session is a day."""
    classes, bad = _reference(world, rng)
    ones = np.ones_like(bad)
    fits = [
        offsets(bad * (classes == c)[..., None], ones, CONFIDENCE) for c in range(len(DIFFICULTY))
    ]
    offset = np.stack([fit.offset for fit in fits])
    upper = offset.copy()
    upper[:, 0] = [fit.upper[0] for fit in fits]
    student = stdtrit(REFERENCE_DAYS - 1, CONFIDENCE)
    errors = np.stack([(fit.upper - fit.offset) / student for fit in fits])
    hard = [float(value) for value in DIFFICULTY]
    slopes = tuple(
        slope(hard, offset[:, j].tolist(), (errors[:, j] ** 2).tolist()) for j in range(TARGETS)
    )
    return Knowledge(offset, upper, _days(classes, bad, offset), slopes)


def _reference(world: World, rng: np.random.Generator) -> tuple[NDArray[np.int64], Floats]:
    """Class of each prompt (days, prompts), failures (days, prompts, targets)."""
    prompts = ROUNDS_A_DAY * PROMPTS
    classes = rng.integers(len(DIFFICULTY), size=(REFERENCE_DAYS, prompts))
    levels = np.repeat(rng.integers(5, size=(REFERENCE_DAYS, ROUNDS_A_DAY)), PROMPTS, axis=1)
    effects = world.deviation * rng.standard_normal((REFERENCE_DAYS, 1, TARGETS))
    chances = expit(logits(world)[levels, classes] + effects)
    return classes, np.asarray(rng.random(chances.shape) < chances, dtype=np.float64)


def _days(classes: NDArray[np.int64], bad: Floats, offset: Floats) -> DayDeviation:
    """Of the tested target, over the strata that are bet on."""
    s = bad.sum(axis=2).astype(np.int64)
    moments = [node_moments(row.tolist(), [0]) for row in offset]
    mean, variance = (np.stack([m[i] for m in moments])[classes, s] for i in (0, 1))
    told = np.array([bets_on(count, TARGETS) for count in range(TARGETS + 1)])[s]
    hits, expected, spread = ((x * told).sum(axis=1) for x in (bad[..., 0], mean, variance))
    return day_deviation(hits, expected, spread)
