"""Comparing two targets: requests against a fixed-size test, error rates, and Kayenta's arrays."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np

from benchmarks.detection.practice import kayenta_high
from benchmarks.report import Row, Section, Setting, Table
from qualmon.stats import comparison, differences, exchange
from qualmon.stats.comparison import Question

QUESTION: Final = Question(0.02, 0.05)
RATES: Final = (0.01, 0.05, 0.2)
#: Published ratios of mean requests to the fixed-size test's, at the same error rates.
PUBLISHED: Final = {0.0: (0.64, 0.72), 0.02: (0.73, 0.99), 0.05: (0.15, 0.31), 0.01: (1.2, 1.5)}

#: Arrays that users of Kayenta reported as judged wrongly: baseline, canary.
REPORTED: Final = {
    "kayenta #426: sparse errors": ([0.0] * 6, [0.0, 1.0, 2.0, 1.0, 0.0, 0.0]),
    "spinnaker #6278: 7 of 10 points 100 x": ([1.0] * 10, [100.0] * 7 + [1.0] * 3),
    "kayenta #780: another spread": (
        [1.0, 100, 4, 101, 5, 102, 6, 103, 7, 104, 8, 105, 9, 106, 17],
        [10.0, 10.1, 10.2, 10.3, 10.4, 10.5, 10.6, 17, 17.1, 17.2, 17.3, 17.4, 17.5, 17.6, 17.7],
    ),
}


class Outcome(NamedTuple):
    """requests: mean pairs to the verdict; regression, passed: shares of verdicts."""

    requests: float
    regression: float
    passed: float


def compared(rate: float, effect: float, runs: int, limit: int, seed: int) -> Outcome:
    """`runs` comparisons of independent events at `rate` and `rate + effect`."""
    rng = np.random.default_rng(seed)
    state, left = comparison.init((runs,)), np.arange(runs)
    needed, worse, sound = np.full(runs, float(limit)), np.zeros(runs), np.zeros(runs)
    for t in range(1, limit + 1):
        bad = rng.random(left.size) < rate + effect
        healthy = rng.random(left.size) < rate
        state = comparison.step(QUESTION, state, bad.astype(float) - healthy)
        worse[left], sound[left] = (
            comparison.evidence_worse(state),
            comparison.evidence_sound(state),
        )
        on = np.maximum(worse[left], sound[left]) < 1.0 / QUESTION.alpha
        needed[left[~on]] = t
        state, left = comparison.State(*(part[on] for part in state)), left[on]
        if not left.size:
            break
    ended = np.maximum(worse, sound) >= 1.0 / QUESTION.alpha
    regression = ended & (worse >= sound)
    return Outcome(
        float(needed.mean()), float(regression.mean()), float((ended & ~regression).mean())
    )


def fixed_size(rate: float) -> float:
    """Pairs of the z-test with the same two error rates at a difference of 0 and min_effect."""
    worse = rate + QUESTION.min_effect
    variance = rate * (1.0 - rate) + worse * (1.0 - worse)
    return (2.0 * 1.6449) ** 2 * variance / QUESTION.min_effect**2


def _requests(setting: Setting) -> tuple[list[Row], Table]:
    runs = 2_000 if setting.full else 300
    rows: list[Row] = []
    lines: list[tuple[float | str | None, ...]] = []
    for rate in RATES if setting.full else RATES[:2]:
        fixed = fixed_size(rate)
        for effect, (low, high) in PUBLISHED.items():
            found = compared(rate, effect, runs, int(8 * fixed), setting.seed)
            lines.append(
                (f"{rate:g}", f"{effect:.0%}", fixed, found.requests / fixed, found.regression,
                 found.passed, f"{low:g} - {high:g}")
            )  # fmt: skip
            wrong = {0.0: found.regression, 0.02: found.passed, 0.05: found.passed}.get(effect)
            if wrong is not None:
                rows.append(_error(rate, effect, wrong, runs))
    header = ("healthy rate", "difference", "fixed-size pairs", "mean pairs / fixed",
              "regression", "pass", "published ratio")  # fmt: skip
    title = "Sequential comparison, min effect 2 %, error rates 5 %"
    return rows, Table(title, header, tuple(lines))


def _error(rate: float, effect: float, wrong: float, runs: int) -> Row:
    spread = 1.96 * math.sqrt(max(wrong * (1.0 - wrong), 1.0 / runs) / runs)
    case = f"wrong verdicts at rate {rate:g}, difference {effect:.0%}"
    alpha = QUESTION.alpha
    return Row(
        "B7", case, wrong, f"<= {alpha:g} (2 SE)", wrong - spread <= alpha,
        max(0.0, wrong - spread), wrong + spread,
    )  # fmt: skip


def _coverage(setting: Setting) -> list[Row]:
    """How often the confidence sequence ever leaves out the true difference."""
    runs, pairs = (400, 600) if setting.full else (80, 400)
    rng = np.random.default_rng(setting.seed)
    missed = 0
    for _ in range(runs):
        state = differences.init()
        bad = (rng.random(pairs) < 0.15).astype(float) - (rng.random(pairs) < 0.1)
        ever = False
        for d in bad.tolist():
            state = differences.step(state, d)
            _, low, high = differences.limits(state)
            ever = ever or not low <= 0.05 <= high
        missed += ever
    share = missed / runs
    case = f"confidence sequence leaves the truth out within {pairs} pairs"
    return [Row("B7", case, share, "<= .05 (2 SE)", share - 2 * math.sqrt(0.0475 / runs) <= 0.05)]


def _arrays() -> tuple[list[Row], Table]:
    rows: list[Row] = []
    lines: list[tuple[float | str | None, ...]] = []
    for name, (baseline, canary) in REPORTED.items():
        found = exchange.compare(baseline, canary)
        judge = "High" if kayenta_high(np.array(baseline), np.array(canary)) else "Pass"
        best = max(found)
        lines.append((name, judge, found.higher, found.wider, found.narrower))
        case = f"{name}: evidence against one distribution (Kayenta: {judge})"
        rows.append(Row("11", case, best, "> 1: no pass", best > 1.0))
    header = ("arrays", "Kayenta's verdict", "e: higher", "e: wider", "e: narrower")
    note = "20 is evidence at alpha .05; 4 events against 0 in 6 points are suspicious, no proof."
    return rows, Table("Arrays that Kayenta's users reported", header, tuple(lines), note)


def run(setting: Setting) -> Section:
    """Build 7 and the last part of item 11."""
    rows, table = _requests(setting)
    verdicts, arrays = _arrays()
    return Section(
        "comparison: two targets, anytime-valid",
        (*rows, *_coverage(setting), *verdicts),
        (table, arrays),
    )
