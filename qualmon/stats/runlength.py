"""Run lengths of a design by simulation: what a threshold achieves in fact.

The provable threshold (evidence = budget) needs none of this. A calibrated one is lower, and
holds only for the schedule and the bets that were simulated here: gates and reports may use
it, pages may not (statistics, rule 1).

Streams are independent paths from no evidence, folded together. The caller gives a sampler of
e-values, `draw(rng, (steps, streams))`, and the seed. Long runs are cut at a limit; the mean
is then completed by an exponential tail, see `mean_time`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np

from qualmon.errors import StatisticsError
from qualmon.stats.detector import Design
from qualmon.stats.esr import Floats
from qualmon.stats.fleet import Fleet

#: E-values of shape (steps, streams), drawn from the generator given.
Sampler = Callable[[np.random.Generator, tuple[int, int]], Floats]
#: (design, masses (streams, bets), e-values (steps, streams), hours between two) ->
#: (masses, evidence (steps, streams)). `fold` here, or `scan.fold`.
Fold = Callable[[Design, Floats, Floats, float], tuple[Floats, Floats]]

#: Observations that are drawn at a time.
CHUNK: Final = 256
#: Rungs per factor of e in the ladder of thresholds that calibration tries.
LADDER: Final = 60


class RunLength(NamedTuple):
    """Mean time to an alarm in hours, with its 95 % interval; of `runs`, `alarms` were seen."""

    mean: float
    low: float
    high: float
    runs: int
    alarms: int


class Calibrated(NamedTuple):
    """A threshold in hours of evidence and the run length that it achieved."""

    threshold: float
    achieved: RunLength


def events(rate: float, bound: float) -> Sampler:
    """E-values of events that happen at `rate`, judged against `bound` (both in (0, 1))."""
    if not (0.0 < bound < 1.0 and 0.0 <= rate <= 1.0):
        raise StatisticsError(f"rate {rate!r} in [0, 1] and bound {bound!r} in (0, 1) expected")
    return lambda rng, shape: (rng.random(shape) < rate) / bound


def fold(design: Design, mass: Floats, ratios: Floats, hours: float) -> tuple[Floats, Floats]:
    """Folds a block of e-values into all streams; see `Fold` for the shapes."""
    fleet = Fleet(design, mass.shape[0])
    fleet.load(mass)
    evidence = np.empty(ratios.shape)
    for row, ratio in zip(evidence, ratios, strict=True):
        row[:] = fleet.step(ratio, hours=hours)
    return fleet.masses().mass, evidence


def passages(
    design: Design,
    draw: Sampler,
    thresholds: Sequence[float],
    *,
    runs: int,
    limit: int,
    seed: int,
    hours: float = 1.0,
    start: Floats | None = None,
    engine: Fold = fold,
) -> Floats:
    """Hours until each of the ascending `thresholds` is first reached: shape (runs, J).

    hours: time between two observations; inf where `limit` observations did not reach it.
    start: masses to begin with, shape (runs, bets); none by default. One simulation serves all
    thresholds. Raises StatisticsError for thresholds not positive and ascending.
    """
    ladder = np.asarray(thresholds, dtype=np.float64)
    if not (ladder.size and ladder[0] > 0.0 and (np.diff(ladder) > 0.0).all()):
        raise StatisticsError(f"thresholds {thresholds!r} must be positive and ascending")
    if runs < 1 or limit < 1:
        raise StatisticsError(f"{runs} runs of {limit} observations; give at least one of each")
    rng = np.random.default_rng(seed)
    mass = np.zeros((runs, len(design.shares))) if start is None else start
    found, alive = np.full((runs, ladder.size), np.inf), np.arange(runs)
    for begun in range(0, limit, CHUNK):
        steps = min(CHUNK, limit - begun)
        mass, evidence = engine(design, mass, draw(rng, (steps, alive.size)), hours)
        _record(found, alive, evidence, ladder, begun, hours)
        open_runs = np.isinf(found[alive, -1])
        if not open_runs.any():
            break
        # Halving rather than dropping each run at once: few shapes, which a compiler likes.
        if 2 * int(open_runs.sum()) <= alive.size:
            alive, mass = alive[open_runs], mass[open_runs]
    return found


def _record(
    found: Floats, alive: np.ndarray, evidence: Floats, ladder: Floats, begun: int, hours: float
) -> None:
    """Notes the first passages of this block in `found`."""
    top = evidence.max(axis=0)
    for rung, threshold in enumerate(ladder):
        first = np.flatnonzero((top >= threshold) & np.isinf(found[alive, rung]))
        if first.size:
            when = np.argmax(evidence[:, first] >= threshold, axis=0)
            found[alive[first], rung] = (begun + when + 1) * hours


def mean_time(times: Floats, limit: float) -> RunLength:
    """Mean of passage times that were cut at `limit` hours (inf: not reached by then).

    E[T] = E[min(T, limit)] + P(T > limit) / rate, where the rate is alarms per hour in the
    second half of the horizon: an exponential tail, which a run length has once the start is
    forgotten. Without a cut run it is the plain mean. The interval is that of the influence
    function on the log scale; with no alarm in the second half the mean is inf, and `low`
    rests on the 2.5 % limit of no event (3.69). Raises StatisticsError for no times.
    """
    runs = times.size
    if not runs:
        raise StatisticsError("no run to average; simulate at least one")
    kept, cut = np.minimum(times, limit), ~(times <= limit)
    late = (times > 0.5 * limit) & ~cut
    exposed = np.maximum(kept - 0.5 * limit, 0.0)
    alarms = runs - int(cut.sum())
    if cut.any() and not late.any():
        low = float(kept.mean() + cut.mean() * exposed.sum() / -math.log(0.025))
        return RunLength(math.inf, low, math.inf, runs, alarms)
    tail = float(exposed.sum() / late.sum()) if cut.any() else 0.0
    mean = float(kept.mean() + cut.mean() * tail)
    influence = kept + tail * cut
    if cut.any():
        influence = influence + cut.mean() * (exposed - tail * late) / late.mean()
    spread = math.exp(1.96 * float(influence.std()) / math.sqrt(runs) / mean)
    return RunLength(mean, mean / spread, mean * spread, runs, alarms)


def run_length(
    design: Design,
    draw: Sampler,
    threshold: float,
    *,
    runs: int,
    limit: int,
    seed: int,
    hours: float = 1.0,
    engine: Fold = fold,
) -> RunLength:
    """Mean hours to reach `threshold` from no evidence; raises like `passages`."""
    times = passages(
        design, draw, (threshold,), runs=runs, limit=limit, seed=seed, hours=hours, engine=engine
    )
    return mean_time(times[:, 0], limit * hours)


def calibrated(
    design: Design,
    draw: Sampler,
    arl: float,
    *,
    runs: int,
    seed: int,
    hours: float = 1.0,
    engine: Fold = fold,
) -> Calibrated:
    """The lowest threshold of a ladder (1.7 % apart) whose simulated mean is >= `arl` hours.

    Streams of few outcomes move in atoms: the run length achieved may lie well above `arl`,
    and is returned. At most `arl` itself is needed, where the guarantee is proven.
    """
    steps = math.ceil(arl / hours)
    rungs = arl * np.exp(-np.arange(2 * LADDER, -1, -1) / LADDER)
    times = passages(
        design, draw, tuple(rungs), runs=runs, limit=4 * steps, seed=seed, hours=hours,
        engine=engine,
    )  # fmt: skip
    for rung, column in zip(rungs, times.T, strict=True):
        achieved = mean_time(column, 4 * steps * hours)
        if achieved.mean >= arl:
            return Calibrated(float(rung), achieved)
    return Calibrated(arl, achieved)
