"""What a schedule will catch, and how fast: delays of the shipped detector before it runs.

Between two events every mass moves by a closed form towards a limit far below the budget, so an
alarm falls on an event, and a stream is simulated exactly from event to event.
A cluster (the answers of one identity in one round) bets with its mean, as the detector's
`clusters.averaged` does.

Source: docs/statistics.md "Planning". Blind to: platform-wide shocks, load that changes by hour,
faults that strike fixed identities (give the share of identities seen, not of users).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy.special import gammaln

from qualmon.errors import StatisticsError
from qualmon.stats.detector import EVENTS, Design
from qualmon.stats.esr import Floats


class Watch(NamedTuple):
    """One stream as it will be watched.

    bound: healthy rate that the bet uses, in (0, 1); true_rate: the real one, <= bound;
    clusters_per_hour: clusters asked, > 0; cluster_size: answers in each, >= 1; weight: the
    stream's part of the budget, in (0, 1]; budget: hours to a false alarm of the whole, > 0.
    """

    bound: float
    true_rate: float
    clusters_per_hour: float
    cluster_size: int = 1
    weight: float = 1.0
    budget: float = 90.0 * 24.0


class Fault(NamedTuple):
    """share: chance in (0, 1] that a cluster is served by the fault; sensitivity: chance in
    (0, 1] that an answer of it is visibly bad."""

    share: float
    sensitivity: float = 1.0


class Delay(NamedTuple):
    """Hours from onset to alarm. mean is of all runs at `horizon` at most; quantiles are inf
    beyond it; found: share of runs that alarmed within it."""

    mean: float
    median: float
    p90: float
    found: float
    error: float


#: Simulated streams of one delay: its mean is known to about 3 %.
RUNS = 1_000


def delay(
    watch: Watch, fault: Fault, *, horizon: float = 90.0 * 24.0, healthy: float = 14.0 * 24.0,
    runs: int = RUNS, seed: int = 0, design: Design = EVENTS,
) -> Delay:  # fmt: skip
    """Delay after `healthy` hours without an alarm, within `horizon` hours of the onset.

    The same seed gives the same delays, and neighbouring faults the same draws. Raises
    StatisticsError for values out of range.
    """
    hours = delays(
        watch, fault, horizon=horizon, healthy=healthy, runs=runs, seed=seed, design=design
    )
    seen = np.minimum(hours, horizon)
    median, p90 = np.quantile(hours, [0.5, 0.9], method="inverted_cdf")
    return Delay(
        float(seen.mean()), float(median), float(p90), float((hours <= horizon).mean()),
        float(seen.std() / math.sqrt(runs)),
    )  # fmt: skip


def smallest_share(
    watch: Watch, *, within: float, sensitivity: float = 1.0, chance: float = 0.9,
    runs: int = RUNS, seed: int = 0, design: Design = EVENTS,
) -> float:  # fmt: skip
    """Smallest share in (0, 1] found within `within` hours with probability `chance`, to 2 %;
    inf where even a share of 1 is not."""

    def found(share: float) -> bool:
        result = delay(
            watch, Fault(share, sensitivity), horizon=within, runs=runs, seed=seed, design=design
        )
        return result.found >= chance

    if not found(1.0):
        return math.inf
    low, high = 1e-6, 1.0
    while high / low > 1.02:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if found(middle) else (middle, high)
    return high


def delays(
    watch: Watch, fault: Fault, *, horizon: float, healthy: float, runs: int, seed: int,
    design: Design = EVENTS,
) -> Floats:  # fmt: skip
    """Hours from onset to alarm of each run, shape (runs,); inf beyond the horizon."""
    _check(watch, fault)
    rng = np.random.default_rng(seed)
    mass = np.zeros((runs, len(design.shares)))
    sound = _outcomes(watch, Fault(0.0))
    mass, _ = _until(watch, design, rng, mass, sound, healthy, alarms=False)
    _, hours = _until(watch, design, rng, mass, _outcomes(watch, fault), horizon, alarms=True)
    return hours


def _check(watch: Watch, fault: Fault) -> None:
    limits = {
        "bound": 0.0 < watch.bound < 1.0,
        "true_rate": 0.0 <= watch.true_rate <= watch.bound,
        "clusters_per_hour": 0.0 < watch.clusters_per_hour < math.inf,
        "cluster_size": watch.cluster_size >= 1,
        "weight": 0.0 < watch.weight <= 1.0,
        "budget": 0.0 < watch.budget < math.inf,
        "share": 0.0 < fault.share <= 1.0,
        "sensitivity": 0.0 < fault.sensitivity <= 1.0,
    }
    for name, good in limits.items():
        if not good:
            value = getattr(watch, name, None) if hasattr(watch, name) else getattr(fault, name)
            raise StatisticsError(f"{name} {value!r} is out of its range")


def _check_budget(watch: Watch, shares: Floats, drift: Floats) -> None:
    """Quiet masses tend to drift (1 - eps) / eps; beyond the budget quiet itself would alarm."""
    most = float((drift * (1.0 - shares) / shares).sum())
    if most >= watch.budget:
        raise StatisticsError(
            f"budget of {watch.budget!r} hours is too short for {watch.clusters_per_hour!r}"
            f" clusters an hour; it must exceed {most:.3g}"
        )


def _outcomes(watch: Watch, fault: Fault) -> Floats:
    """P(j bad answers in a cluster), shape (size + 1,)."""
    bad = watch.true_rate + (1.0 - watch.true_rate) * fault.sensitivity
    sound = _binomial(watch.cluster_size, watch.true_rate)
    faulty = _binomial(watch.cluster_size, bad)
    return np.asarray((1.0 - fault.share) * sound + fault.share * faulty)


def _binomial(n: int, p: float) -> Floats:
    k = np.arange(n + 1)
    if p in (0.0, 1.0):
        return np.asarray((k == (n if p else 0)).astype(np.float64))
    choose = gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)
    return np.asarray(np.exp(choose + k * math.log(p) + (n - k) * math.log1p(-p)))


def _until(
    watch: Watch, design: Design, rng: np.random.Generator, mass: Floats, outcomes: Floats,
    horizon: float, *, alarms: bool,
) -> tuple[Floats, Floats]:  # fmt: skip
    """Masses at the horizon and hours of first alarm (inf without). Without `alarms` a run whose
    mass reaches the budget starts over at 0: the healthy past is one without an alarm."""
    runs, shares = len(mass), np.asarray(design.shares)
    drift = np.asarray(design.weights) * watch.weight / watch.clusters_per_hour
    _check_budget(watch, shares, drift)
    event = 1.0 - float(outcomes[0])
    jumps = 1.0 + shares * (
        np.arange(1, len(outcomes))[:, None] / (watch.cluster_size * watch.bound) - 1.0
    )
    kinds = np.cumsum(outcomes[1:]) / event if event > 0.0 else np.ones(1)
    left = np.full(runs, round(horizon * watch.clusters_per_hour), dtype=np.float64)
    hours, active = np.full(runs, np.inf), np.arange(runs)
    while active.size:
        wait = np.full(active.size, np.inf)
        if event > 0.0:
            wait = np.ceil(np.log(rng.random(active.size)) / math.log1p(-min(event, 1 - 1e-12)))
            wait = np.maximum(wait, 1.0)
        kind = np.searchsorted(kinds, rng.random(active.size), side="right")
        quiet = np.minimum(wait - 1.0, left[active])
        mass[active] = _quiet(mass[active], shares, drift, quiet)
        left[active] -= quiet
        alive = left[active] > 0.0
        active, kind = active[alive], kind[alive]
        mass[active] = (mass[active] + drift) * jumps[np.minimum(kind, len(jumps) - 1)]
        left[active] -= 1.0
        reached = mass[active].sum(axis=1) >= watch.budget
        hours[active[reached]] = horizon - left[active[reached]] / watch.clusters_per_hour
        if alarms:
            active = active[~reached]
        else:
            mass[active[reached]] = 0.0
    return mass, hours


def _quiet(mass: Floats, shares: Floats, drift: Floats, clusters: Floats) -> Floats:
    """Masses after `clusters` without an event: m <- (m + drift)(1 - eps), so many times."""
    kept = np.exp(clusters[:, None] * np.log1p(-shares))
    return np.asarray(mass * kept + drift * (1.0 - shares) / shares * (1.0 - kept))
