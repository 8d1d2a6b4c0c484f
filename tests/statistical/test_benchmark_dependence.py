"""The benchmark's loops are the library; early reading of a day is covered by its divisor."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, logsumexp

from benchmarks.detection import controlled_kernels, dependence_kernels
from benchmarks.detection.dependence_counts import faulty
from qualmon.stats import bets
from qualmon.stats.bets.beta_binomial import beta_binomial_pmf
from qualmon.stats.bets.odds_days import EARLY
from qualmon.stats.detector import EVENTS, evidence, init, step
from qualmon.stats.esr import Floats


def test_day_ratios_of_the_loop_are_the_library_s() -> None:
    """Exact: one day's likelihood ratios, to 1e-12."""
    rng = np.random.default_rng(1)
    law = bets.day_law(0.3)
    logs = bets.day_start(law)
    for _ in range(60):
        logs = bets.day_step(law, logs, (rng.random(5) < 0.2).tolist(), [0.1] * 5, [0])
    found = np.empty(law.raised.shape[0])
    controlled_kernels.day_ratios(logs, np.exp(law.healthy), np.exp(law.raised), found)
    np.testing.assert_allclose(found, bets.day_factors(law, logs, complete=True), rtol=1e-12)


def test_seasonal_loop_alarms_where_the_library_does() -> None:
    """Exact: with certain outcomes (rates 1 and 0 by turns) both cross at the same answer."""
    good, bad = bets.contamination(0.0, EVENTS.shares), bets.contamination(1.2, EVENTS.shares)
    rates = np.array([1.0, 0.0])
    tables = (np.tile(good, (2, 1)), np.tile(bad, (2, 1)))
    found = dependence_kernels.seasonal(
        rates, *tables, np.asarray(EVENTS.weights), 0.0, 0, 20.0, 8, 1000, 3
    )
    expected = {_crossing(first) for first in (0, 1)}
    assert set(found.tolist()) == expected


def _crossing(first: int) -> int:
    """Answers until evidence 20, the outcome alternating from `first`."""
    state, t = init(EVENTS), 0
    while evidence(state) < 20.0:
        bad = (t + first) % 2 == 0
        t += 1
        state = step(EVENTS, state, 1.2 if bad else 0.0, hours=1.0, at=float(t))
    return t


def test_block_loop_alarms_where_masses_say() -> None:
    """Exact: days of certain counts (rate near 1) alarm at the hour that the table gives, counted
    from a start within the first day."""
    table = bets.count_bets(24, 0.5, 0.1)
    weights = np.asarray(EVENTS.weights)
    found = dependence_kernels.blocks(
        table, np.ones(24, dtype=np.int64), 1.0 - 1e-12, 0.0, 0.0, 0, 2000.0, weights, 1, 9999, 5
    )
    mass, days = np.zeros(len(weights)), 0
    while mass @ table[24] < 2000.0:
        mass, days = mass * table[24] + 24.0 * weights, days + 1
    hours = 1 + next(h for h in range(24) if mass @ table[h + 1] >= 2000.0)
    assert 24 * days + hours - 24 < found[0] <= 24 * days + hours


def test_faulty_law_has_the_right_mean() -> None:
    """Exact up to the quantile points: mean share + (1 - share) p0, within 1 %."""
    for icc in (0.0, 0.02):
        law = faulty(200, icc, 0.05)
        assert law @ np.arange(201) / 200 == pytest.approx(0.05 + 0.95 * 0.02, rel=0.01)
    assert beta_binomial_pmf(200, 0.02, 0.02) @ np.arange(201) == pytest.approx(4.0)


@pytest.mark.parametrize("part", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("sd", [0.1, 0.3, 0.6])
def test_no_way_to_stop_within_a_day_beats_the_early_divisor(sd: float, part: float) -> None:
    """Exact: backward recursion over 60 prompts, the best stopping rule at a true deviation of
    part x sd gains at most 1 (up to the grid's rounding)."""
    best = _best_stop(sd, sd * part, 60, 0.2)
    assert (best <= 1.0 + 1e-6).all()


def _best_stop(sd: float, true: float, n: int, chance: float) -> Floats:
    law = bets.day_law(sd)
    z = np.linspace(-6.0, 6.0, 121)
    p = expit(np.log(chance / (1.0 - chance)) + true * z)
    cost = np.log1p(chance * np.expm1(law.u))

    def ratios(m: int) -> Floats:
        logs = np.arange(m + 1)[:, None] * law.u - m * cost
        above = np.stack([logsumexp(row + logs, axis=1) for row in law.raised], axis=1)
        return np.asarray(np.exp(above - logsumexp(law.healthy + logs, axis=1)[:, None]))

    best = ratios(n)
    for m in range(n - 1, -1, -1):
        t = np.arange(m + 1)[:, None]
        logs = t * np.log(p) + (m - t) * np.log1p(-p) - 0.5 * z**2
        weight = np.exp(logs - logs.max(axis=1, keepdims=True))
        q = ((weight @ p) / weight.sum(axis=1))[:, None]
        best = np.maximum(ratios(m) / EARLY, q * best[1:] + (1.0 - q) * best[:-1])
    return np.asarray(best[0])
