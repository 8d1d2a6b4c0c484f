"""Delay of small faults under weekly versions of the probes."""

from __future__ import annotations

from typing import Final

import numpy as np

from benchmarks.detection.ledger_kernels import Counts, delays
from benchmarks.report import Row, Setting, Table
from qualmon.stats import escalation
from qualmon.stats import ledger as books
from qualmon.stats.detector import EVENTS
from qualmon.stats.ledger_entries import Epoch, Part, Started

BUDGET: Final = 2160.0
EVERY: Final = 1.0 / 12.0
DAY: Final = 288
WEIGHT: Final = 0.004
SHARE: Final = 0.0018


def measured(setting: Setting) -> tuple[list[Row], Table]:
    """Against no versions, and against dropping the evidence at each."""
    runs, limit = (4000 if setting.full else 400), 90 * DAY
    rows, lines = [], []
    for bound in (1e-4, 1e-3):
        for answers in (12, 4):
            taken = {
                name: _delays(bound, answers, week, name, runs, limit, setting.seed)
                for name, week in (("none", 0), ("carried", 7 * DAY), ("dropped", 7 * DAY))
            }
            lines += [(bound, answers, name, *_hours(t, limit)) for name, t in taken.items()]
            ratio = float(np.mean(taken["carried"]) / np.mean(taken["none"]))
            lost = float(np.mean(taken["dropped"]) / np.mean(taken["none"]))
            rows.append(Row("9", f".18 % with weekly versions, p0 {bound:g}, {answers} answers",
                            ratio, "<= 1.15 x none", ratio <= 1.15,
                            note=f"mean delay; dropping the evidence: {lost:.3g} x"))  # fmt: skip
            late = float(np.mean(taken["carried"] >= 30 * DAY))
            rows.append(Row("9", f".18 % found in 30 days, p0 {bound:g}, {answers} answers",
                            1.0 - late, ">= .95", late <= 0.05))  # fmt: skip
    header = ("p0", "answers a round", "at a version", "median h", "p90 h", "not in 90 days")
    note = (
        "Weight .004, rounds of 5 minutes. At each version a quarter of the prompts is new and "
        "silent for a day, in both rules; dropped: masses start at 0 besides."
    )
    return rows, Table("Delay of a .18 % fault under weekly versions", header, tuple(lines), note)


def _delays(
    bound: float, answers: int, week: int, name: str, runs: int, limit: int, seed: int
) -> Counts:
    """Whether the mass stays at a version is asked of the ledger."""
    key, null = ("node", "script"), f"script at {bound} at most"
    before = books.step(books.init(BUDGET), Started({key: Part(WEIGHT, null)}))
    new = Part(WEIGHT, null if name != "dropped" else f"{null}, version 2")
    kept = key in books.survivors(before, books.step(before, Epoch({key: new})))
    rate = bound + SHARE * (1.0 - bound)
    whole, part = (
        escalation.product(EVENTS, n, np.arange(n + 1), bound) for n in (answers, answers * 3 // 4)
    )
    drift = WEIGHT * EVERY * np.asarray(EVENTS.weights)
    return delays(whole, part, drift, bound, rate, BUDGET, week, DAY, kept, runs, limit, seed)


def _hours(rounds: Counts, limit: int) -> tuple[float, float, float]:
    late = float(np.mean(rounds >= limit))
    return float(np.median(rounds)) * EVERY, float(np.quantile(rounds, 0.9)) * EVERY, late
