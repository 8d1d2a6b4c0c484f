"""river's own ADWIN and KSWIN, as installed: what run length they reach, and how late they are."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from river import drift

from benchmarks.report import Setting, Table

Maker = Callable[[int], Any]


def _adwin(delta: float, _: int) -> Any:
    return drift.ADWIN(delta=delta)  # type: ignore[no-untyped-call]


def _kswin(seed: int) -> Any:
    return drift.KSWIN(alpha=0.005, seed=seed)


def _alarm(maker: Maker, seed: int, p0: float, p1: float, change: int, limit: int) -> int | None:
    """Observations from the change to the first alarm after it; None within `limit`."""
    rng = np.random.default_rng(seed)
    found = maker(seed)
    events = np.concatenate([rng.random(change) < p0, rng.random(limit) < p1])
    for t, x in enumerate(events.astype(int).tolist()):
        found.update(x)
        if found.drift_detected and t >= change:
            return t + 1 - change
    return None


def _run_length(maker: Maker, p0: float, runs: int, limit: int, seed: int) -> tuple[float, int]:
    """Observations per false alarm over `runs` healthy streams, and the alarms seen."""
    seen, alarms = 0, 0
    for run in range(runs):
        at = _alarm(maker, seed + run, p0, p0, 0, limit)
        seen, alarms = seen + (at or limit), alarms + (at is not None)
    return seen / max(alarms, 1), alarms


def _rows(
    name: str, maker: Maker, cells: list[tuple[float, float]], runs: int, limit: int, seed: int
) -> list[tuple[float | str | None, ...]]:
    rows: list[tuple[float | str | None, ...]] = []
    for p0 in sorted({p0 for p0, _ in cells}):
        length, alarms = _run_length(maker, p0, runs, limit, seed)
        reached = f"{'> ' if not alarms else ''}{length:,.0f} ({alarms} alarms)"
        for share in [share for p, share in cells if p == p0]:
            p1 = p0 + share * (1.0 - p0)
            late = [_alarm(maker, seed + 99 + i, p0, p1, 1000, limit) for i in range(runs)]
            mean = sum(limit if d is None else d for d in late) / runs
            missed = sum(d is None for d in late)
            rows.append((name, f"{p0:g} / {share:.1%}", reached, mean, f"{missed} of {runs}"))
    return rows


def tables(setting: Setting) -> list[Table]:
    """ADWIN at its default and at the most eager delta; KSWIN at its default."""
    runs, limit = (20, 60_000) if setting.full else (6, 30_000)
    cells = [(p0, share) for p0 in (0.01, 0.05) for share in (0.008, 0.02, 0.05, 0.16)]
    rows: list[tuple[float | str | None, ...]] = []
    for delta in (0.002, 0.3, 0.9):
        rows += _rows(
            f"ADWIN delta {delta:g}",
            partial(_adwin, delta),
            cells,
            runs,
            limit,
            setting.seed,
        )
    few, short = (6, 5_000) if setting.full else (2, 2_000)
    rows += _rows(
        "KSWIN alpha .005",
        _kswin,
        [(0.05, 0.02), (0.05, 0.16)],
        few,
        short,
        setting.seed,
    )
    header = ("detector", "p0 / share", "observations per false alarm", "delay", "missed")
    note = f"Delays are censored at {limit:,} (KSWIN {short:,}) observations."
    return [Table("river's detectors at the run length they have", header, tuple(rows), note)]
