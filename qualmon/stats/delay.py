"""Detection delays of a design by simulation, from zero or steady state.

Delay is counted from the change to the alarm on paths without an earlier alarm.
Source: Pollak, "Optimal detection of a change in distribution" (AoS 13, 1985).
"""

from __future__ import annotations

import numpy as np

from qualmon.errors import StatisticsError
from qualmon.stats.detector import Design
from qualmon.stats.esr import Floats
from qualmon.stats.runlength import CHUNK, Fold, Sampler, fold, passages


def delays(
    design: Design,
    healthy: Sampler,
    faulty: Sampler,
    threshold: float,
    *,
    change: int,
    runs: int,
    limit: int,
    seed: int,
    hours: float = 1.0,
    engine: Fold = fold,
) -> Floats:
    """Hours from the change to the alarm, given none before it: shape (runs,), inf if cut.

    change: healthy observations before (0: zero state, a long one: steady state). Paths that
    alarm before the change are drawn again. Raises StatisticsError when nearly all do.
    """
    if change == 0:
        start = np.zeros((runs, len(design.shares)))
    else:
        start = _quiet(design, healthy, threshold, change, runs, seed, hours, engine)
    times = passages(
        design, faulty, (threshold,), runs=runs, limit=limit, seed=seed + 1, hours=hours,
        start=start, engine=engine,
    )  # fmt: skip
    return times[:, 0]


def _quiet(
    design: Design,
    draw: Sampler,
    threshold: float,
    change: int,
    runs: int,
    seed: int,
    hours: float,
    engine: Fold,
) -> Floats:
    """Masses after `change` healthy observations of paths that did not alarm: (runs, bets)."""
    rng = np.random.default_rng(seed)
    kept: list[Floats] = []
    for _ in range(50):
        mass, quiet = np.zeros((runs, len(design.shares))), np.ones(runs, dtype=bool)
        for begun in range(0, change, CHUNK):
            block = draw(rng, (min(CHUNK, change - begun), runs))
            mass, evidence = engine(design, mass, block, hours)
            quiet &= evidence.max(axis=0) < threshold
        kept.append(mass[quiet])
        if sum(len(part) for part in kept) >= runs:
            return np.concatenate(kept)[:runs]
    raise StatisticsError(
        f"fewer than {runs} of {50 * runs} paths are quiet for {change} observations; "
        "move the change nearer or raise the threshold"
    )
