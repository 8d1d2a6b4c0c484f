"""Scores in [0, 1] and rank categories: the shipped dictionary against oracle, parts and peers.

Healthy scores are Beta(2, 18), bad is high. The dictionary knows the healthy law or a finite
reference, never the fault. Every method is brought to the same achieved run length; the fault
begins after 1,000 (run length 5,000) or 2,000 healthy scores.
"""

from __future__ import annotations

from typing import Final

from benchmarks.detection import scores_peers as peers
from benchmarks.detection.kernels import Floats
from benchmarks.detection.scores_categories import category_table
from benchmarks.detection.scores_faults import fault_tables
from benchmarks.detection.scores_methods import (
    ARLS,
    Effort,
    Measured,
    Method,
    measured,
    ratio,
    score_mixture,
)
from benchmarks.detection.scores_references import references
from benchmarks.detection.scores_world import SHARES, beta, cases, known_bets
from benchmarks.report import Row, Section, Setting, Table
from qualmon.stats.bets.bounded import ScoreBets

ORACLE: Final = "oracle CUSUM: knows fault and share"
OURS: Final = "shipped dictionary"
Z200: Final = "200-window z-test"
SLOW: Final = "PageHinkley (river)"


def run(setting: Setting) -> Section:
    """Main table and targets, other faults, finite references, rank categories."""
    effort = Effort(20_000_000, 10_000) if setting.full else Effort(2_000_000, 1_600)
    health = beta(2, 18)
    bets = known_bets(health)
    found = _all(health, bets, effort, setting.seed)
    finite, finite_rows = references(setting)
    tables = (
        _table(found),
        *fault_tables(health, bets, effort, setting),
        finite,
        category_table(effort, setting.seed),
    )
    return Section("scores: bounded scores and categories", (*_rows(found), *finite_rows), tables)


def _all(health: Floats, bets: ScoreBets, effort: Effort, seed: int) -> dict[str, Measured]:
    fault = beta(6, 6)
    asked = cases(fault)
    methods: dict[str, list[Method]] = {
        ORACLE: peers.oracles(health, asked),
        OURS: [score_mixture(bets)],
        "shipped, two-sided": [peers.both_sides(health, bets)],
        **{name: [part] for name, part in peers.parts(health, fault, bets).items()},
        "Gaussian CUSUM, tuned": peers.gaussians(health, asked),
        Z200: [peers.window(health, 200)],
        "1000-window z-test": [peers.window(health, 1_000)],
        SLOW: [peers.page_hinkley()],
    }
    paths = {ORACLE: effort.paths, OURS: effort.paths, Z200: effort.paths, SLOW: effort.paths // 16}
    found = {
        name: measured(
            each,
            health,
            asked,
            effort._replace(paths=paths.get(name, effort.paths // 4)),
            seed,
        )
        for name, each in methods.items()
    }
    found["shipped, provable threshold"] = measured(
        methods[OURS],
        health,
        asked,
        effort._replace(paths=effort.paths // 2),
        seed,
        provable=True,
    )
    return found


def _table(found: dict[str, Measured]) -> Table:
    def cells(of: Measured) -> list[str]:
        return [
            f"{'> ' if x.cut else ''}{x.mean:,.0f} ({x.mean / best.mean:.2f})"
            for arl in ARLS
            for x, best in zip(of.delays[arl], found[ORACLE].delays[arl], strict=True)
        ]

    return Table(
        "Scores Beta(2, 18), bad ones Beta(6, 6), healthy law known: delay (x oracle)",
        ("method", *(f"{arl // 1000}k {share:.1%}" for arl in ARLS for share in SHARES)),
        tuple((name, *cells(of)) for name, of in found.items()),
        "Columns: run length and share of bad answers. Every threshold is calibrated to the run "
        "length but the provable one, which guarantees it.",
    )


def _rows(found: dict[str, Measured]) -> list[Row]:
    rows = []
    for arl in ARLS:
        for s, share in enumerate(SHARES):
            case = f"run length {arl:,}, share {share:.1%}"
            value, low, high = ratio(found[OURS], found[ORACLE], arl, s)
            rows.append(
                Row("2", f"delay / oracle, {case}", value, "<= 1.3", value <= 1.3, low, high)
            )
            value, low, high = ratio(found[Z200], found[OURS], arl, s)
            rows.append(
                Row("2", f"200-window / ours, {case}", value, ">= 3", value >= 3.0, low, high)
            )
    return rows
