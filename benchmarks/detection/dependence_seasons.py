"""A healthy rate that swings by 60 % over the day: mean, strata and peak as baselines."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.detection import dependence_kernels
from benchmarks.detection.dependence_counts import NOMINAL, RATE
from benchmarks.detection.dependence_report import Figure, at_least, mean_of, ratio
from benchmarks.detection.kernels import Floats
from benchmarks.report import Row, Setting, Table
from qualmon.stats.baselines import season
from qualmon.stats.bets import contamination, event_ratio
from qualmon.stats.detector import EVENTS

#: Answers of an hour, five in each round of five minutes.
_PER_HOUR = 60
_SHARES = (0.02, 0.05, 0.16)
_SWING = 0.6


def seasons(setting: Setting) -> tuple[tuple[Row, ...], Table]:
    """Run lengths and delays; the price is against a stream without season."""
    true = RATE * (1.0 + _SWING * np.sin(2.0 * np.pi * np.arange(24) / 24))
    flat = np.full(24, RATE)
    calm = [_passage(flat, flat, share, setting) for share in _SHARES]
    rows: list[Row] = []
    lines: list[tuple[float | str | None, ...]] = []
    for name, used in _baselines(true, setting).items():
        long = _passage(true, used, 0.0, setting)
        lines.append((name, long.value, *_prices(true, used, calm, setting)))
        if name != "mean (naive)":
            case = f"season +-60 %, {name}: run length"
            rows.append(at_least("5", case, long, NOMINAL, "answers"))
    header = ("baseline", "run length", *(f"delay at {share:.0%} (price)" for share in _SHARES))
    note = f"Without season: {', '.join(f'{figure.value:.0f}' for figure in calm)}."
    title = f"Season of +-60 % over the day, p0 {RATE:g}, nominal {NOMINAL:,} answers"
    return tuple(rows), Table(title, header, tuple(lines), note)


def _baselines(true: Floats, setting: Setting) -> dict[str, Floats]:
    """Rates that the bets use at each hour. The fitted ones know 56 days of answers."""
    rng = np.random.default_rng(setting.seed)
    answers = 56 * _PER_HOUR
    bad = rng.binomial(answers, true).tolist()
    fitted = season.fitted([answers] * 24, bad, period=24.0)
    known = season.season(true.tolist(), period=24.0)
    return {
        "mean (naive)": np.full(24, RATE),
        "known strata": np.asarray(known.rates),
        "strata from 56 days, upper limits": np.asarray(fitted.rates),
        "peak": np.full(24, season.peak(known)),
    }


def _prices(true: Floats, used: Floats, calm: Sequence[Figure], setting: Setting) -> list[str]:
    """Delays as '500 (1.01 x)'."""
    found = [_passage(true, used, share, setting) for share in _SHARES]
    pairs = zip(found, calm, strict=True)
    return [f"{figure.value:.0f} ({ratio(figure, free)})" for figure, free in pairs]


def _passage(true: Floats, used: Floats, share: float, setting: Setting) -> Figure:
    """Answers to the alarm; share 0: to a false one."""
    runs = (3000 if setting.full else 600) if share == 0.0 else (2000 if setting.full else 400)
    known = season.season(used.tolist(), period=24.0)
    bounds = [season.rate(known, t / _PER_HOUR) for t in range(24 * _PER_HOUR)]
    good = contamination(0.0, EVENTS.shares)
    bad = np.stack([contamination(event_ratio(1.0, bound), EVENTS.shares) for bound in bounds])
    found = dependence_kernels.seasonal(
        np.repeat(true, _PER_HOUR), np.tile(good, (len(bounds), 1)), bad,
        np.asarray(EVENTS.weights), share, 0 if share == 0.0 else 2000, float(NOMINAL), runs,
        20 * NOMINAL if share == 0.0 else 2 * NOMINAL, setting.seed,
    )  # fmt: skip
    return mean_of(found.astype(np.float64))
