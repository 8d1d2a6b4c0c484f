"""A second fault inside an open node, or the first one growing."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from benchmarks.detection.lifecycle_kernels import first_alarm
from benchmarks.detection.lifecycle_recovery import BOUND, PER_DAY
from benchmarks.detection.lifecycle_share import ANSWERS, BUDGET, Counts, drift, table
from qualmon.stats import blocks, escalation
from qualmon.stats.share import Window, plausible, share


class Escalated(NamedTuple):
    """delays: rounds from the second fault to its alarm, -1 where none. false: runs of two
    weeks of the first fault alone with an alarm."""

    delays: list[int]
    false: int
    runs: int


def escalated(before: float, after: float, runs: int, seed: int) -> Escalated:
    """A fault of share `before` is found; a day later it grows to `after`, or does not."""
    rng = np.random.default_rng(seed)
    delays, false = [], 0
    for _ in range(runs):
        early = rng.binomial(ANSWERS, _rate(before), 30 * PER_DAY)
        alarm = first_alarm(table(BOUND), drift(), early, BUDGET)
        if alarm < 0:
            continue
        steady = rng.binomial(ANSWERS, _rate(before), 15 * PER_DAY)
        rows = table(_ceiling(early[: alarm + 1], steady[:PER_DAY]))
        false += first_alarm(rows, drift(), steady, BUDGET) >= 0
        grown = rng.binomial(ANSWERS, _rate(after), 30 * PER_DAY)
        t = first_alarm(rows, drift(), grown, BUDGET)
        delays.append(t + 1 if t >= 0 else -1)
    return Escalated(delays, false, len(delays))


def _rate(share_of_answers: float) -> float:
    return BOUND + share_of_answers * (1.0 - BOUND)


def _ceiling(hits: Counts, fresh: Counts) -> float:
    """The lower top of the intervals at the alarm and on the first day after it."""
    past: blocks.Blocks = ()
    for t, h in enumerate(hits.tolist()):
        past = blocks.push(past, float(t), ANSWERS, h)
    found = [Window(block.start, *blocks.since(past, block.start)) for block in past]
    at_alarm = share(plausible(found, BOUND), BOUND, 0.025)
    day = Window(0.0, ANSWERS * len(fresh), int(fresh.sum()))
    return escalation.ceiling(BOUND, at_alarm, share([day], BOUND, 0.025))
