"""What stands beside the shipped dictionary: oracle, its own parts, and peers on the mean."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from benchmarks.detection import scores_kernels as compiled
from benchmarks.detection.kernels import Floats
from benchmarks.detection.scores_methods import Method, cusum, mixture, scalar
from benchmarks.detection.scores_world import CELLS, VALUES, Case, known_bets, log_ratio
from qualmon.stats.bets import tails
from qualmon.stats.bets.bounded import ScoreBets, outcome
from qualmon.stats.bets.dictionary import Dictionary, Template, build
from qualmon.stats.bets.two_sided import TwoSided


def oracles(health: Floats, cases: Sequence[Case]) -> list[Method]:
    """The CUSUM that knows the healthy law, the fault and the share; one per case."""
    return [cusum(log_ratio(health, case)) for case in cases]


def gaussians(health: Floats, cases: Sequence[Case]) -> list[Method]:
    """The Gaussian CUSUM tuned to each case's true shift of the mean."""
    mean, deviation = _moments(health)
    z = (VALUES - mean) / deviation
    shifts = [share * (float(fault @ VALUES) - mean) / deviation for fault, share in cases]
    return [cusum(shift * (z - shift / 2.0)) for shift in shifts]


def window(health: Floats, size: int) -> Method:
    """z-test of the mean of the last `size` scores against the known mean, at every score."""
    mean, deviation = _moments(health)
    z = (VALUES - mean) / (deviation * math.sqrt(size))
    return scalar(compiled.WINDOW, size, z, np.linspace(0.5, 12.0, 160))


def page_hinkley() -> Method:
    """PageHinkley upwards, as river 0.26.1 computes it, with its default constants."""
    grid = np.exp(np.linspace(math.log(0.05), 6.0, 120))
    return scalar(compiled.PAGE_HINKLEY, 1, VALUES, grid)


def parts(health: Floats, fault: Floats, bets: ScoreBets) -> dict[str, Method]:
    """The dictionary's parts alone; and the fault's own template on the same bins."""
    table, size = outcome(bets, VALUES), bets.tails.size
    old, new = (np.bincount(table, law, minlength=size) for law in (health, fault))
    single = [tails.single(bets.tails, q) for q in (0.3, 0.1, 0.03, 0.01, 0.003, 0.001)]
    values = np.append(0.0, bets.thresholds)
    ratios = {
        "fault's own template": [new / old],
        "log-uniform template": [tails.mixture(bets.tails, tails.log_uniform(bets.tails))],
        "single tails .3 to .001": [tails.mixture(bets.tails, amounts) for amounts in single],
        "mean bet": [tails.mixture(bets.tails, tails.mean(bets.tails, values))],
    }
    return {
        name: mixture(build([Template(name, r, 1.0) for r in each]), table)
        for name, each in ratios.items()
    }


def both_sides(health: Floats, bets: ScoreBets) -> Method:
    """The two-sided dictionary, on the pairs of outcomes of its two sides."""
    mirrored = np.append(health[:CELLS][::-1], 0.0)
    both = TwoSided(bets, known_bets(mirrored))
    pairs = np.stack([outcome(both.high, VALUES), outcome(both.low, 1.0 - VALUES)])
    distinct, table = np.unique(pairs, axis=1, return_inverse=True)
    sides = both.high.dictionary.factors[distinct[0]], both.low.dictionary.factors[distinct[1]]
    joined = Dictionary(np.concatenate(sides, axis=1), both.weights, (), ())
    return mixture(joined, table.ravel())


def _moments(law: Floats) -> tuple[float, float]:
    mean = float(law @ VALUES)
    return mean, math.sqrt(float(law @ (VALUES - mean) ** 2))
