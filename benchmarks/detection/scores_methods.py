"""Detectors of scores at equal achieved run length: threshold by simulation, then delays."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.detection import scores_kernels as compiled
from benchmarks.detection.kernels import Counts, Floats
from benchmarks.detection.scores_world import VALUES, Case, Sampler, contaminated, sampler
from qualmon.stats.bets.bounded import ScoreBets, outcome
from qualmon.stats.bets.dictionary import Dictionary

ARLS: Final = (5_000, 100_000)
#: Healthy scores before the change, per run length.
CHANGE: Final = {5_000: 1_000, 100_000: 2_000}


class Method(NamedTuple):
    """A detector with one threshold. passages(sampler, thresholds, runs, limit, seed);
    delays(sampler, faulty samplers, change, threshold, runs, branches, limit, seed)."""

    grid: Floats
    passages: Callable[[Sampler, Floats, int, int, int], Counts]
    delays: Callable[[Sampler, Sampler, int, float, int, int, int, int], Counts]


class Effort(NamedTuple):
    """How much to simulate: observations for a run length, and paths per delay."""

    observations: int
    paths: int


class Delay(NamedTuple):
    """Mean delay with its standard error, and the share of paths cut at the limit."""

    mean: float
    error: float
    cut: float


class Measured(NamedTuple):
    """A method's delays per run length, one per case, and the runs behind its thresholds."""

    delays: dict[int, tuple[Delay, ...]]
    runs: dict[int, int]


def cusum(values: Floats) -> Method:
    """The CUSUM of `values`, log likelihood ratios of the fine outcomes."""
    return scalar(compiled.CUSUM, 1, values, np.linspace(0.02, 30.0, 300))


def scalar(kind: int, window: int, values: Floats, grid: Floats) -> Method:
    """A detector of one statistic; values: what it sees of each fine outcome."""
    return Method(
        grid,
        lambda s, thresholds, *rest: _call(
            compiled.scalar_passages, kind, window, values, *s, thresholds, *rest
        ),
        lambda s, faulty, *rest: _call(
            compiled.scalar_delays, kind, window, values, *s, *faulty, *rest
        ),
    )


def score_mixture(bets: ScoreBets) -> Method:
    """The library's bets on the fine outcomes of a score."""
    return mixture(bets.dictionary, outcome(bets, VALUES))


def mixture(dictionary: Dictionary, table: NDArray[np.int64]) -> Method:
    """The library's dictionary; table: its outcome of each fine outcome."""
    fixed = (dictionary.factors, dictionary.weights, table)
    return Method(
        np.exp(np.linspace(math.log(100.0), math.log(200_000.0), 80)),
        lambda s, thresholds, *rest: _call(
            compiled.mixture_passages, *fixed, *s, thresholds, *rest
        ),
        lambda s, faulty, *rest: _call(compiled.mixture_delays, *fixed, *s, *faulty, *rest),
    )


def _call(kernel: Callable[..., Counts], *arguments: Any) -> Counts:
    """A kernel on arguments from several tuples."""
    return kernel(*arguments)


def calibrated(method: Method, health: Sampler, arl: int, effort: Effort, seed: int) -> float:
    """The threshold of run length `arl`: found roughly, then on a finer grid around it.

    The lowest threshold, where even that has longer runs (a fault that health never shows).
    """
    rough = run_lengths(method.passages(health, method.grid, 16, arl, seed), arl)
    if rough[0] > 4 * arl:
        return float(method.grid[0])
    low = max(int(np.searchsorted(rough, 0.5 * arl)) - 1, 0)
    high = min(int(np.searchsorted(rough, 1.6 * arl)), method.grid.size - 1)
    for grid in (np.linspace(method.grid[low], method.grid[high], 40), method.grid):
        found = method.passages(health, grid, runs_of(effort, arl), 3 * arl, seed + 1)
        lengths = run_lengths(found, 3 * arl)
        if lengths[0] <= arl <= lengths[-1]:
            break
    return float(np.interp(math.log(arl), np.log(lengths), grid))


def runs_of(effort: Effort, arl: int) -> int:
    """Runs behind a threshold of run length `arl`."""
    return max(effort.observations // arl, 25)


def run_lengths(passages: Counts, limit: int) -> Floats:
    """Observations per alarm for each threshold, rising; runs cut at the limit give no alarm."""
    alarms = np.maximum((passages < limit).sum(axis=0), 0.5)
    return np.asarray(np.maximum.accumulate(passages.sum(axis=0) / alarms))


def delays(
    method: Method,
    threshold: float,
    health: Sampler,
    faulty: Sampler,
    arl: int,
    effort: Effort,
    seed: int,
) -> list[Delay]:
    """Steady-state delays, one per fault of the stack; four branches from each healthy state."""
    runs, limit = max(effort.paths // 4, 1), 20 * arl
    found = method.delays(health, faulty, CHANGE[arl], threshold, runs, 4, limit, seed)
    each = found.mean(axis=2)
    errors = each.std(axis=1, ddof=1) / math.sqrt(runs)
    return [
        Delay(float(m), float(e), float(c))
        for m, e, c in zip(
            each.mean(axis=1), errors, (found == limit).mean(axis=(1, 2)), strict=True
        )
    ]


def measured(
    methods: Sequence[Method],
    health: Floats,
    cases: Sequence[Case],
    effort: Effort,
    seed: int,
    *,
    arls: Sequence[int] = ARLS,
    provable: bool = False,
) -> Measured:
    """Delays at every run length: of one method for all cases, or of one method per case.

    provable: at the threshold of the guarantee, the run length itself, not a simulated one.
    """
    before = sampler(health)
    groups = [list(cases)] if len(methods) == 1 else [[case] for case in cases]
    found: dict[int, tuple[Delay, ...]] = {}
    for arl in arls:
        each: list[Delay] = []
        for method, group in zip(methods, groups, strict=True):
            threshold = float(arl)
            if not provable:
                threshold = calibrated(method, before, arl, effort, 10 * seed)
            after = contaminated(health, group)
            each += delays(method, threshold, before, after, arl, effort, 10 * seed + 5)
        found[arl] = tuple(each)
    return Measured(found, {arl: runs_of(effort, arl) for arl in arls})


def ratio(a: Measured, b: Measured, arl: int, case: int) -> tuple[float, float, float]:
    """Delay of `a` over that of `b` with its 95 % interval, thresholds' errors included."""
    x, y = a.delays[arl][case], b.delays[arl][case]
    variance = (x.error / x.mean) ** 2 + (y.error / y.mean) ** 2
    variance += sum((_slope(m, case) ** 2) / m.runs[arl] for m in (a, b))
    spread = math.exp(1.96 * math.sqrt(variance))
    middle = x.mean / y.mean
    return middle, middle / spread, middle * spread


def _slope(of: Measured, case: int) -> float:
    """d log delay / d log run length; 1 where only one run length was measured."""
    low, high = min(of.delays), max(of.delays)
    if low == high:
        return 1.0
    each = of.delays[high][case].mean / of.delays[low][case].mean
    return math.log(each) / math.log(high / low)
