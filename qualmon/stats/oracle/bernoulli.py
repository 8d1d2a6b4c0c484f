"""The Bernoulli CUSUM that knows healthy rate and share, exact on a lattice.

For a share eps of answers that are all bad, the log likelihood ratio rises by
log(1 - eps + eps/p0) at a bad answer and falls by -log(1 - eps) at a good one. With both steps
whole multiples of one unit the statistic lives on a lattice and everything below is linear
algebra, no simulation. `lattice` takes the best rational ratio of the two steps; what it changes
is the bad answer's step alone, by the relative `error` it states.

CUSUM is optimal for the worst case of Lorden (Moustakides 1986): nothing that does not know the
share can be expected to find a change from a restart sooner at the same run length. In steady
state Shiryaev-Roberts rules come out a few per cent ahead of it.

Source: Reynolds and Stoumbos, "A CUSUM chart for monitoring a proportion when inspecting
continuously", J. Quality Technology 31 (1999), for the lattice of Bernoulli CUSUMs.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from qualmon.errors import StatisticsError
from qualmon.stats.esr import Floats


class Lattice(NamedTuple):
    """down, up: lattice units a good answer falls and a bad one rises; error: of `up`, relative."""

    down: int
    up: int
    error: float


class Rule(NamedTuple):
    """Alarm at `height` units with probability `chance`, drawn once per run, else one higher."""

    lattice: Lattice
    height: int
    chance: float


def lattice(rate: float, share: float, *, error: float = 2e-3) -> Lattice:
    """The coarsest lattice whose step ratio is within `error` of the true one, relative.

    rate: healthy rate in (0, 1); share in (0, 1). Raises StatisticsError outside.
    """
    for name, value in (("healthy rate", rate), ("share", share), ("error", error)):
        if not 0.0 < value < 1.0:
            raise StatisticsError(f"{name} {value!r} is not in (0, 1)")
    ratio = math.log1p(share * (1.0 / rate - 1.0)) / -math.log1p(-share)
    down = 1
    while abs(round(ratio * down) / down - ratio) > error * ratio:
        down += 1
    up = round(ratio * down)
    return Lattice(down, up, abs(up / down - ratio) / ratio)


def run_lengths(steps: Lattice, height: int, chance: float) -> Floats:
    """Mean answers to the alarm from each of the states 0..height-1, bad answers at `chance`.

    Exact solution of x_i = 1 + (1 - p) x_{max(i - down, 0)} + p x_{i + up}, x = 0 from `height`.
    Raises StatisticsError for a height below 1 or a chance outside (0, 1).
    """
    from scipy.linalg import solve_banded

    if height < 1:
        raise StatisticsError(f"height {height!r} is below 1 lattice unit")
    if not 0.0 < chance < 1.0:
        raise StatisticsError(f"chance {chance!r} of a bad answer is not in (0, 1)")
    lower, upper = min(steps.down, height - 1), min(steps.up, height - 1)
    band = np.zeros((lower + upper + 1, height))
    states = np.arange(height)
    band[upper] = 1.0
    falls = np.maximum(states - steps.down, 0)
    band[upper + states - falls, falls] -= 1.0 - chance
    if steps.up < height:
        band[0, steps.up :] -= chance
    return np.asarray(solve_banded((lower, upper), band, np.ones(height)))


def after(steps: Lattice, height: int, chance: float, answers: int) -> Floats:
    """Probability of each state after `answers` ones without an alarm, bad ones at `chance`:
    shape (height,), summing to the probability of no alarm. Raises StatisticsError for a negative
    number of answers."""
    if answers < 0:
        raise StatisticsError(f"number of healthy answers {answers!r} is negative")
    now = np.zeros(height)
    now[0] = 1.0
    down, up = steps.down, steps.up
    for _ in range(answers):
        new = np.zeros(height)
        new[: max(height - down, 0)] = now[down:]
        new[0] += now[: min(down, height)].sum()
        new *= 1.0 - chance
        if up < height:
            new[up:] += chance * now[: height - up]
        now = new
    return now


def rule(steps: Lattice, rate: float, target: float) -> Rule:
    """The CUSUM of mean run length exactly `target` answers at healthy `rate`, by randomising
    between two neighbouring heights. Raises StatisticsError for a target that any bad answer
    would undercut."""

    def length(height: int) -> float:
        return float(run_lengths(steps, height, rate)[0])

    low, short = 1, length(1)
    if not math.isfinite(target) or target < short:
        raise StatisticsError(f"run length {target!r} is below {short!r}, of alarms at any hit")
    high = steps.up
    while (long := length(high)) <= target:
        low, short, high = high, long, high + steps.up
    while high - low > 1:
        # log run length is nearly linear in the height; the clamp keeps a quarter each side.
        part = math.log(target / short) / math.log(long / short)
        middle = low + round((high - low) * min(max(part, 0.25), 0.75))
        middle = min(max(middle, low + 1), high - 1)
        if (found := length(middle)) <= target:
            low, short = middle, found
        else:
            high, long = middle, found
    return Rule(steps, low, (long - target) / (long - short))


def delay(found: Rule, rate: float, share: float, *, healthy: int = 0) -> float:
    """Mean answers from the change to the alarm, given none in the `healthy` answers before."""
    faulty = rate + share * (1.0 - rate)
    weight = total = 0.0
    for height, chance in ((found.height, found.chance), (found.height + 1, 1.0 - found.chance)):
        alive = after(found.lattice, height, rate, healthy)
        weight += chance * float(alive.sum())
        total += chance * float(alive @ run_lengths(found.lattice, height, faulty))
    return total / weight
