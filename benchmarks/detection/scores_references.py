"""A finite reference: are the bets valid given it, and what does that cost in delay?"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from scipy.special import betainc

from benchmarks.detection import scores_kernels as compiled
from benchmarks.detection.kernels import Counts, Floats
from benchmarks.detection.scores_world import (
    SHARES,
    beta,
    cases,
    contaminated,
    known_bets,
    sampler,
)
from benchmarks.report import Row, Setting, Table
from qualmon.stats import bounds
from qualmon.stats.bets.bounded import ScoreBets, fit

SIZES: Final = (200, 2_000, 20_000)
BUDGET: Final = 5_000
#: Runs are cut here, healthy and faulty: a mean is a lower limit where runs are cut.
LIMIT: Final = 10 * BUDGET
#: The confidence of the bounds; None: right on average only.
CONFIDENCES: Final = (0.95, None)


class Reference(NamedTuple):
    """Over references: are all bets valid; run lengths (references, runs); delays (shares, ...)."""

    valid: list[bool]
    lengths: Counts
    delays: Counts


def references(setting: Setting) -> tuple[Table, list[Row]]:
    """Table of run lengths and delays, and the rows that the shipped bounds must meet."""
    many = 100 if setting.full else 24
    rows: list[tuple[float | str | None, ...]] = []
    targets: list[Row] = []
    for size in SIZES:
        for confidence in CONFIDENCES:
            found = _over_references(size, confidence, many, setting.seed)
            rows.append((f"n = {size:,}, {_kind(confidence)}", *_cells(found)))
            if confidence is not None:
                targets += _targets(size, confidence, found)
    rows.append(("law known", *_cells(_known(many, setting.seed))))
    return _shown(rows), targets


def _over_references(size: int, confidence: float | None, many: int, seed: int) -> Reference:
    rng = np.random.default_rng([seed, size])
    valid = [_valid(fit(rng.beta(2, 18, size), confidence=confidence)) for _ in range(20 * many)]
    drawn = [fit(rng.beta(2, 18, size), confidence=confidence) for _ in range(many)]
    each = [_simulated(b, _law(b, 2, 18), _law(b, 6, 6), seed + i) for i, b in enumerate(drawn)]
    return Reference(valid, *(np.stack(part) for part in zip(*each, strict=True)))


def _known(many: int, seed: int) -> Reference:
    bets = known_bets(beta(2, 18))
    each = [_simulated(bets, _law(bets, 2, 18), _law(bets, 6, 6), seed + i) for i in range(many)]
    return Reference([True], *(np.stack(part) for part in zip(*each, strict=True)))


def _law(bets: ScoreBets, a: float, b: float) -> Floats:
    """Exact probabilities of the bets' outcomes under Beta(a, b)."""
    above = betainc(b, a, 1.0 - bets.thresholds)
    return np.asarray(-np.diff(np.concatenate([[1.0], above, [0.0]])))


def _valid(bets: ScoreBets) -> bool:
    """No bet has a mean above 1 given this reference."""
    means = _law(bets, 2, 18) @ bets.dictionary.factors
    return bool((means <= 1.0 + 1e-12).all())


def _simulated(
    bets: ScoreBets, health: Floats, fault: Floats, seed: int, runs: int = 6
) -> tuple[Counts, Counts]:
    """Run lengths and delays at the provable threshold."""
    table = np.arange(health.size)
    fixed = (bets.dictionary.factors, bets.weights, table, *sampler(health))
    threshold = np.array([float(BUDGET)])
    lengths = compiled.mixture_passages(*fixed, threshold, runs, LIMIT, seed)
    after = contaminated(health, cases(fault))
    late = compiled.mixture_delays(*fixed, *after, 1_000, float(BUDGET), runs, 1, LIMIT, seed)
    return lengths[:, 0], late[:, :, 0]


def _kind(confidence: float | None) -> str:
    return "(k+1)/(n+1)" if confidence is None else f"bounds at {confidence:.0%}"


def _cells(found: Reference) -> tuple[float | str | None, ...]:
    means = found.lengths.mean(axis=1)
    late = [_late(found.delays[:, s]) for s in range(len(SHARES))]
    return (float(np.mean(found.valid)), float(means.mean()), float(np.quantile(means, 0.1)), *late)


def _late(late: Counts) -> str:
    """Median delay and the share of runs that never found it."""
    missed = float((late >= LIMIT).mean())
    middle = float(np.median(late))
    text = f"{middle:,.0f}" if middle < LIMIT else "-"
    return text if missed == 0.0 else f"{text} ({missed:.0%} not found)"


def _targets(size: int, confidence: float, found: Reference) -> list[Row]:
    tried, good = len(found.valid), sum(found.valid)
    share = good / tried
    low = 1.0 - bounds.upper_limit(tried, tried - good, 0.975)
    high = bounds.upper_limit(tried, good, 0.975)
    case = f"reference of {size:,}"
    valid = Row(
        "2",
        f"{case}: share of references with every bet valid",
        share,
        f">= {confidence:g}",
        share >= confidence,
        low,
        high,
    )
    means = found.lengths.mean(axis=1) / BUDGET
    error = 1.96 * float(means.std(ddof=1)) / len(means) ** 0.5
    mean = float(means.mean())
    length = Row(
        "2",
        f"{case}: run length / nominal, mean over references",
        mean,
        ">= 1",
        mean >= 1.0,
        mean - error,
        mean + error,
        note=f"runs cut at {LIMIT // BUDGET} x nominal",
    )
    return [valid, length]


def _shown(rows: list[tuple[float | str | None, ...]]) -> Table:
    return Table(
        f"A finite reference, provable threshold {BUDGET:,}: validity given it, and the price",
        (
            "reference",
            "all bets valid",
            "run length",
            "10th percentile",
            *(f"median delay at {share:.1%}" for share in SHARES),
        ),
        tuple(rows),
        f"Runs are cut at {LIMIT:,}; the 10th percentile is over references, six runs each.",
    )
