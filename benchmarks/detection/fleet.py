"""1,000 cells: a small fault on one platform found in rounds, at a fleet's run length.

Item 6: delay and blame at correlations 0, .001, .005 of shocks by platform and round; run length;
every row of the table of many streams; peers at equal achieved run length; jointly with rates by
prompt and token bets.
"""

from __future__ import annotations

import numpy as np

from benchmarks.detection import fleet_joint, fleet_oracle, fleet_peers
from benchmarks.detection.fleet_kernels import (
    CELL_AVERAGE,
    CELL_BONFERRONI,
    GLOBAL_ONLY,
    METHODS,
    OURS,
    passages,
)
from benchmarks.detection.fleet_model import (
    CELLS,
    ICCS,
    PLATFORM_FAULT,
    RATE,
    RUN_LENGTH,
    bets,
    faults,
    mean_of,
    run_length,
    thresholds,
    world,
)
from benchmarks.report import Row, Section, Setting, Table

#: A change comes after this many healthy rounds.
STEADY = 1000
_TARGET = 45.0
_ONLY_OURS = np.arange(METHODS) == OURS
_ALL = np.ones(METHODS, dtype=np.bool_)


def run(setting: Setting) -> Section:
    """Runs the section; see the module."""
    rows: list[Row] = []
    for icc in ICCS:
        rows += [*_platform_rows(icc, setting), _control_row(icc, setting)]
    joint = fleet_joint.run(setting)
    peers = fleet_peers.run(setting)
    tables = (_streams(setting), _oracles(), _restart(setting), *joint.tables, *peers.tables)
    return Section("fleet", (*rows, *joint.rows, *peers.rows), tables)


def _platform_rows(icc: float, setting: Setting) -> list[Row]:
    """Delay and blame of .8 % on one platform."""
    runs = 1000 if setting.full else 200
    there = world(icc, PLATFORM_FAULT, STEADY)
    found, blamed, scores, _ = passages(
        there, bets(icc), thresholds(1.0), _ONLY_OURS, runs, 5000, setting.seed
    )
    delay = mean_of(found[:, OURS, 0])
    right = mean_of((blamed == PLATFORM_FAULT.node).astype(np.float64))
    best = fleet_oracle.delay(CELLS // 5, RATE, icc, PLATFORM_FAULT.share, 5 * RUN_LENGTH).steady
    note = f"an oracle that knows the share, not the place, needs {best:.1f}"
    met = delay.value <= _TARGET
    case = f"platform .8 %, shocks of ICC {icc:g}"
    score = float(scores[:, 1].mean())
    return [
        Row("6", f"{case}: delay", delay.value, "<= 45", met, *delay[1:], "rounds", note),
        Row(
            "6",
            f"{case}: node right",
            right.value,
            ">= .95",
            right.value >= 0.95,
            right.low,
            min(1.0, right.high),
            "",
            f"its mean score in the ranking {score:.3f}",
        ),
    ]


def _control_row(icc: float, setting: Setting) -> Row:
    runs, limit = (150, 30_000) if setting.full else (16, 20_000)
    found, *_ = passages(
        world(icc, None), bets(icc), thresholds(1.0), _ONLY_OURS, runs, limit, setting.seed + 1
    )
    length = run_length(found[:, OURS, 0], limit)
    return Row(
        "6",
        f"healthy fleet, shocks of ICC {icc:g}: run length",
        length.value,
        ">= 10,000",
        length.value >= RUN_LENGTH,
        length.low,
        length.high,
        "rounds",
    )


def _streams(setting: Setting) -> Table:
    """Every fault, ours beside what else could be done with the same masses."""
    runs, limit = (200, 6000) if setting.full else (20, 2500)
    rows = []
    for fault in faults():
        found, blamed, _, _ = passages(
            world(0.0, fault, STEADY), bets(0.0), thresholds(1.0), _ALL, runs, limit, setting.seed
        )
        means = [
            _censored(found[:, method, 0], limit)
            for method in (OURS, CELL_AVERAGE, CELL_BONFERRONI, GLOBAL_ONLY)
        ]
        rows.append((fault.name, *means, float((blamed == fault.node).mean())))
    return Table(
        "Delay in rounds, 1,000 cells, p0 2 %, ICC 0, provable fleet run length 10,000",
        (
            "fault",
            "hierarchy",
            "average of cells",
            "Bonferroni by cell",
            "fleet only",
            "node right",
        ),
        tuple(rows),
        f"'> x': some runs were cut at {limit:,} rounds, so x is too short. Change after {STEADY:,}"
        " rounds; only the hierarchy keeps a tenth of its budget in reserve.",
    )


def _censored(times: np.ndarray, limit: int) -> float | str:
    mean = float(times.mean())
    return f"> {mean:,.0f}" if (times >= limit).any() else mean


def _oracles() -> Table:
    rows = []
    for icc in ICCS:
        known = fleet_oracle.delay(200, RATE, icc, PLATFORM_FAULT.share, RUN_LENGTH)
        sought = fleet_oracle.delay(200, RATE, icc, PLATFORM_FAULT.share, 5 * RUN_LENGTH)
        rows.append((icc, known.restart, known.steady, sought.restart, sought.steady))
    return Table(
        "Oracle for .8 % on one platform: CUSUM of the count's exact likelihood ratio, in rounds",
        ("ICC", "place known: restart", "steady", "one of five: restart", "steady"),
        tuple(rows),
        "Share, rate and shocks known, run length 10,000 exactly; 'one of five': five such CUSUMs"
        " that share the run length. No share, level or model is sought.",
    )


def _restart(setting: Setting) -> Table:
    """The change right at a restart, the worst time."""
    runs = 1000 if setting.full else 200
    rows = []
    for icc in ICCS:
        found, blamed, _, _ = passages(
            world(icc, PLATFORM_FAULT),
            bets(icc),
            thresholds(1.0),
            _ONLY_OURS,
            runs,
            5000,
            setting.seed,
        )
        times = found[:, OURS, 0]
        median, late = np.quantile(times, (0.5, 0.9))
        right = float((blamed == PLATFORM_FAULT.node).mean())
        rows.append((icc, float(times.mean()), float(median), float(late), right))
    return Table(
        "Platform .8 % from a restart, in rounds",
        ("ICC", "mean", "median", "90 % found by", "node right"),
        tuple(rows),
    )
