"""Share intervals, point estimates and onsets at the alarm of a simulated fault."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.detection.lifecycle_kernels import detections
from qualmon.stats import blocks, detector, escalation, esr, tolerated
from qualmon.stats.detector import EVENTS
from qualmon.stats.share import Share, Window, likeliest, plausible, share

#: One node of a fleet: weight, budget in hours, answers a round, hours a round.
WEIGHT: Final = 0.004
BUDGET: Final = 2160.0
ANSWERS: Final = 12
EVERY: Final = 1.0 / 12.0
#: Healthy rounds before the fault: a week and up to three days.
CHANGES: Final = (2016, 2880)
LIMIT: Final = 200_000
#: Runs up to this many rounds are replayed through the library.
_REPLAYED: Final = 6_000

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
Raw = tuple[Counts, Floats, Counts, Counts, Counts]


class Case(NamedTuple):
    """bound: healthy rate, met exactly. share: of bad answers, once the fault began."""

    bound: float
    share: float


class Found(NamedTuple):
    """What was said at the alarm of one run. delay, and errors of both onsets: rounds."""

    share: Share
    likeliest: Window
    delay: int
    mean_error: float
    likeliest_error: float


def table(bound: float, answers: int = ANSWERS) -> Floats:
    """Factor of a round by its hits."""
    return escalation.product(EVENTS, answers, np.arange(answers + 1), bound)


def drift() -> Floats:
    """Weighted hours a round, by share of the design."""
    return np.asarray(EVENTS.weights) * WEIGHT * EVERY


def found(case: Case, runs: int, seed: int) -> list[Found]:
    """Runs that alarmed after the fault's beginning, sized by the library."""
    rate = case.bound + case.share * (1.0 - case.bound)
    changes = np.random.default_rng(seed).integers(*CHANGES, runs)
    raw = detections(table(case.bound), drift(), case.bound, rate, changes, BUDGET, LIMIT, seed)
    _check(case.bound, raw)
    rows = zip(changes.tolist(), *raw[:4], strict=True)
    return [_sized(case.bound, *row) for row in rows if row[1] >= 0]


def windows(alarm: int, first: Counts, since: Counts) -> list[Window]:
    """Counts since each candidate onset."""
    pairs = zip(first.tolist(), since.tolist(), strict=True)
    return [Window(float(s), (alarm + 1 - s) * ANSWERS, h) for s, h in pairs if s >= 0]


def _sized(
    bound: float,
    change: int,
    alarm: int,
    mean: float,
    first: Counts,
    since: Counts,
) -> Found:
    near = plausible(windows(int(alarm), first, since), bound)
    best = likeliest(near, bound)
    return Found(share(near, bound), best, alarm + 1 - change, mean - change, best.start - change)


def _check(bound: float, raw: Raw) -> None:
    """Replays the last run through the library: what is benchmarked is what is shipped."""
    alarm, mean, path = int(raw[0][-1]), float(raw[1][-1]), raw[4]
    if not 0 <= alarm <= _REPLAYED:
        return
    state, past, rows = detector.init(EVENTS), (), table(bound)
    history: blocks.Blocks = past
    for t in range(alarm + 1):
        state = esr.step(state, drift(), float(t), rows[path[t]])
        history = blocks.push(history, float(t), ANSWERS, int(path[t]))
        assert (float(detector.evidence(state)) >= BUDGET) == (t == alarm)
    assert abs(esr.onset(state) - mean) < 1e-6 * alarm
    again = [Window(block.start, *blocks.since(history, block.start)) for block in history]
    assert again == windows(alarm, raw[2][-1], raw[3][-1])


class Paging(NamedTuple):
    """Runs of a fault; those whose interval rose above the tolerated share at any day of two
    weeks after the alarm; days until then, nan where it never did."""

    runs: int
    paged: int
    days: Floats


def paging(case: Case, min_share: float, runs: int, seed: int) -> Paging:
    """Whether and when the tolerated share lets a fault page, looked at every day."""
    rng = np.random.default_rng(seed)
    changes = rng.integers(*CHANGES, runs)
    rate = case.bound + case.share * (1.0 - case.bound)
    raw = detections(table(case.bound), drift(), case.bound, rate, changes, BUDGET, LIMIT, seed)
    days = []
    for alarm, _, first, since in zip(*raw[:4], strict=True):
        if alarm >= 0:
            near = plausible(windows(int(alarm), first, since), case.bound)
            days.append(_first_day(near, case.bound, rate, min_share, rng))
    waited = np.asarray(days)
    return Paging(len(days), int(np.isfinite(waited).sum()), waited)


def _first_day(
    near: tuple[Window, ...], bound: float, rate: float, least: float, rng: np.random.Generator
) -> float:
    for day in range(15):
        if tolerated.exceeds(share(near, bound), least):
            return float(day)
        n = 288 * ANSWERS
        more = int(rng.binomial(n, rate))
        near = tuple(Window(w.start, w.n + n, w.hits + more) for w in near)
    return float("nan")
