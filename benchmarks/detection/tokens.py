"""Item 3: a sampler that drops its top token, found from the answer's own logprobs."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from benchmarks.detection import tokens_kernels as kernels
from benchmarks.detection.kernels import Counts, Floats
from benchmarks.detection.tokens_kernels import Route
from benchmarks.report import Row, Section, Setting, Table
from qualmon.stats import detector
from qualmon.stats.bets.tokens import DEFLATION, drop_ratio
from qualmon.stats.detector import TOKENS, Design, uniform

MIXES: Final = {"chat": 0.60, "code": 0.85, "creative": 0.25}
FLOORS: Final = (0.0, 1e-6, 1e-5, 1e-4)
SIGMAS: Final = (0.0, 0.02, 0.05, 0.1, 0.2, 0.3)
ARL: Final = 1e6


def _equal_to_the_library(route: Route, seed: int) -> None:
    """The kernel's e-values and masses are the library's, bit for bit, on one path."""
    tails, hits, ratios = kernels.sample(route, 0.01, 2_000, seed)
    expected = drop_ratio(hits.astype(bool), tails, floor=route.floor, deflation=route.deflation)
    assert np.array_equal(expected, ratios)
    state = detector.init(TOKENS)
    for r in ratios:
        state = detector.step(TOKENS, state, float(r), hours=1.0, at=0.0)
    assert math.isfinite(float(detector.evidence(state)))


def _arrays(design: Design) -> tuple[Floats, Floats]:
    return np.array(design.shares), np.array(design.weights)


def _mean_tokens(
    route: Route, drop: float, runs: int, setting: Setting, design: Design = TOKENS
) -> Counts:
    """Tokens to alarm from zero state at the provable threshold, shape (runs,)."""
    grid, weights = _arrays(design)
    threshold = np.array([ARL])
    found = kernels.passages(route, drop, grid, weights, threshold, runs, 10**7, setting.seed)
    return np.asarray(found[:, 0])


def _delays(setting: Setting) -> tuple[list[Row], Table]:
    runs = 4_000 if setting.full else 1_200
    limits = {0.001: 6_700.0, 0.01: 540.0}
    rows: list[Row] = []
    lines: list[tuple[float | str | None, ...]] = []
    for mix, peaked in MIXES.items():
        for drop in (1e-4, 1e-3, 1e-2):
            many = runs if drop > 1e-4 else runs // 60
            found = [
                _mean_tokens(Route(peaked, 0.0, f, DEFLATION), drop, many, setting) for f in FLOORS
            ]
            exact = _mean_tokens(Route(peaked, 0.0, 0.0, 1.0), drop, many, setting)
            equal = _mean_tokens(
                Route(peaked, 0.0, 0.0, DEFLATION), drop, many, setting, uniform(TOKENS.shares)
            )
            if mix == "chat" and drop in limits:
                for floor, tokens in zip(FLOORS[:2], found[:2], strict=True):
                    rows.append(_target(tokens, drop, floor, limits[drop]))
            rate = math.log(ARL) / _rate_information(peaked, drop)
            means = [float(tokens.mean()) for tokens in (*found, exact, equal)]
            lines.append((mix, f"{drop:.2%}", *means, float(np.percentile(found[0], 90)), rate))
    header = (
        "mix", "drop", *(f"floor {floor:g}" for floor in FLOORS), "exact, no deflation",
        "equal weights", "p90 at floor 0", "non-top-1 rate: log(ARL) / KL",
    )  # fmt: skip
    title = "Tokens to alarm, provable run length 1e6 tokens, zero state"
    note = f"Deflation {DEFLATION}. A floor above the tails costs what it hides."
    return rows, Table(title, header, tuple(lines), note)


def _target(found: Counts, drop: float, floor: float, limit: float) -> Row:
    mean = float(found.mean())
    error = 1.96 * float(found.std()) / math.sqrt(len(found))
    return Row(
        "3", f"chat mix, {drop:.1%} dropped, floor {floor:g}: mean tokens", mean,
        f"<= {limit:,.0f}", mean <= limit, mean - error, mean + error, "tokens",
    )  # fmt: skip


def _rate_information(peaked: float, drop: float) -> float:
    """KL per token of the plain test on the rate of tokens that are not the top one."""
    narrow = (1e-2 - 1e-6) / math.log(1e4)
    wide = (0.9 - 0.01) / math.log(90.0)
    p = peaked * narrow + (1.0 - peaked) * wide
    q = p + drop * (1.0 - p)
    return q * math.log(q / p) + (1.0 - q) * math.log((1.0 - q) / (1.0 - p))


def _noise(setting: Setting) -> tuple[list[Row], Table]:
    """Run length where the reported logits are not quite those sampled from."""
    nominal, runs = (1e6, 60) if setting.full else (1e5, 40)
    rows: list[Row] = []
    lines: list[tuple[float | str | None, ...]] = []
    for sigma in SIGMAS:
        cells = []
        for deflation in (1.0, DEFLATION):
            route = Route(MIXES["chat"], sigma, 0.0, deflation)
            length, alarms = _run_length(route, nominal, runs, setting.seed)
            cells.append(length)
        spread = 1.96 / math.sqrt(max(alarms, 1))
        part = cells[1] / nominal
        case = f"run length / nominal at logit noise {sigma:g} nat"
        note = f"{alarms} alarms in {runs} runs"
        ends = part * max(0.0, 1.0 - spread), part * (1.0 + spread)
        rows.append(Row("3", case, part, ">= 1", part >= 1.0, *ends, note=note))
        lines.append((f"{sigma:g}", *cells))
    header = ("sigma, nat", "no deflation", f"deflation {DEFLATION}")
    title = f"Tokens per false alarm, nominal {nominal:,.0f}, chat mix"
    return rows, Table(title, header, tuple(lines), "Censored runs by total time on test.")


def _run_length(route: Route, nominal: float, runs: int, seed: int) -> tuple[float, int]:
    """Tokens per alarm, and the alarms, in `runs` healthy streams of 4 x nominal at most."""
    grid, weights = _arrays(TOKENS)
    limit = int(4 * nominal)
    found = kernels.passages(route, 0.0, grid, weights, np.array([nominal]), runs, limit, seed)
    alarms = int((found < limit).sum())
    return float(found.sum()) / max(alarms, 1), alarms


def _oracle(setting: Setting) -> Table:
    """At equal achieved run length 1e5: the CUSUM that knows the drop rate."""
    grid, weights = _arrays(TOKENS)
    runs, many = (250, 1_500) if setting.full else (50, 300)
    lines: list[tuple[float | str | None, ...]] = []
    for mix in ("chat", "code") if setting.full else ("chat",):
        route = Route(MIXES[mix], 0.0, 0.0, 1.0)
        scale = np.geomspace(1e4, 1.2e5, 40)
        ours = kernels.passages(route, 0.0, grid, weights, scale, runs, 10**6, setting.seed)
        at = float(np.interp(math.log(1e5), np.log(ours.mean(axis=0)), scale))
        for drop in (1e-3, 1e-2):
            nats = np.linspace(2.0, 8.5, 60)
            best = kernels.oracle_passages(route, 0.0, drop, nats, runs, 10**6, setting.seed)
            bar = float(np.interp(math.log(1e5), np.log(best.mean(axis=0)), nats))
            limit = np.array([bar])
            late = kernels.oracle_passages(route, drop, drop, limit, many, 10**6, 7).mean()
            mine = kernels.passages(
                route, drop, grid, weights, np.array([at]), many, 10**6, 7
            ).mean()
            lines.append((mix, f"{drop:.1%}", float(late), float(mine), float(mine / late)))
    header = ("mix", "drop", "oracle CUSUM", "ours", "ratio")
    return Table("Tokens to alarm at equal run length 1e5, zero state", header, tuple(lines))


def run(setting: Setting) -> Section:
    """Item 3 of the requirements, and the oracle beside it."""
    _equal_to_the_library(Route(MIXES["chat"], 0.1, 1e-5, DEFLATION), setting.seed)
    delays, table = _delays(setting)
    lengths, noise = _noise(setting)
    return Section(
        "tokens: the sampler against its own logprobs",
        (*delays, *lengths),
        (table, noise, _oracle(setting)),
    )
