"""The share of bad answers: choice of onsets and ends of the interval."""

from __future__ import annotations

import math

import pytest

from qualmon.stats.bounds import confidence_sequence
from qualmon.stats.grids import EPS_GRID
from qualmon.stats.share import (
    Share,
    Window,
    likeliest,
    log_likelihood_ratio,
    plausible,
    share,
)
from qualmon.stats.share_union import united

BOUND = 1e-3


def test_likelihood_ratio_is_the_mean_over_the_grid() -> None:
    """The same number as the plain product of contamination bets, averaged over shares."""
    n, hits = 50, 3
    plain = sum(
        (1 - eps + eps / BOUND) ** hits * (1 - eps) ** (n - hits) for eps in EPS_GRID
    ) / len(EPS_GRID)
    assert log_likelihood_ratio(n, hits, BOUND) == pytest.approx(math.log(plain))


def test_nothing_seen_is_everything_possible() -> None:
    """No answers: no point, the whole interval."""
    for sized in (share, united):
        assert sized((), BOUND) == Share(None, 0.0, 1.0)
        assert sized((Window(0.0, 0, 0),), BOUND) == Share(None, 0.0, 1.0)
    assert plausible((Window(0.0, 0, 0),), BOUND) == ()


def test_no_point_below_ten_hits() -> None:
    """Nine hits give an interval only, ten also a point."""
    for sized in (share, united):
        assert sized((Window(0.0, 100, 9),), BOUND).point is None
        point = sized((Window(0.0, 100, 10),), BOUND).point
        assert point == pytest.approx((0.1 - BOUND) / 0.999, rel=0.1)


def test_the_interval_holds_its_point_and_narrows() -> None:
    """More answers at the same rate give a narrower interval around the same point."""
    few, many = (share((Window(0.0, n, n // 10),), BOUND) for n in (100, 5000))
    assert few.point is not None
    assert few.low < many.low < 0.099 < many.high < few.high
    assert few.low < few.point < few.high


def test_answers_without_a_hit_begin_at_zero() -> None:
    """Nothing bad seen: the interval begins at 0; all bad: it ends at 1."""
    assert share((Window(0.0, 5000, 0),), BOUND).low == 0.0
    assert share((Window(0.0, 40, 40),), BOUND).high == 1.0


def test_both_onsets_count_by_their_likelihood() -> None:
    """Of two onsets the interval follows the likelier one."""
    right, early = Window(100.0, 100, 12), Window(0.0, 3000, 12)
    assert share((early, right), BOUND) == share((right,), BOUND)


def test_one_onset_gives_the_confidence_sequence_less_the_bound() -> None:
    """Contaminated share = (rate - bound) / (1 - bound), never below zero."""
    low, high = confidence_sequence(200, 12, 0.05)
    sized = united((Window(0.0, 200, 12),), BOUND)
    assert sized.low == pytest.approx((low - BOUND) / (1 - BOUND))
    assert sized.high == pytest.approx((high - BOUND) / (1 - BOUND))
    assert united((Window(0.0, 5000, 1),), BOUND).low == 0.0


def test_several_onsets_share_the_error_and_unite() -> None:
    """Each plausible onset gets its part of alpha; the interval spans them all."""
    windows = (Window(0.0, 400, 12), Window(100.0, 120, 11))
    parts = [confidence_sequence(w.n, w.hits, 0.025) for w in windows]
    sized = united(windows, BOUND)
    assert sized.low == pytest.approx((min(low for low, _ in parts) - BOUND) / (1 - BOUND))
    assert sized.high == pytest.approx((max(high for _, high in parts) - BOUND) / (1 - BOUND))


def test_implausible_onsets_are_left_out() -> None:
    """A start a thousand clean answers too early is no candidate; the best always is."""
    early, right = Window(0.0, 3000, 12), Window(100.0, 100, 12)
    assert plausible((early, right), BOUND) == (right,)
    assert likeliest((early, right), BOUND) == right


def test_at_most_eight_onsets_in_order_of_time() -> None:
    """More candidates would only widen the interval."""
    windows = [Window(float(k), 100 - k, 12) for k in range(20)]
    chosen = plausible(windows, BOUND)
    assert len(chosen) == 8
    assert list(chosen) == sorted(chosen)
