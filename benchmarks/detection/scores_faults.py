"""Faults for which no template was made: the same frozen dictionary, each with its own oracle."""

from __future__ import annotations

import numpy as np

from benchmarks.detection.kernels import Floats
from benchmarks.detection.scores_methods import ARLS, Effort, measured, score_mixture
from benchmarks.detection.scores_peers import oracles
from benchmarks.detection.scores_world import CELLS, Case, beta, cases
from benchmarks.report import Setting, Table
from qualmon.stats.bets.bounded import ScoreBets


def shifted(law: Floats, cells: int) -> Floats:
    """Every score worse by `cells` cells, at most 1."""
    moved = np.zeros(law.size)
    moved[cells:CELLS] = law[: CELLS - cells]
    moved[CELLS - 1] += law[CELLS - cells :].sum()
    return moved


def faults(health: Floats) -> dict[str, list[Case]]:
    """What one bad answer is like -> its cases."""
    ones = np.eye(CELLS + 1)[CELLS]
    moved = shifted(health, CELLS // 50)
    return {
        "Beta(3, 9): a little worse": cases(beta(3, 9)),
        "Beta(12, 3): far worse": cases(beta(12, 3)),
        "exactly 1": cases(ones),
        "uniform": cases(beta(1, 1)),
        "Beta(30, 70): a narrow peak at .3": cases(beta(30, 70)),
        "healthy + .02": cases(moved, (0.16, 0.9999)),
    }


def fault_tables(health: Floats, bets: ScoreBets, effort: Effort, setting: Setting) -> list[Table]:
    """One table per run length: 5,000 by default, 100,000 too with --full."""
    less = effort._replace(observations=effort.observations // 2, paths=effort.paths // 4)
    arls = ARLS if setting.full else ARLS[:1]
    return [_table(health, bets, arl, less, setting.seed) for arl in arls]


def _table(health: Floats, bets: ScoreBets, arl: int, effort: Effort, seed: int) -> Table:
    named = [(name, case) for name, each in faults(health).items() for case in each]
    asked = [case for _, case in named]
    ours = measured([score_mixture(bets)], health, asked, effort, seed, arls=(arl,))
    best = measured(oracles(health, asked), health, asked, effort, seed, arls=(arl,))
    return Table(
        f"Faults the dictionary was not made for, run length {arl:,}: delay in scores",
        ("law of bad answers", "share", "its oracle", "ours", "ratio"),
        tuple(
            (name, f"{case.share:.1%}", y.mean, x.mean, x.mean / y.mean)
            for (name, case), x, y in zip(named, ours.delays[arl], best.delays[arl], strict=True)
        ),
    )
