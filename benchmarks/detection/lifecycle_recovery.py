"""Ends of incidents: faults that follow load, and faults that truly end."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np

from benchmarks.detection.lifecycle_kernels import first_alarm
from benchmarks.detection.lifecycle_share import ANSWERS, BUDGET, Counts, Floats, drift, table
from qualmon.stats import recovery, recovery_by_hour
from qualmon.stats.recovery_by_hour import Plan

PER_DAY: Final = 288
EVERY: Final = 86400.0 / PER_DAY
BOUND: Final = 1e-3
ALPHA: Final = 1e-3
#: A fault goes on for so many days after its alarm, and is watched for so many days.
FAULTY_DAYS: Final = 14
WATCHED_DAYS: Final = 60

Load = Callable[[Floats], Floats]
Rounds = tuple[Floats, Counts]


def constant(at: Floats) -> Floats:
    """A fault that never sleeps."""
    return np.ones_like(at)


def daytime(at: Floats) -> Floats:
    """Factor 1 from 8 to 20 o'clock, 0 by night."""
    hour = at / 3600.0 % 24.0
    return ((hour >= 8.0) & (hour < 20.0)).astype(np.float64)


def smooth(at: Floats) -> Floats:
    """A wave over the day, 0 at midnight and 1 at noon."""
    return np.asarray(0.5 - 0.5 * np.cos(2.0 * math.pi * at / 86400.0))


def workdays(at: Floats) -> Floats:
    """By day, and not on two days of seven."""
    return daytime(at) * (at // 86400.0 % 7.0 < 5.0)


class Ended(NamedTuple):
    """Days after the alarm at which an incident was resolved, nan if never. The fault ended
    FAULTY_DAYS after the alarm. three: clean for three days at least. plain: without hours of
    the day. hasty: nor a span of a day."""

    by_hour: float
    three: float
    plain: float
    hasty: float


def incident(share: float, load: Load, rng: np.random.Generator) -> Ended | None:
    """One fault from onset to resolution; None when it was not found in 30 days."""
    onset = int(rng.integers(0, 7 * PER_DAY))
    at: Floats = (onset + np.arange((30.0 + WATCHED_DAYS) * PER_DAY)) * EVERY
    hits = rng.binomial(ANSWERS, BOUND + share * load(at) * (1.0 - BOUND))
    alarm = first_alarm(table(BOUND), drift(), hits[: 30 * PER_DAY], BUDGET)
    if alarm < 0:
        return None
    end = alarm + FAULTY_DAYS * PER_DAY
    hits[end:] = rng.binomial(ANSWERS, BOUND, len(hits) - end)
    stop = alarm + WATCHED_DAYS * PER_DAY
    size = hits[: alarm + 1].sum() / (ANSWERS * (alarm + 1)) - BOUND
    watched: Rounds = at[alarm + 1 : stop], hits[alarm + 1 : stop]
    days = (watched[0] - at[alarm]) / 86400.0
    early: Rounds = at[: alarm + 1], hits[: alarm + 1]
    by_hour, three = _by_hour(*early, *watched)
    plain = _plain(max(size, 0.0), *watched, span=86400.0)
    hasty = _plain(max(size, 0.0), *watched, span=0.0)
    return Ended(*(float(days[k]) if k >= 0 else math.nan for k in (by_hour, three, plain, hasty)))


def _by_hour(before: Floats, early: Counts, at: Floats, hits: Counts) -> tuple[int, int]:
    """Index of the round that resolves, or -1: clean for a day at least, and for three.

    The rounds of a block are folded as one: its counts are sums, so that this changes nothing
    but the time it takes.
    """
    plan, found = Plan(BOUND, alpha=ALPHA), [-1, -1]
    seen = np.zeros((1, plan.blocks, 2))
    block = (before / 3600.0 % 24.0 * plan.blocks / 24.0).astype(int)
    np.add.at(seen[0, :, 0], block, ANSWERS)
    np.add.at(seen[0, :, 1], block, early)
    state = recovery_by_hour.start(plan, float(before[-1]), seen)
    number = np.floor(at / (86400.0 / plan.blocks)).astype(int)
    edges = np.flatnonzero(np.diff(number, prepend=-1))
    for first, last in zip(edges, [*edges[1:], len(at)], strict=True):
        bad = int(hits[first:last].sum())
        state = recovery_by_hour.step(plan, state, float(at[first]), ANSWERS * (last - first), bad)
        for k, days in enumerate((1, 3)):
            over = recovery_by_hour.evidence(plan._replace(days=days), state) >= 1.0 / ALPHA
            if over and found[k] < 0:
                found[k] = int(first)
        if found[1] >= 0:
            break
    return found[0], found[1]


def _plain(share: float, at: Floats, hits: Counts, *, span: float) -> int:
    """The same by the test without hours of the day, hour by hour."""
    state = recovery.start(float(at[0]))
    for first in range(0, len(at) - 11, 12):
        bad = int(hits[first : first + 12].sum())
        state = recovery.step(
            state, float(at[first]), 12 * ANSWERS, bad,
            bound=BOUND, share=share, gap=7200.0, most=100.0 / ALPHA,
        )  # fmt: skip
        if state.evidence >= 1.0 / ALPHA and state.last - state.since >= span:
            return first + 11
    return -1


def incidents(share: float, load: Load, runs: int, seed: int) -> list[Ended]:
    """`runs` faults that were found."""
    rng = np.random.default_rng(seed)
    done: list[Ended] = []
    while len(done) < runs:
        found = incident(share, load, rng)
        if found is not None:
            done.append(found)
    return done
