"""Bets on scores and categories: their values, and what they refuse."""

from __future__ import annotations

import math

import numpy as np
import pytest

from qualmon.errors import StatisticsError
from qualmon.stats import detector
from qualmon.stats.bets import bounded, category, dictionary, tail_bounds, tails, two_sided
from qualmon.stats.detector import Design

ONE = Design((0.5,), (1.0,))


def test_a_tail_bet_pays_one_over_its_bound() -> None:
    """With one threshold every template is the tail bet, here with share one half."""
    bets = bounded.known([0.4], [0.1], design=ONE)
    low, high = bounded.factors(bets, [0.4, 0.41])
    assert low[0] == pytest.approx(0.5)
    assert high[0] == pytest.approx(0.5 + 0.5 / 0.1)


def test_the_log_uniform_template_follows_one_over_p() -> None:
    """At tails 1, 1/2, 1/4, 1/8 equal parts lie on each octave: 2/3, (2+4)/3, (2+4+8)/3."""
    bounds = np.array([1.0, 0.5, 0.25, 0.125])
    found = tails.mixture(bounds, tails.log_uniform(bounds))
    assert found.tolist() == pytest.approx([0.0, 2 / 3, 2.0, 14 / 3])


def test_the_mean_template_is_score_over_mean() -> None:
    """The e-value of a bin is its lowest score over the mean of such scores."""
    bounds, values = np.array([1.0, 0.5, 0.1]), np.array([0.0, 0.2, 0.6])
    found = tails.mixture(bounds, tails.mean(bounds, values))
    mean = 0.2 * 0.5 + 0.4 * 0.1
    assert found.tolist() == pytest.approx([0.0, 0.2 / mean, 0.6 / mean])


def test_ranks_hold_the_extremes_and_two_an_octave() -> None:
    """The grid begins 0, 1, 2, 3, 4, 6, 8, stays below n and ends at n - 1."""
    assert tail_bounds.ranks(9).tolist() == [0, 1, 2, 3, 4, 6, 8]
    assert tail_bounds.ranks(6).tolist() == [0, 1, 2, 3, 4, 5]
    assert tail_bounds.ranks(1).tolist() == [0]


def test_the_deepest_bound_of_n_references_is_about_3_5_over_n() -> None:
    """No score above the largest of n: 1 - risk**(1/n), and (k+1)/(n+1) without confidence."""
    risk = 0.05 * 6.0 / math.pi**2
    found = tail_bounds.of_hits(1000, np.array([0, 1]), 0.95)
    assert found[0] == pytest.approx(1.0 - risk ** (1.0 / 1000))
    assert tail_bounds.of_hits(1000, np.array([0, 1]), None)[1] == pytest.approx(2 / 1001)


def test_ties_and_point_masses_become_strict_tails() -> None:
    """Many zeros and some ones: zero is never an exceedance, one exceeds every threshold."""
    bets = bounded.fit([0.0] * 900 + [0.3] * 95 + [1.0] * 5)
    assert bets.thresholds.tolist() == [0.0, 0.3]
    assert bounded.outcome(bets, [0.0, 0.1, 0.3, 0.31, 1.0]).tolist() == [0, 1, 1, 2, 2]
    assert bets.tails[1] > 0.1
    assert bets.tails[2] > 0.005


def test_one_better_score_among_ones_is_a_threshold() -> None:
    """A reference of ones but for its lowest score still has a tail, however weak."""
    bets = bounded.fit([1.0] * 5 + [0.0])
    assert bets.thresholds.tolist() == [0.0]
    assert 5 / 6 < bets.tails[1] < 1.0


def test_a_constant_reference_leaves_one_tail() -> None:
    """Zeros only: the one event is a score above zero, and no bet on the mean exists."""
    bets = bounded.fit([0.0] * 100)
    assert bets.thresholds.tolist() == [0.0]
    assert "mean" not in bets.dictionary.templates


@pytest.mark.parametrize("confidence", [0.0, 1.0, -1.0, math.nan])
def test_a_confidence_outside_zero_to_one_is_refused(confidence: float) -> None:
    """Certainty cannot be had from a reference."""
    with pytest.raises(StatisticsError, match="confidence"):
        bounded.fit([0.1, 0.2], confidence=confidence)


@pytest.mark.parametrize(
    ("thresholds", "exceedance"),
    [
        ([0.2, 0.1], [0.1, 0.01]),
        ([0.1, 0.2], [0.01, 0.1]),
        ([0.1], [0.1, 0.01]),
        ([0.1], [0.0]),
        ([0.1], [1.0]),
        ([], []),
    ],
)
def test_a_law_that_is_none_is_refused(thresholds: list[float], exceedance: list[float]) -> None:
    """Thresholds rise, exceedances fall in (0, 1), one of them each."""
    with pytest.raises(StatisticsError):
        bounded.known(thresholds, exceedance)


def test_weights_sum_to_one_and_half_lies_on_the_log_uniform_template() -> None:
    """The prior over templates and shares is a probability."""
    bets = bounded.fit(np.linspace(0.0, 0.9, 1000))
    shares = len(bets.dictionary.shares)
    assert bets.weights.sum() == pytest.approx(1.0)
    assert bets.weights[:shares].sum() == pytest.approx(0.5)


def test_evidence_by_template_adds_up_and_names_the_fault() -> None:
    """After scores beyond every reference the deepest tail holds more than the mean."""
    bets = bounded.fit(np.linspace(0.0, 0.5, 500))
    state = dictionary.init(bets.weights)
    for hour in range(20):
        factors = bounded.factors(bets, 0.9)
        state = dictionary.step(bets.weights, state, factors, hours=1.0, at=float(hour))
    each = dictionary.by_template(bets.dictionary, state)
    names = bets.dictionary.templates
    assert each.sum() == pytest.approx(float(detector.evidence(state)))
    assert each[names.index("deepest tail")] > each[names.index("mean")]


def test_a_batch_of_streams_equals_each_alone() -> None:
    """Two streams side by side have the masses of two single ones, bit for bit."""
    bets = bounded.fit(np.linspace(0.0, 0.5, 500))
    paths = np.array([[0.1, 0.45, 0.7], [0.3, 0.2, 0.5]])
    both = dictionary.init(bets.weights, (2,))
    alone = [dictionary.init(bets.weights) for _ in range(2)]
    for t in range(3):
        factors = bounded.factors(bets, paths[:, t])
        both = dictionary.step(bets.weights, both, factors, hours=1.0, at=float(t))
        alone = [
            dictionary.step(bets.weights, state, factors[i], hours=1.0, at=float(t))
            for i, state in enumerate(alone)
        ]
    assert (both.mass == np.stack([state.mass for state in alone])).all()


def test_categories_pay_by_tail() -> None:
    """Known probabilities .8, .15, .05 with share one half: the last tail pays 1 / .05."""
    bets = category.known([0.8, 0.15, 0.05], design=ONE)
    last = bets.templates.index(">= 2")
    assert category.factors(bets, [0, 1, 2])[:, last].tolist() == pytest.approx([0.5, 0.5, 10.5])


def test_counts_take_upper_limits_of_tails() -> None:
    """A category never seen among n references is bounded like a first exceedance."""
    bets = category.fit([900, 100, 0], design=ONE)
    last = bets.templates.index(">= 2")
    bound = tail_bounds.of_hits(1000, np.array([0, 100]), 0.95)[0]
    assert category.factors(bets, 2)[last] == pytest.approx(0.5 + 0.5 / bound)


def test_two_sides_have_half_the_weight_each() -> None:
    """The mirrored bet pays on a low score what the bet pays on the mirrored one."""
    reference = np.linspace(0.3, 0.7, 401)
    both = two_sided.fit(reference)
    sides = both.high.weights.size
    assert both.weights[:sides].sum() == pytest.approx(0.5)
    assert both.weights.sum() == pytest.approx(1.0)
    low = two_sided.factors(both, 0.05)[sides:]
    assert (low == bounded.factors(both.low, 1.0 - 0.05)).all()
    assert low.max() > 1.0


def test_two_sided_categories_reward_the_best_too() -> None:
    """Mirrored tails read the categories from the other end."""
    bets = two_sided.known_categories([0.1, 0.8, 0.1], design=ONE)
    assert bets.weights.sum() == pytest.approx(1.0)
    last = bets.templates.index("mirrored >= 2")
    assert bets.factors[:, last].tolist() == pytest.approx([5.5, 0.5, 0.5])
    counted = two_sided.fit_categories([100, 800, 100], design=ONE)
    assert counted.templates == bets.templates
