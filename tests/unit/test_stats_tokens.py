"""The token bet, what sampler settings make of a distribution, and the bet on draws."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qualmon.errors import StatisticsError
from qualmon.stats.bets import draws, sampling, tokens
from qualmon.stats.grids import DROP_GRID

HIT, TAIL = np.array([True, False]), np.array([0.02, 0.02])


@given(tail=st.floats(1e-9, 1.0), floor=st.floats(0.0, 1.0), rounding=st.floats(0.0, 0.1))
def test_the_ratio_has_mean_at_most_one(tail: float, floor: float, rounding: float) -> None:
    """A hit has chance `tail`: its e-value times that chance never exceeds 1."""
    r = tokens.drop_ratio(
        np.array([True]), np.array([tail]), floor=floor, rounding=rounding, deflation=1.0
    )
    assert tail * r[0] <= 1.0 + 1e-12


@given(sigma=st.floats(0.0, 0.3), tail=st.floats(1e-6, 0.9))
def test_deflation_covers_noise_of_three_tenths_of_a_nat(sigma: float, tail: float) -> None:
    """Under normal noise of the log odds the deflated mean stays at most 1 (quadrature)."""
    z, w = np.polynomial.hermite_e.hermegauss(40)
    odds = tail / (1 - tail) * np.exp(sigma * z)
    chance = float((w * odds / (1 + odds)).sum() / w.sum())
    r = tokens.drop_ratio(np.array([True]), np.array([tail]), floor=0.0)
    assert chance * r[0] <= 1.0


def test_a_hit_of_probability_zero_needs_a_floor() -> None:
    """A reported probability of 1 never yields an infinite e-value."""
    with pytest.raises(StatisticsError, match="floor"):
        tokens.drop_ratio(HIT, np.zeros(2), floor=0.0)
    assert np.isfinite(tokens.drop_ratio(HIT, np.zeros(2))).all()


@pytest.mark.parametrize(
    ("tail", "options"),
    [
        (np.array([-0.1, 0.5]), {}),
        (np.array([np.nan, 0.5]), {}),
        (TAIL, {"floor": 2.0}),
        (TAIL, {"rounding": -1.0}),
        (TAIL, {"deflation": 0.9}),
    ],
)
def test_impossible_values_are_refused(tail: np.ndarray, options: dict[str, float]) -> None:
    """Tails, floors, roundings and deflations outside their ranges are errors."""
    with pytest.raises(StatisticsError):
        tokens.drop_ratio(HIT, tail, **options)


def test_products_equal_the_plain_product() -> None:
    """The products over an answer equal those taken token by token."""
    r = np.array([3.0, 50.0])
    q = np.array(DROP_GRID)
    expected = (1 - q) ** 8 * (1 - q + 3 * q) * (1 - q + 50 * q)
    np.testing.assert_allclose(tokens.drop_products(r, 10), expected)
    with pytest.raises(StatisticsError, match="3 hits among 2"):
        tokens.drop_products(np.ones(3), 2)


CHANCE = np.array([[0.7, 0.2, 0.06], [0.5, 0.3, 0.2]])


def test_truncations_renormalise_where_the_list_reaches_the_cut() -> None:
    """Top-k, top-p and min-p leave the tail of the kept alternatives, else the raw one."""
    raw = np.array([0.3, 0.5])
    kept, covered = sampling.top_k(CHANCE, np.array([3, 3]), 2)
    found = sampling.truncated_tail(CHANCE, kept, covered, raw)
    np.testing.assert_allclose(found, [0.2 / 0.9, 0.3 / 0.8])
    kept, covered = sampling.top_p(CHANCE, 0.98)
    np.testing.assert_array_equal(covered, [False, True])
    assert sampling.truncated_tail(CHANCE, kept, covered, raw)[0] == 0.3
    kept, covered = sampling.min_p(CHANCE, CHANCE.min(axis=1), 0.25)
    np.testing.assert_allclose(sampling.truncated_tail(CHANCE, kept, covered, raw)[0], 0.2 / 0.9)


@given(
    weights=st.lists(st.floats(1e-6, 1.0), min_size=4, max_size=9),
    listed=st.integers(1, 9),
    temperature=st.floats(0.3, 3.0),
)
def test_a_tempered_tail_is_never_too_small(
    weights: list[float], listed: int, temperature: float
) -> None:
    """Whatever part of a distribution is listed, the bound holds for the whole."""
    full = -np.sort(-np.array(weights)) / sum(weights)
    power = full ** (1.0 / temperature)
    true = 1.0 - power[0] / power.sum()
    shown = full[: min(listed, len(full))][None, :]
    assert sampling.tempered_tail(shown, temperature, len(full))[0] >= true - 1e-9


def test_a_temperature_needs_sense() -> None:
    """No temperature of 0 or infinity; above 1 the size of the vocabulary must be known."""
    for temperature in (0.0, -1.0, np.inf, np.nan):
        with pytest.raises(StatisticsError, match="temperature"):
            sampling.tempered_tail(CHANCE, temperature)
    with pytest.raises(StatisticsError, match="vocabulary"):
        sampling.tempered_tail(CHANCE, 1.5)


def test_the_bet_on_draws_has_mean_one_under_its_predictive() -> None:
    """Summed over all sessions of four draws the e-value's mean is 1."""
    found = draws.fit(np.array([[5, 5, 0], [9, 1, 0], [7, 2, 1]]), 0.1)
    total = 0.0
    for sequence in np.ndindex(4, 4, 4, 4):
        counts = np.bincount(np.array(sequence), minlength=4)
        chance, alpha = 1.0, found.alpha.copy()
        for answer in sequence:
            chance *= alpha[answer] / alpha.sum()
            alpha[answer] += 1.0
        total += chance * draws.other_state(found, counts)
    assert total == pytest.approx(1.0)


def test_a_session_in_another_state_shows_and_a_healthy_one_does_not() -> None:
    """Fifty draws of the rarer answer are strong evidence; the usual mixture is none."""
    found = draws.fit(np.tile([[45, 5]], (30, 1)), 0.02)
    assert draws.other_state(found, np.array([5, 45, 0])) > 1e6
    assert draws.other_state(found, np.array([45, 5, 0])) < 1.0


def test_sessions_that_differ_make_the_bet_timid() -> None:
    """The same session is weaker evidence where healthy sessions differ more."""
    reference, odd = np.tile([[45, 5]], (30, 1)), np.array([30, 20, 0])
    bets = [draws.other_state(draws.fit(reference, icc), odd) for icc in (0.0, 0.05, 0.3)]
    assert bets[0] > bets[1] > bets[2]


@pytest.mark.parametrize(
    ("sessions", "icc"),
    [(np.zeros((2, 2), int), 0.1), (np.array([[1, -1]]), 0.1), (np.array([[1, 2]]), 1.0)],
)
def test_impossible_references_are_refused(sessions: np.ndarray, icc: float) -> None:
    """Empty or negative counts and an ICC of 1 are errors."""
    with pytest.raises(StatisticsError):
        draws.fit(sessions, icc)


def test_counts_must_fit_the_reference() -> None:
    """A session with other answers than the reference is an error."""
    with pytest.raises(StatisticsError, match="do not fit"):
        draws.other_state(draws.fit(np.array([[1, 2]]), 0.0), np.array([1, 2]))
