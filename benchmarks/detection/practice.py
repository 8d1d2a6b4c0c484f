"""Rules that are deployed today and are no sequential detectors: batches, Kayenta, one-shot tests.

Sources: exact binomial batch test; Netflix/Spinnaker Kayenta's judge (a 98 % confidence interval
of the Hodges-Lehmann shift by Mann-Whitney, against a tolerance of .25 of that shift); a mixture
e-process that never restarts (Ville), as always-valid A/B tests are built.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from scipy.special import bdtr, bdtrc, gammaln, ndtri

from benchmarks.detection.kernels import Counts, Floats


def binomial_pmf(n: int, p: float) -> Floats:
    """P(k hits of n), shape (n + 1,)."""
    k = np.arange(n + 1)
    logs = gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)
    return np.asarray(np.exp(logs + k * math.log(p) + (n - k) * math.log1p(-p)))


def batch_delay(size: int, p0: float, p1: float, arl: float, phases: int = 20) -> float:
    """Mean delay of exact randomised binomial batch tests with mean run length `arl`.

    The change falls anywhere in a batch; computed exactly at `phases` places.
    """
    level = size / arl
    count = int(np.searchsorted(-bdtrc(np.arange(size), size, p0), -level, side="left"))
    above = float(bdtrc(count, size, p0)) if count < size else 0.0
    at = float(bdtr(count, size, p0) - (bdtr(count - 1, size, p0) if count else 0.0))
    tie = (level - above) / at

    def power(pmf: Floats) -> float:
        return float(pmf[count + 1 :].sum() + tie * pmf[count])

    later = size / power(binomial_pmf(size, p1))
    found = []
    for phase in range(phases):
        healthy = int((phase + 0.5) * size / phases)
        mixed = np.convolve(binomial_pmf(healthy, p0), binomial_pmf(size - healthy, p1))
        found.append(size - healthy + (1.0 - power(mixed)) * later)
    return float(np.mean(found))


def kayenta_high(control: Floats, experiment: Floats) -> bool:
    """True where Kayenta's Mann-Whitney judge (98 %, tolerance .25) says High.

    The interval's ends are the steps of the rank statistic; R's root finder lands on them.
    """
    if np.array_equal(np.sort(control), np.sort(experiment)):
        return False
    steps = np.sort((experiment[:, None] - control[None, :]).ravel())
    pairs = steps.size
    above = pairs - np.searchsorted(steps, steps, side="right")
    centred = above - pairs / 2.0
    sigma = _rank_sigma(control, experiment)
    z = (centred - 0.5 * np.sign(centred)) / sigma
    low = steps[int(np.argmax(z < ndtri(0.99)))]
    estimate = steps[int(np.argmax(centred / sigma <= 0.0))]
    mean = control.mean()
    ratio = experiment.mean() / mean if mean else 1.0
    return bool(low > 0.25 * abs(estimate) and ratio >= 1.0)


def _rank_sigma(control: Floats, experiment: Floats) -> float:
    ties = 0.0
    for values in (control, experiment):
        groups = np.unique(values, return_counts=True)[1].astype(float)
        ties += float((groups**3 - groups).sum())
    nx, ny = experiment.size, control.size
    both = nx + ny
    return math.sqrt(max(nx * ny / 12.0 * (both + 1.0 - ties / (both * (both - 1.0))), 1e-12))


def kayenta_rate(p0: float, p1: float, analyses: int, seed: int) -> float:
    """Share of analyses that say High: 20 points of 50 probes each, against 20 healthy points."""
    rng = np.random.default_rng(seed)
    control = rng.binomial(50, p0, (analyses, 20)).astype(float)
    experiment = rng.binomial(50, p1, (analyses, 20)).astype(float)
    pairs = zip(control, experiment, strict=True)
    return sum(kayenta_high(c, e) for c, e in pairs) / analyses


@njit(cache=True)
def one_shot_delays(
    factors: Floats, weights: Floats, p0: float, p1: float, change: int,
    level: float, runs: int, limit: int, seed: int,
) -> Counts:  # fmt: skip
    """Delay of a mixture e-process that began `change` healthy observations earlier."""
    np.random.seed(seed)
    found = np.full(runs, limit, dtype=np.int64)
    for run in range(runs):
        mass = weights.copy()
        for t in range(change + limit):
            x = 1 if np.random.random() < (p0 if t < change else p1) else 0
            total = 0.0
            for k in range(mass.shape[0]):
                mass[k] *= factors[x, k]
                total += mass[k]
            if total >= 1.0 / level:
                found[run] = max(t + 1 - change, 0)
                break
    return found
