"""Rank categories: the sampled token's rank alone, no log-probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from benchmarks.detection import scores_kernels as compiled
from benchmarks.detection.kernels import Floats
from benchmarks.detection.scores_methods import (
    ARLS,
    Effort,
    Method,
    measured,
    mixture,
    scalar,
)
from benchmarks.detection.scores_peers import oracles
from benchmarks.detection.scores_world import Case, cases
from benchmarks.report import Table
from qualmon.stats.bets import category, tails, two_sided
from qualmon.stats.bets.dictionary import Dictionary, Template, build

RANKS: Final = ("1", "2", "3-5", "6-20", "21-100", "101-1000", "> 1000")
HEALTH: Final[Floats] = np.array([0.80, 0.10, 0.06, 0.03, 0.009, 0.00095, 0.00005])
DROPPED: Final[Floats] = np.append(0.0, HEALTH[1:] / HEALTH[1:].sum())
CORRUPTED: Final[Floats] = np.array([0.0, 0.0, 0.0, 0.0, 0.10, 0.35, 0.55])
DROPS: Final = (0.01, 0.05, 0.16)
CORRUPTIONS: Final = (0.001, 0.008, 0.02)
CASES: Final = (*cases(DROPPED, DROPS), *cases(CORRUPTED, CORRUPTIONS))
ARL: Final = ARLS[1]


def category_table(effort: Effort, seed: int) -> Table:
    """Delay at run length 100,000 of ours, the equal tails, both sides and a window."""
    methods = {
        "ours": [_mixture(category.known(HEALTH))],
        "equal tails": [_mixture(_equal_tails())],
        "ours, two-sided": [_mixture(two_sided.known_categories(HEALTH))],
    }
    less = effort._replace(paths=effort.paths // 4)
    best = _late(oracles(HEALTH, CASES), CASES, less, seed)
    columns = [_late(each, CASES, less, seed) for each in methods.values()]
    columns += [_windows(less, seed)]
    names = ["top-1 dropped"] * len(DROPS) + ["corrupted token"] * len(CORRUPTIONS)
    return Table(
        f"Rank categories, known probabilities, run length {ARL:,}: delay in tokens (x oracle)",
        ("fault", "share", "oracle CUSUM", *methods, "1000-window, best event"),
        tuple(
            (name, f"{case.share:.1%}", oracle, *(f"{d:,.0f} ({d / oracle:.2f})" for d in each))
            for name, case, oracle, *each in zip(names, CASES, best, *columns, strict=True)
        ),
        f"Ranks {' | '.join(RANKS)} with healthy probabilities "
        f"{' '.join(f'{p:g}' for p in HEALTH)}; corrupted tokens "
        f"{' '.join(f'{p:g}' for p in CORRUPTED)}. The window's event is chosen knowing the fault.",
    )


def _late(
    methods: Sequence[Method], asked: Sequence[Case], effort: Effort, seed: int
) -> list[float]:
    found = measured(methods, HEALTH, asked, effort, seed, arls=(ARL,))
    return [delay.mean for delay in found.delays[ARL]]


def _windows(effort: Effort, seed: int) -> list[float]:
    """Of the window whose event suits each kind of fault best."""
    kinds = CASES[: len(DROPS)], CASES[len(DROPS) :]
    return [d for kind in kinds for d in _late([_window(kind[0].fault)], kind, effort, seed)]


def _mixture(dictionary: Dictionary) -> Method:
    return mixture(dictionary, np.arange(HEALTH.size))


def _equal_tails() -> Dictionary:
    """One tail bet per cut, equal weights: no template, no log-uniform spread."""
    above = np.cumsum(HEALTH[::-1])[::-1]
    above[0] = 1.0
    return build(
        [
            Template(f">= {j}", tails.mixture(above, amounts), 1.0)
            for j, amounts in enumerate(np.eye(HEALTH.size)[1:], start=1)
        ]
    )


def _window(fault: Floats) -> Method:
    """Count, in the last 1,000, of the tail event whose z-score the fault moves most."""
    healthy, faulty = (np.cumsum(law[::-1])[::-1][1:] for law in (HEALTH, fault))
    spread = np.sqrt(healthy * (1.0 - healthy))
    best = 1 + int(np.argmax((faulty - healthy) / spread * (1000.0 * healthy > 0.5)))
    event = (np.arange(HEALTH.size) >= best).astype(np.float64)
    z = (event - healthy[best - 1]) / (spread[best - 1] * np.sqrt(1000.0))
    return scalar(compiled.WINDOW, 1000, z, np.linspace(0.5, 20.0, 300))
