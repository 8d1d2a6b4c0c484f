"""Faults for which no template was made: the same frozen dictionary, each with its own oracle."""

from __future__ import annotations

import numpy as np

from benchmarks.detection.kernels import Floats
from benchmarks.detection.scores_methods import (
    ARLS,
    Effort,
    Measured,
    calibrated,
    delays,
    measured,
    runs_of,
    score_mixture,
)
from benchmarks.detection.scores_peers import oracles
from benchmarks.detection.scores_world import CELLS, SHARES, beta, contaminated, sampler
from benchmarks.report import Setting, Table
from qualmon.stats.bets.bounded import ScoreBets


def shifted(law: Floats, cells: int) -> Floats:
    """Every score worse by `cells` cells, at most 1."""
    moved = np.zeros(law.size)
    moved[cells:CELLS] = law[: CELLS - cells]
    moved[CELLS - 1] += law[CELLS - cells :].sum()
    return moved


def faults(health: Floats) -> dict[str, tuple[Floats, tuple[float, ...]]]:
    """Name -> (law of a bad answer's score, shares of bad answers)."""
    ones = np.eye(CELLS + 1)[CELLS]
    moved = shifted(health, CELLS // 50)
    return {
        "Beta(3, 9): a little worse": (beta(3, 9), SHARES),
        "Beta(12, 3): far worse": (beta(12, 3), SHARES),
        "exactly 1": (ones, SHARES),
        "uniform": (beta(1, 1), SHARES),
        "Beta(30, 70): a narrow peak at .3": (beta(30, 70), SHARES),
        "healthy + .02": (moved, (0.16, 0.9999)),
    }


def fault_tables(health: Floats, bets: ScoreBets, effort: Effort, setting: Setting) -> list[Table]:
    """One table per run length: 5,000 by default, 100,000 too with --full."""
    less = effort._replace(observations=effort.observations // 2, paths=effort.paths // 4)
    arls = ARLS if setting.full else ARLS[:1]
    return [_table(health, bets, arl, less, setting.seed) for arl in arls]


def _table(health: Floats, bets: ScoreBets, arl: int, effort: Effort, seed: int) -> Table:
    before, method = sampler(health), score_mixture(bets)
    threshold = calibrated(method, before, arl, effort, 10 * seed + 1)
    rows: list[tuple[float | str | None, ...]] = []
    for name, (law, shares) in faults(health).items():
        after = contaminated(health, law, shares)
        found = delays(method, threshold, before, after, arl, effort, 10 * seed + 3)
        ours = Measured({arl: tuple(found)}, {arl: runs_of(effort, arl)})
        best = measured(
            oracles(health, law, shares), health, law, shares, effort, seed, arls=(arl,)
        )
        for share, x, y in zip(shares, ours.delays[arl], best.delays[arl], strict=True):
            rows.append((name, f"{share:.1%}", y.mean, x.mean, x.mean / y.mean))
    return Table(
        f"Faults the dictionary was not made for, run length {arl:,}: delay in scores",
        ("law of bad answers", "share", "its oracle", "ours", "ratio"),
        tuple(rows),
    )
