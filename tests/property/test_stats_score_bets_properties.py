"""Score and category bets: E[r] <= 1 in exact sums, for every law below the bounds."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from qualmon.stats.bets import bounded, category, two_sided
from qualmon.stats.esr import Floats

unit = st.floats(0.0, 1.0)
parts = st.lists(st.floats(1e-6, 1.0), min_size=2, max_size=9)


def _law(weights: list[float]) -> Floats:
    return np.asarray(np.asarray(weights) / np.sum(weights))


@settings(max_examples=60, deadline=None)
@given(parts, parts)
def test_every_bet_on_a_score_is_valid_for_every_law_below_its_bounds(
    bounds: list[float], smaller: list[float]
) -> None:
    """Tails at most the declared ones give a mean of each factor of at most 1."""
    declared = np.cumsum(_law(bounds)[::-1])[::-1][1:]
    thresholds = np.linspace(0.1, 0.9, declared.size)
    bets = bounded.known(thresholds, np.minimum(declared, 1.0 - 1e-9))
    shrink = np.resize(np.asarray(smaller), declared.size)
    true = np.minimum.accumulate(bets.tails[1:] * np.minimum(shrink, 1.0))
    law = -np.diff(np.concatenate([[1.0], true, [0.0]]))
    assert (law @ bets.dictionary.factors <= 1.0 + 1e-9).all()


@settings(max_examples=60, deadline=None)
@given(parts)
def test_known_categories_have_mean_one_on_both_sides(weights: list[float]) -> None:
    """With known probabilities every bet is exactly fair, mirrored ones too."""
    law = _law(weights)
    for bets in (category.known(law), two_sided.known_categories(law)):
        np.testing.assert_allclose(law @ bets.factors, 1.0, rtol=1e-6)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 50), min_size=2, max_size=7), st.floats(0.5, 0.99))
def test_counted_categories_are_valid_at_the_observed_frequencies(
    counts: list[int], confidence: float
) -> None:
    """An upper limit lies above the frequency, so at the frequencies no bet is favourable."""
    counts[0] += 1
    law = np.asarray(counts) / np.sum(counts)
    bets = category.fit(counts, confidence=confidence)
    assert (law @ bets.factors <= 1.0 + 1e-9).all()


@settings(max_examples=60, deadline=None)
@given(st.lists(unit, min_size=1, max_size=60), unit, unit)
def test_a_worse_score_never_lowers_a_bet(reference: list[float], a: float, b: float) -> None:
    """All factors rise with the score, whatever the ties and point masses of the reference."""
    if min(reference) == 1.0:
        reference.append(0.0)
    bets = bounded.fit(reference)
    low, high = bounded.factors(bets, sorted([a, b]))
    assert (high >= low).all()
    assert np.isfinite(high).all()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0]), min_size=2, max_size=80))
def test_a_tied_reference_is_no_evidence_against_itself(reference: list[float]) -> None:
    """The reference's own frequencies lie within the bounds, so no bet gains on them."""
    if min(reference) == 1.0:
        reference.append(0.0)
    bets = bounded.fit(reference)
    assert (bounded.factors(bets, reference).mean(axis=0) <= 1.0 + 1e-9).all()
