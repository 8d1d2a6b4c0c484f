"""Peers on the cells: each calibrated by simulation to the same run length as ours."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from benchmarks.detection import kernels, practice, rivers
from benchmarks.detection import peers_kernels as peer
from benchmarks.detection.kernels import Counts, Floats
from benchmarks.report import Row, Section, Setting, Table
from qualmon.stats import detector
from qualmon.stats.detector import EVENTS
from qualmon.stats.oracle import bernoulli

P0S = (0.001, 0.01, 0.05)
SHARES = (0.008, 0.02, 0.05, 0.16)
ARLS = (5_000, 100_000)
BATCHES = (25, 50, 100, 200, 400, 800, 1600, 3200)


class Peer(NamedTuple):
    """A detector with a threshold: passages(thresholds, runs, limit, seed) in health and
    delays(p1, change, threshold, runs, limit, seed); `grid` spans its thresholds."""

    name: str
    grid: Floats
    passages: Callable[[Floats, int, int, int], Counts]
    delays: Callable[[float, int, float, int, int, int], Counts]


class Calibrated(NamedTuple):
    """Two neighbouring thresholds and the part of runs that use the lower: equal run length."""

    low: float
    high: float
    part: float


def _peer(name: str, kind: int, constants: list[float], p0: float, grid: Floats) -> Peer:
    c = np.array(constants, dtype=np.float64)
    return Peer(
        name,
        grid,
        lambda thresholds, runs, limit, seed: peer.passages(
            kind, c, p0, thresholds, runs, limit, seed
        ),
        lambda p1, change, threshold, runs, limit, seed: peer.delays(
            kind, c, p0, p1, change, threshold, runs, limit, seed
        ),
    )


def _ours(p0: float, arl: int) -> Peer:
    table = detector.factors(EVENTS, np.array([0.0, 1.0 / p0]))
    weights, before = np.array(EVENTS.weights), np.array([1.0 - p0, 1.0])
    return Peer(
        "e-SR (ours)",
        np.geomspace(0.2 * arl, 1.3 * arl, 40),
        lambda thresholds, runs, limit, seed: kernels.passages(
            table, weights, before, thresholds, runs, limit, seed
        ),
        lambda p1, change, threshold, runs, limit, seed: kernels.delays(
            table, weights, before, np.array([1.0 - p1, 1.0]), change, threshold, runs, limit, seed
        ),
    )


def _cusum(name: str, p0: float, share: float) -> Peer:
    r1 = 1.0 - share + share / p0
    steps = [0.0, math.log1p(-share), math.log(r1)]
    return _peer(name, peer.CUSUM, steps, p0, np.linspace(0.2, 14.0, 120))


def roster(p0: float, arl: int) -> list[Peer]:
    """The detectors of the table, ours first."""
    table = detector.factors(EVENTS, np.array([0.0, 1.0 / p0]))
    return [
        _ours(p0, arl),
        _peer(
            "mixture e-CUSUM",
            peer.E_CUSUM,
            [0.0, *table[0], *table[1]],
            p0,
            np.geomspace(2.0, arl, 80),
        ),
        _peer("GLR-CUSUM", peer.GLR, [p0], p0, np.linspace(1.0, 16.0, 120)),
        _cusum("CUSUM at 2 %", p0, 0.02),
        _cusum("CUSUM at 5 %", p0, 0.05),
        _peer("window 200", peer.WINDOW, [0.0, 200.0], p0, np.arange(1.0, 60.0)),
        _peer("window 1000", peer.WINDOW, [0.0, 1000.0], p0, np.arange(1.0, 140.0)),
        _peer(
            "PageHinkley (river)",
            peer.PAGE_HINKLEY,
            [0.0, 0.005, 1.0 - 1e-4, 30.0],
            p0,
            np.geomspace(0.5, 80.0, 120),
        ),
        _peer("BOCPD", peer.BOCPD, [p0, 1.0 / arl, 1.0, 9.0], p0, np.linspace(-5.0, 9.0, 120)),
    ]


def calibrated(found: Peer, arl: int, runs: int, seed: int) -> Calibrated | None:
    """Thresholds that give mean run length `arl`; None where none of the grid does."""
    rough = found.passages(found.grid, 32, 4 * arl, seed).mean(axis=0)
    first = max(0, int(np.searchsorted(rough, arl / 3.0)) - 1)
    near = found.grid[first : int(np.searchsorted(rough, 1.8 * arl)) + 1]
    lengths = found.passages(near, runs, 20 * arl, seed + 1).mean(axis=0)
    i = int(np.searchsorted(lengths, arl))
    if i == len(near):
        return None
    if i == 0:
        return Calibrated(float(near[0]), float(near[0]), 1.0) if lengths[0] < 1.2 * arl else None
    part = float((lengths[i] - arl) / (lengths[i] - lengths[i - 1]))
    return Calibrated(float(near[i - 1]), float(near[i]), part)


def mean_delay(
    found: Peer, at: Calibrated | None, p1: float, change: int, runs: int, limit: int, seed: int
) -> float:
    """Mean delay in observations, censored at `limit`; nan where it was not calibrated."""
    if at is None:
        return math.nan
    low = found.delays(p1, change, at.low, runs, limit, seed).mean()
    high = found.delays(p1, change, at.high, runs, limit, seed).mean()
    return float(at.part * low + (1.0 - at.part) * high)


def _cells(arl: int, setting: Setting) -> tuple[Table, dict[str, list[float]]]:
    runs, many = (200, 300) if setting.full else (200, 150)
    change = 1_000 if arl == ARLS[0] else 2_000
    rows: list[tuple[float | str | None, ...]] = []
    ratios: dict[str, list[float]] = {}
    for p0 in P0S if arl > ARLS[0] else P0S[1:]:
        peers = roster(p0, arl)
        tuned = [calibrated(found, arl, runs, setting.seed) for found in peers]
        for share in SHARES:
            p1 = p0 + share * (1.0 - p0)
            best = bernoulli.rule(bernoulli.lattice(p0, share), p0, float(arl))
            exact = bernoulli.delay(best, p0, share, healthy=change)
            named = {
                found.name: mean_delay(found, at, p1, change, many, 4 * arl, setting.seed)
                for found, at in zip(peers, tuned, strict=True)
            }
            named["batch 1000"] = practice.batch_delay(1000, p0, p1, arl)
            named["best batch"] = min(practice.batch_delay(b, p0, p1, arl) for b in BATCHES)
            for name, value in named.items():
                ratios.setdefault(name, []).append(value / exact)
            rows.append((f"{p0:g} / {share:.1%}", exact, *[v / exact for v in named.values()]))
    for label, of in (("geometric mean", _geo), ("worst", _worst)):
        rows.append((label, None, *[of(values) for values in ratios.values()]))
    title = f"Delay as a multiple of the oracle CUSUM's, run length {arl:,}, steady state"
    return Table(title, ("p0 / share", "oracle", *ratios), tuple(rows)), ratios


def _geo(values: list[float]) -> float | None:
    known = [math.log(v) for v in values if math.isfinite(v)]
    return math.exp(sum(known) / len(known)) if known else None


def _worst(values: list[float]) -> float | None:
    return max((v for v in values if math.isfinite(v)), default=None)


def _one_shot(setting: Setting) -> Table:
    p0, share, level = 0.01, 0.02, 0.01
    p1 = p0 + share * (1.0 - p0)
    table = detector.factors(EVENTS, np.array([0.0, 1.0 / p0]))
    weights = np.array(EVENTS.weights)
    runs = 200 if setting.full else 60
    rows = []
    for change in (0, 1_000, 10_000, 100_000):
        late = practice.one_shot_delays(
            table, weights, p0, p1, change, level, runs, 200_000, setting.seed
        ).mean()
        ours = kernels.delays(
            table, weights, np.array([1.0 - p0, 1.0]), np.array([1.0 - p1, 1.0]),
            min(change, 5_000), 1e5, runs, 200_000, setting.seed,
        ).mean()  # fmt: skip
        rows.append((f"{change:,}", float(late), float(ours)))
    return Table(
        "Always-valid test that never restarts (alpha .01), p0 1 %, share 2 %: mean delay",
        ("healthy observations before", "one-shot test", "e-SR, provable run length 100,000"),
        tuple(rows),
    )


def _kayenta(setting: Setting) -> Table:
    analyses = 600 if setting.full else 150
    rows = []
    for p0 in P0S:
        for share in (0.0, *SHARES):
            p1 = p0 + share * (1.0 - p0)
            rate = practice.kayenta_rate(p0, p1, analyses, setting.seed)
            rows.append((f"{p0:g} / {share:.1%}", rate, 1000.0 / rate if rate else None))
    return Table(
        "Kayenta's Mann-Whitney judge: 20 points of 50 probes against 20 healthy ones",
        ("p0 / share", "share of analyses High", "observations to High"),
        tuple(rows),
        "Share 0 is its false-alarm rate; it has no run length to set.",
    )


def run(setting: Setting) -> Section:
    """Item 1: peers at equal run length, in the same run as ours."""
    tables, rows = [], []
    for arl in ARLS if setting.full else ARLS[:1]:
        table, ratios = _cells(arl, setting)
        tables.append(table)
        ours = ratios["e-SR (ours)"]
        for name, values in ratios.items():
            worst, geo = _worst(values), _geo(values)
            if worst is not None and geo is not None and values is not ours:
                case = f"{name} / ours, run length {arl:,}: geometric mean of delays"
                rows.append(Row("1 peers", case, geo / (_geo(ours) or math.nan)))
                rows.append(Row("1 peers", f"{name}: worst multiple of the oracle, {arl:,}", worst))
    tables += [_one_shot(setting), _kayenta(setting), *rivers.tables(setting)]
    return Section("peers: the same cells", tuple(rows), tuple(tables))
