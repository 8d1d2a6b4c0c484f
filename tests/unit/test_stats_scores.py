"""Bets on scores and ordered categories: fair under health, sharp under faults, strict on input."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qualmon.errors import StatisticsError
from qualmon.stats import detector
from qualmon.stats.bets import bounded, category, dictionary, tail_bounds, tails, two_sided

RNG = np.random.default_rng(3)
HEALTHY = RNG.beta(2, 18, 4000)


@st.composite
def laws(draw: st.DrawFn) -> np.ndarray:
    """Probabilities of two to eight ordered categories, the worst possible but not certain."""
    weights = draw(st.lists(st.floats(1e-4, 1.0), min_size=2, max_size=8))
    return np.array(weights) / sum(weights)


@given(law=laws())
def test_every_category_bet_has_mean_at_most_one(law: np.ndarray) -> None:
    """Summed over the healthy law no factor's mean exceeds 1, on one side or on both."""
    for found in (category.known(law), two_sided.known_categories(law)):
        assert (law @ found.factors <= 1.0 + 1e-9).all()
        assert found.weights.sum() == pytest.approx(1.0)


@given(law=laws(), better=st.integers(0, 6), amount=st.floats(0.0, 1.0))
def test_a_better_law_has_no_larger_mean(law: np.ndarray, better: int, amount: float) -> None:
    """Moving probability to better categories keeps one-sided bets valid."""
    source = min(better + 1, len(law) - 1)
    moved = law.copy()
    part = amount * moved[source]
    moved[source] -= part
    moved[source - 1] += part
    assert (moved @ category.known(law).factors <= 1.0 + 1e-9).all()


@given(
    cuts=st.lists(st.floats(0.01, 0.99), min_size=1, max_size=6, unique=True),
    depth=st.floats(0.001, 0.9),
)
def test_known_score_bets_are_fair(cuts: list[float], depth: float) -> None:
    """With exceedances as known, every factor's mean over the bins is at most 1."""
    thresholds = np.sort(cuts)
    above = depth ** np.arange(1, len(cuts) + 1)
    found = bounded.known(thresholds, above)
    tail = np.append(1.0, above)
    law = tail - np.append(tail[1:], 0.0)
    assert (law @ found.dictionary.factors <= 1.0 + 1e-9).all()


def test_fitted_tails_bound_the_true_ones() -> None:
    """At 95 % confidence 90 of 100 references bound every tail (fails with P .03 at .95)."""
    rng = np.random.default_rng(8)
    held = 0
    for _ in range(100):
        found = bounded.fit(rng.random(300))
        held += bool((1.0 - found.thresholds <= found.tails[1:] + 1e-12).all())
    assert held >= 90


def test_a_worse_score_is_worth_more() -> None:
    """Factors of each template rise with the score, and masses name the kind of fault."""
    found = bounded.fit(HEALTHY)
    values = bounded.factors(found, np.linspace(0.0, 1.0, 50))
    assert (np.diff(values, axis=0) >= -1e-12).all()
    state = dictionary.init(found.weights)
    for score in [0.95] * 8:
        state = dictionary.step(
            found.weights, state, bounded.factors(found, score), hours=1.0, at=0.0
        )
    assert float(detector.evidence(state)) > 1e3
    kinds = dictionary.by_template(found.dictionary, state)
    assert kinds.sum() == pytest.approx(float(detector.evidence(state)))


def test_a_batch_of_scores_equals_one_by_one() -> None:
    """Arrays of scores give the factors of each, bit for bit."""
    found = two_sided.fit(HEALTHY)
    scores = RNG.random(20)
    batch = two_sided.factors(found, scores)
    for i, score in enumerate(scores):
        np.testing.assert_array_equal(batch[i], two_sided.factors(found, float(score)))
    assert found.weights.sum() == pytest.approx(1.0)


def test_a_missing_answer_is_worth_less_than_health() -> None:
    """r = 0: factors 1 - eps for every template."""
    found = bounded.fit(HEALTHY).dictionary
    shares = np.array(found.shares)
    np.testing.assert_allclose(
        dictionary.missing(found).reshape(-1, len(shares)),
        np.tile(1 - shares, (len(found.templates), 1)),
    )


def test_ties_and_point_masses_are_met_strictly() -> None:
    """A reference of mostly zeros bets on what exceeds them; the mass itself is no news."""
    found = bounded.fit(np.array([0.0] * 900 + [0.3] * 100))
    assert (bounded.factors(found, 0.0) <= 1.0).all()
    assert (found.thresholds >= 0.0).all()
    assert bounded.factors(found, 0.9).max() > 5.0


def test_two_sided_bets_see_scores_that_fall() -> None:
    """A score far below health is strong evidence on the mirrored side only."""
    reference = RNG.beta(18, 2, 2000)
    low = two_sided.factors(two_sided.fit(reference), 0.01)
    assert low.max() > 10.0
    assert bounded.factors(bounded.fit(reference), 0.01).max() <= 1.0


def test_confidence_levels_spend_the_risk() -> None:
    """The chances of failure add up to at most 1 - confidence; ranks stay below n."""
    assert tail_bounds.levels(60, 0.95).sum() <= 0.05
    assert (tail_bounds.ranks(37) < 37).all()
    mean = tail_bounds.of_hits(99, np.array([0, 9]), None)
    np.testing.assert_allclose(mean, [0.01, 0.1])


@pytest.mark.parametrize("bad", [[], [math.nan], [1.5], [-0.1], [math.inf], [1.0, 1.0]])
def test_impossible_references_are_refused(bad: list[float]) -> None:
    """Empty, out of range, not a number, or nothing could be worse: a named error."""
    with pytest.raises(StatisticsError):
        bounded.fit(bad)


def test_zeros_have_no_lower_side() -> None:
    """Two-sided bets need something below the reference."""
    with pytest.raises(StatisticsError, match="one side"):
        two_sided.fit([0.0, 0.0])


@pytest.mark.parametrize("score", [math.nan, 1.01, -0.01])
def test_impossible_scores_are_refused(score: float) -> None:
    """No silent clip."""
    with pytest.raises(StatisticsError, match="not in"):
        bounded.factors(bounded.fit(HEALTHY), score)


@pytest.mark.parametrize("counts", [[5], [0, 3], [1.5, 2], [-1, 4], [math.nan, 1]])
def test_impossible_counts_are_refused(counts: list[float]) -> None:
    """Category references that cannot be."""
    with pytest.raises(StatisticsError):
        category.fit(counts)


@pytest.mark.parametrize("law", [[0.5, 0.4], [1.2, -0.2], [1.0], [1.0, 0.0]])
def test_impossible_probabilities_are_refused(law: list[float]) -> None:
    """Not summing to 1, negative, one category only, or a worst one that cannot come."""
    with pytest.raises(StatisticsError):
        category.known(law)


@pytest.mark.parametrize("value", [-1, 3, 1.0])
def test_what_is_no_category_is_refused(value: float) -> None:
    """Out of range or no whole number."""
    with pytest.raises(StatisticsError, match="not among"):
        category.factors(category.known([0.7, 0.2, 0.1]), value)


def test_tails_must_fall_from_one() -> None:
    """Tail probabilities that rise or reach 0 are no tails."""
    for wrong in ([1.0, 0.2, 0.3], [1.0, 0.0], [0.9, 0.1], [1.0]):
        with pytest.raises(StatisticsError, match="tail probabilities"):
            tails.checked(np.array(wrong))


def test_a_dictionary_needs_templates() -> None:
    """No template, or an e-value below 0."""
    with pytest.raises(StatisticsError, match="without templates"):
        dictionary.build([])
    with pytest.raises(StatisticsError):
        dictionary.build([dictionary.Template("x", np.array([-1.0, 1.0]), 1.0)])
