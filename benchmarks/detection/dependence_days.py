"""Day effects: bets per day, tickets within hours, and who may page at all."""

from __future__ import annotations

import numpy as np

from benchmarks.detection import dependence_kernels
from benchmarks.detection.dependence_counts import RATE
from benchmarks.detection.dependence_report import (
    Figure,
    at_least,
    mean_of,
    proportion,
    quantiles,
    ratio,
)
from benchmarks.detection.kernels import Counts, Floats
from benchmarks.report import Row, Setting, Table
from qualmon.stats.baselines.dispersion import dispersion, independent
from qualmon.stats.bets import count_bets
from qualmon.stats.detector import EVENTS

DRAWS = (260, 5760)
ICC = 0.03
BUDGET = 90 * 24
_WEIGHTS = np.asarray(EVENTS.weights)
_LIMIT = 10 * BUDGET
_BEFORE = 20


def _hourly(n: int) -> Counts:
    return np.diff(np.round(np.linspace(0.0, n, 25))).astype(np.int64)


def _ours(n: int, icc: float, share: float, setting: Setting, runs: int) -> Floats:
    """Hours to the ticket, runs cut off at ten budgets; share 0: to a false one."""
    change = _BEFORE if share else 0
    found = dependence_kernels.blocks(
        count_bets(n, RATE, ICC), _hourly(n), RATE, icc, share, change, float(BUDGET), _WEIGHTS,
        runs, _LIMIT, setting.seed + 2,
    )  # fmt: skip
    return np.asarray(found, dtype=np.float64)


def _naive(n: int, icc: float, share: float, setting: Setting, runs: int) -> Floats:
    eps = np.asarray(EVENTS.shares)
    found = dependence_kernels.answers_by_hour(
        np.stack([np.log1p(-eps), np.log1p(eps * (1.0 / RATE - 1.0))]), _hourly(n), RATE, icc,
        share, _BEFORE if share else 0, float(BUDGET), _WEIGHTS, runs, _LIMIT, setting.seed + 3,
    )  # fmt: skip
    return np.asarray(found, dtype=np.float64)


def days(setting: Setting) -> tuple[tuple[Row, ...], Table]:
    """Run length and delay of the bet per day at day ICC .03, the naive product beside it."""
    runs = 4000 if setting.full else 800
    rows: list[Row] = []
    lines: list[tuple[float | str | None, ...]] = []
    for n in DRAWS:
        case = f"day ICC {ICC:g}, {n:,} draws a day"
        long = _days(mean_of(_ours(n, ICC, 0.0, setting, runs)))
        naive = _days(mean_of(_naive(n, ICC, 0.0, setting, runs)))
        rows.append(at_least("5", f"{case}: run length", long, BUDGET / 24, "days"))
        lines.append((n, "run length, days", long.value, naive.value, ""))
        for share in (0.02, 0.05, 0.16):
            found = _ours(n, ICC, share, setting, runs)
            rows += _ticket(case, found) if share == 0.16 else []
            calm, free = (f(n, 0.0, share, setting, runs // 2) for f in (_ours, _naive))
            price = ratio(mean_of(calm), mean_of(free))
            hours = f"delay at {share:.0%}, hours (price where days are alike)"
            lines.append((n, hours, mean_of(found).value, mean_of(free).value, price))
    title = f"Day effects: bets per day, budget {BUDGET // 24} days, p0 {RATE:g}"
    note = (
        "Naive delays are those of days that are alike. A day is read each hour, answers to come "
        "counted as good. Beyond ten budgets a run is cut off."
    )
    return tuple(rows), Table(title, ("draws a day", "figure", "ours", "naive", "price"),
                              tuple(lines), note)  # fmt: skip


def _days(figure: Figure) -> Figure:
    return Figure(figure.value / 24, figure.low / 24, figure.high / 24)


def _ticket(case: str, found: Floats) -> list[Row]:
    median, high = quantiles(found)
    return [
        Row("5", f"{case}: 16 % fault, {name}", value, "<= 72", value <= 72, unit="h")
        for name, value in (("median", median), ("90th percentile", high))
    ]


def refusals(setting: Setting) -> tuple[tuple[Row, ...], Table]:
    """Share of healthy streams that the dispersion check keeps from paging, by their day ICC."""
    runs = 400 if setting.full else 60
    rng = np.random.default_rng(setting.seed)
    rows: list[Row] = []
    lines: list[tuple[float | str | None, ...]] = []
    for n in DRAWS:
        for length in (15, 30):
            for icc in (0.0, 0.01, 0.03):
                refused, covered = _checked(rng, n, length, icc, runs)
                lines.append((n, length, icc, refused, covered))
                if length == 30:
                    case = f"healthy streams refused paging, day ICC {icc:g}, {n:,} draws a day"
                    rows.append(proportion("5", case, refused, runs, "printed"))
    header = ("draws a day", "days of reference", "day ICC", "refused", "ICC within its limit")
    note = f"Pearson's test of size .01 over days, p0 {RATE:g}; upper limit by profile likelihood."
    return tuple(rows), Table("Dispersion check", header, tuple(lines), note)


def _checked(
    rng: np.random.Generator, n: int, length: int, icc: float, runs: int
) -> tuple[float, float]:
    refused = covered = 0
    for _ in range(runs):
        size = 1.0 / icc - 1.0 if icc else 0.0
        rates = rng.beta(RATE * size, (1.0 - RATE) * size, length) if icc else RATE
        found = dispersion([n] * length, rng.binomial(n, rates, length).tolist())
        refused += not independent(found)
        covered += found.limit >= icc
    return refused / runs, covered / runs
