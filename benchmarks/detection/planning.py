"""Item 10: planned delays against streams stepped answer by answer."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np

from benchmarks.detection import kernels
from benchmarks.detection.kernels import Floats
from benchmarks.report import Row, Section, Setting, Table
from qualmon.stats import detector, planning
from qualmon.stats.detector import EVENTS
from qualmon.stats.planning import Fault, Watch

WEIGHT: Final = 0.004
HEALTHY: Final = 48.0
HORIZON: Final = 90.0 * 24.0
ROUNDS: Final = 12.0


class Case(NamedTuple):
    """A fault, clusters per five-minute round and their size, and the published medians in hours
    for (p0 1e-4, all visible), (1e-3, all visible), (1e-3, a fifth visible)."""

    share: float
    clusters: int
    size: int
    published: tuple[float | None, float | None, float | None]


CASES: Final = (
    Case(0.16, 18, 1, (5 / 60, 10 / 60, 25 / 60)),
    Case(0.16, 6, 1, (15 / 60, 20 / 60, 65 / 60)),
    Case(0.008, 12, 1, (3.4, 6.6, 37.0)),
    Case(0.008, 4, 1, (10.0, 18.0, 104.0)),
    Case(0.0018, 12, 1, (20.0, 49.0, None)),
    Case(0.02, 60, 1, (0.25, 0.6, None)),
    Case(0.005, 60, 1, (1.5, 3.7, None)),
    Case(0.02, 12, 5, (None, None, None)),
    Case(0.16, 4, 4, (None, None, None)),
)
NULLS: Final = ((1e-4, 1.0), (1e-3, 1.0), (1e-3, 0.2))


def simulated(watch: Watch, fault: Fault, runs: int, seed: int) -> Floats:
    """Hours from onset to alarm of the detector stepped cluster by cluster, shape (runs,)."""
    size = watch.cluster_size
    ratios = np.arange(size + 1) / (size * watch.bound)
    table = detector.factors(EVENTS, ratios)
    before = _outcomes(size, watch.true_rate, Fault(0.0))
    after = _outcomes(size, watch.true_rate, fault)
    weights = np.array(EVENTS.weights) * watch.weight / watch.clusters_per_hour
    found = kernels.delays(
        table, weights, np.cumsum(before), np.cumsum(after),
        round(HEALTHY * watch.clusters_per_hour), watch.budget, runs,
        round(HORIZON * watch.clusters_per_hour), seed,
    )  # fmt: skip
    return np.asarray(found / watch.clusters_per_hour)


def _outcomes(size: int, rate: float, fault: Fault) -> Floats:
    """P(j bad) by adding answer after answer, independently of the planner's formula."""
    result = np.zeros(size + 1)
    for part, bad in (
        (1.0 - fault.share, rate),
        (fault.share, rate + (1.0 - rate) * fault.sensitivity),
    ):
        law = np.array([1.0])
        for _ in range(size):
            law = np.convolve(law, [1.0 - bad, bad])
        result += part * law
    return result


def _cell(case: Case, null: tuple[float, float], setting: Setting) -> tuple[float, ...]:
    p0, sensitivity = null
    watch = Watch(p0, p0, case.clusters * ROUNDS, case.size, WEIGHT)
    fault = Fault(case.share, sensitivity)
    plan = planning.delay(watch, fault, horizon=HORIZON, healthy=HEALTHY, seed=setting.seed)
    runs = 400 if setting.full else 120
    seen = simulated(watch, fault, runs, setting.seed + 1)
    error = float(seen.std()) / math.sqrt(runs)
    return (plan.mean, float(seen.mean()), error, plan.median, float(np.median(seen)), plan.p90,
            float(np.quantile(seen, 0.9)))  # fmt: skip


def _delays(setting: Setting) -> tuple[list[Row], Table]:
    rows: list[Row] = []
    lines: list[tuple[float | str | None, ...]] = []
    for case in CASES:
        for null, published in zip(NULLS, case.published, strict=True):
            if published is None and null[1] < 1.0 and case.size == 1:
                continue
            found = _cell(case, null, setting)
            mean, seen, error = found[:3]
            excess = (abs(mean - seen) - 2.0 * error) / seen
            name = f"{case.share:.2%}, {case.clusters} x {case.size}, {null[0]:g}, {null[1]:g}"
            rows.append(
                Row("10", f"plan against simulation: {name}", excess, "<= .15", excess <= 0.15)
            )
            lines.append((name, *found[:2], *found[3:], published))
    header = ("share, clusters x answers a round, p0, visible", "plan mean", "simulated mean",
              "plan median", "simulated median", "plan p90", "simulated p90",
              "published median")  # fmt: skip
    title = "Hours to the alarm: weight .004, budget 90 days, five-minute rounds"
    note = (
        "value = (|plan - simulation| - 2 standard errors) / simulation, of the means."
        " Published: docs/statistics.md; how many answers an identity gave there is not stated."
    )
    return rows, Table(title, header, tuple(lines), note)


def _inverse(setting: Setting) -> tuple[list[Row], Table]:
    """The smallest share found within a horizon, and how often a simulation finds it."""
    runs = 400 if setting.full else 150
    rows: list[Row] = []
    lines: list[tuple[float | str | None, ...]] = []
    for p0 in (1e-4, 1e-3):
        for within in (1.0, 24.0):
            watch = Watch(p0, p0, 60 * ROUNDS, 1, WEIGHT)
            share = planning.smallest_share(watch, within=within, seed=setting.seed)
            seen = simulated(watch, Fault(share), runs, setting.seed + 2)
            part = float((seen <= within).mean())
            slack = 0.04 + 2.0 * math.sqrt(0.09 / runs)
            rows.append(
                Row(
                    "10",
                    f"runs that find it: p0 {p0:g}, {within:g} h",
                    part,
                    f".9 within {slack:.2f}",
                    abs(part - 0.9) <= slack,
                )
            )
            lines.append((f"p0 {p0:g}, within {within:g} h", share, part))
    header = ("60 answers a round", "smallest share, 90 % sure", "found by simulation")
    return rows, Table("The inverse", header, tuple(lines))


def run(setting: Setting) -> Section:
    """Item 10."""
    rows, table = _delays(setting)
    more, inverse = _inverse(setting)
    return Section("planning: delays before deployment", (*rows, *more), (table, inverse))
