"""Compiled loops of section bounds: days of a schedule, and probes drawn by evidence.

The recursion is `qualmon.stats.esr`'s in its order of operations; the section holds a path through
`day` to the library's.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from benchmarks.detection.kernels import _advance

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


@njit(cache=True)
def seeded(seed: int) -> None:
    """Seeds the generator of compiled code."""
    np.random.seed(seed)


@njit(cache=True)
def rounds(
    mass: Floats,
    drift: Floats,
    factors: Floats,
    rate: float,
    odd: float,
    limits: Floats,
    most: int,
    calm: Counts,
    suspect: Counts,
) -> tuple[int, bool]:
    """Folds up to `most` rounds, in place; stops at an alarm. Returns (rounds, alarmed).

    mass, drift: (K,). factors: (H, K), of a round with h hits. rate: of every probe but the first,
    whose rate is `odd`. limits: (suspect, alarm) evidence. calm, suspect: (probes + 1,), to which
    hits by probe and, last, the rounds are added, by the evidence after the round.
    """
    probes = calm.shape[0] - 1
    for number in range(1, most + 1):
        others = np.random.binomial(probes - 1, rate)
        first = 1 if np.random.random() < odd else 0
        total = _advance(mass, drift, factors[min(others + first, factors.shape[0] - 1)])
        counts = suspect if total >= limits[0] else calm
        counts[probes] += 1
        counts[0] += first
        for _ in range(others):
            counts[1 + np.random.randint(probes - 1)] += 1
        if total >= limits[1]:
            return number, True
    return most, False


@njit(cache=True)
def allocated(
    shares: Floats,
    weights: Floats,
    bound: float,
    identities: int,
    chase: float,
    separate: bool,
    threshold: float,
    runs: int,
    limit: int,
    seed: int,
) -> Floats:
    """Probes until a false alarm, shape (runs,). Identities have exponential rates of exact mean
    `bound`; a probe goes with probability `chase` to the one with most hits for its probes.

    separate: targeted probes feed a leaf with its own null (half the weight, shared equally),
    and the node takes the others; else the node takes all, against its mean.
    """
    np.random.seed(seed)
    size = shares.shape[0]
    found = np.full(runs, float(limit))
    for run in range(runs):
        rates = np.random.exponential(1.0, identities)
        rates *= bound * identities / rates.sum()
        asked, bad = np.zeros(identities), np.zeros(identities)
        mass = np.zeros((identities + 1, size))
        for t in range(1, limit + 1):
            targeted = np.random.random() < chase
            if targeted:
                one = int(np.argmax((bad + 1.0) / (asked + 1.0 / bound)))
            else:
                one = np.random.randint(identities)
            hit = np.random.random() < rates[one]
            asked[one] += 1.0
            bad[one] += hit
            feeds = one + 1 if separate and targeted else 0
            null = rates[one] if feeds else bound
            alarmed = False
            for v in range(identities + 1 if separate else 1):
                part = 1.0 if not separate else (0.5 if v == 0 else 0.5 / identities)
                total = 0.0
                for k in range(size):
                    mass[v, k] = mass[v, k] + part * weights[k]
                    if v == feeds:
                        ratio = 1.0 / null if hit else 0.0
                        mass[v, k] = mass[v, k] * ((1.0 - shares[k]) + shares[k] * ratio)
                    total = total + mass[v, k]
                alarmed = alarmed or total >= threshold
            if alarmed:
                found[run] = float(t)
                break
    return found
