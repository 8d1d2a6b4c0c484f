"""After the alarm: share, onset, recovery, escalation, and faults that overlap."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from benchmarks.detection import lifecycle_escalation as escalation
from benchmarks.detection import lifecycle_overlap as overlap
from benchmarks.detection import lifecycle_recovery as ends
from benchmarks.detection import lifecycle_share as sizes
from benchmarks.detection.lifecycle_share import Case, Found
from benchmarks.report import Row, Section, Setting, Table
from qualmon.stats.bounds import upper_limit
from qualmon.stats.share import MIN_HITS_FOR_POINT

BOUNDS: Final = (1e-4, 1e-3, 1e-2)
SHARES: Final = (0.002, 0.008, 0.02, 0.05, 0.16)
COVERED: Final = 0.93
MIN_SHARE: Final = 1e-3

Cells = tuple[float | str | None, ...]


def run(setting: Setting) -> Section:
    """Item 9 of the detection benchmark, but for the ledger."""
    parts = [_shares(setting), _tolerated(setting), _recovery(setting), _overlap(setting)]
    parts.append(_escalation(setting))
    rows = tuple(row for rows, _ in parts for row in rows)
    return Section("lifecycle", rows, tuple(table for _, table in parts))


def _rate(case: str, hits: int, n: int, target: str, met: bool | None, note: str = "") -> Row:
    """A share of runs with its Clopper-Pearson interval."""
    low, high = 1.0 - upper_limit(n, n - hits, 0.975), upper_limit(n, hits, 0.975)
    return Row("9", case, hits / n, target, met, low, high, note=note)


def _shares(setting: Setting) -> tuple[list[Row], Table]:
    runs = 2000 if setting.full else 100
    rows, lines = [], []
    for p, bound in enumerate(BOUNDS):
        for k, share in enumerate(SHARES):
            case = Case(bound, share)
            found = sizes.found(case, runs, 1000 * setting.seed + 10 * p + k)
            inside = sum(f.share.low <= share <= f.share.high for f in found)
            name = f"interval covers {share:.1%} at p0 {bound:g}"
            met = inside >= COVERED * len(found)
            rows.append(_rate(name, inside, len(found), ">= .93", met))
            lines.append(_line(case, found))
    few = sum(f.share.point is not None and f.likeliest.hits < MIN_HITS_FOR_POINT for f in found)
    rows.append(Row("9", "point estimates below 10 hits", few, "0", few == 0))
    header = (
        *("p0", "share", "low/share", "high/share", "point/share", "with point", "delay"),
        *("mean onset, median", "p90", "of delay", "likeliest, median", "p90", "of delay"),
    )
    title = "Share and onset at the alarm (12 answers each 5 minutes; rounds; medians)"
    note = "Errors of onsets are absolute; 'of delay' is their median over the run's own delay."
    return rows, Table(title, header, tuple(lines), note)


def _line(case: Case, found: Sequence[Found]) -> Cells:
    points = [f.share.point / case.share for f in found if f.share.point is not None]
    delay = np.array([f.delay for f in found])
    onsets: list[float] = []
    for errors in ([f.mean_error for f in found], [f.likeliest_error for f in found]):
        size = np.abs(errors)
        onsets += [_median(size), float(np.quantile(size, 0.9)), _median(size / delay)]
    return (
        case.bound,
        case.share,
        _median([f.share.low / case.share for f in found]),
        _median([f.share.high / case.share for f in found]),
        _median(points) if points else None,
        len(points) / len(found),
        _median(delay),
        *onsets,
    )


def _median(values: Sequence[float] | sizes.Floats) -> float:
    return float(np.median(values))


def _tolerated(setting: Setting) -> tuple[list[Row], Table]:
    runs = 600 if setting.full else 60
    rows, lines = [], []
    for share in (0.0005, 0.003, 0.008, 0.02, 0.16):
        found = sizes.paging(Case(1e-4, share), MIN_SHARE, runs, setting.seed)
        days = found.days[np.isfinite(found.days)]
        lines.append((share, found.paged / found.runs, _median(days) if len(days) else None))
        if share < MIN_SHARE:
            name = f"harmless {share:.2%} pages in two weeks, tolerated {MIN_SHARE:.1%}"
            met = found.paged <= 0.05 * found.runs
            rows.append(_rate(name, found.paged, found.runs, "<= .05", met))
    header = ("share", "paged within 14 days", "days from alarm to page, median")
    return rows, Table("Tolerated share .1 %, p0 1e-4, daily looks", header, tuple(lines))


def _recovery(setting: Setting) -> tuple[list[Row], Table]:
    runs = 200 if setting.full else 16
    rows, lines = [], []
    plans = [(load, s) for load in (ends.daytime, ends.smooth) for s in SHARES[:3] + SHARES[4:]]
    plans += [(ends.constant, s) for s in SHARES[:3] + SHARES[4:]]
    plans += [(ends.workdays, s) for s in (0.02,)]
    for load, share in plans:
        ended = np.array(ends.incidents(share, load, runs, setting.seed))
        wrong = (ended < ends.FAULTY_DAYS).sum(axis=0)
        lines.append((load.__name__, share, *_ended(ended)))
        if load in (ends.daytime, ends.smooth):
            name = f"resolved while {load.__name__} {share:.1%} goes on"
            met = wrong[0] <= ends.ALPHA * runs
            rows.append(_rate(name, int(wrong[0]), runs, "0", bool(met)))
    header = (
        *("load", "share", "wrong, by hour", "3 days", "no hours", "no span", "never, by hour"),
        *("days to end, median, by hour", "3 days", "no hours", "p90, by hour"),
    )
    note = (
        f"The fault goes on for {ends.FAULTY_DAYS} days after its alarm; wrong: resolved before. "
        "by hour: recovery_by_hour; 3 days: clean for three days at least; no hours: "
        "recovery with a span of 24 h; no span: without it. Days count from the true end, over "
        "the incidents not resolved before."
    )
    return rows, Table("Recovery (p0 1e-3, alpha 1e-3)", header, tuple(lines), note)


def _ended(ended: sizes.Floats) -> Cells:
    """Wrong by rule; never resolved; days after the end, of those not wrong."""
    after = np.where(ended < ends.FAULTY_DAYS, math.nan, ended - ends.FAULTY_DAYS)
    wrong = (ended < ends.FAULTY_DAYS).sum(axis=0)
    middle = [_quantile(after[:, k], 0.5) for k in (0, 1, 2)]
    return (
        *[int(n) for n in wrong],
        int(np.isnan(ended[:, 0]).sum()),
        *middle,
        _quantile(after[:, 0], 0.9),
    )


def _quantile(values: sizes.Floats, q: float) -> float | None:
    known = values[np.isfinite(values)]
    return float(np.quantile(known, q)) if len(known) else None


def _overlap(setting: Setting) -> tuple[list[Row], Table]:
    runs = 100 if setting.full else 14
    rows, lines = [], []
    for crossing in (False, True):
        places = "a platform and a model" if crossing else "places apart"
        apart = 0
        for share in (0.02, 0.05, 0.16):
            done = overlap.told(share, runs, setting.seed, crossing=crossing, muting=True)
            lines.append((places, share, "follows", *_parts(done, runs)))
            apart += done.apart
        rows.append(
            _rate(f"two faults, {places}, kept apart", apart, 3 * runs, ">= .95",
                  apart >= 0.95 * 3 * runs)
        )  # fmt: skip
    few = max(runs // 10, 4)
    naive = overlap.told(0.02, few, setting.seed, crossing=False, muting=False)
    lines.append(("places apart", 0.02, "no muting", *_parts(naive, few)))
    once = overlap.told(0.05, runs, setting.seed, crossing=False, muting=True, at_once=True)
    lines.append(("begun at once", 0.05, "follows", *_parts(once, runs)))
    header = ("places", "share", "rule", "kept apart", "right places", "incidents a pair")
    note = (
        "3 platforms x 4 models, 36 answers a round; the second fault begins up to a day after "
        "the first one's alarm. Kept apart: each fault has incidents of its own, none spans both."
    )
    return rows, Table("Two faults at once", header, tuple(lines), note)


def _parts(done: overlap.Told, runs: int) -> tuple[float, float, float]:
    return done.apart / runs, done.right / runs, done.opened


def _escalation(setting: Setting) -> tuple[list[Row], Table]:
    runs = 300 if setting.full else 40
    rows, lines, false, total = [], [], 0, 0
    for before, after in ((0.008, 0.05), (0.02, 0.06), (0.02, 0.16)):
        done = escalation.escalated(before, after, runs, setting.seed)
        seen = [d for d in done.delays if d >= 0]
        hours = [d / 12.0 for d in seen]
        lines.append((before, after, len(seen) / done.runs, _median(hours), done.false))
        false, total = false + done.false, total + done.runs
    # The top of the interval is below the share in 5 % at most, and 15 days of one node's
    # weight add 15 * 24 * .004 / 2160 each.
    rows.append(
        _rate("escalation told where nothing grew, 15 days", false, total, "<= .05",
              false <= 0.05 * total)
    )  # fmt: skip
    header = ("share", "grows to", "found in 30 days", "hours to find, median", "false")
    return rows, Table("Escalation inside an open incident", header, tuple(lines))
