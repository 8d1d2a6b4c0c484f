"""Detection while an incident is open, and the share that is tolerated."""

from __future__ import annotations

import numpy as np
import pytest

from qualmon.errors import StatisticsError
from qualmon.stats import bets, escalation
from qualmon.stats.detector import EVENTS
from qualmon.stats.share import Share
from qualmon.stats.tolerated import exceeds, tolerated_rate


def test_the_ceiling_is_the_lowest_top_of_the_intervals() -> None:
    """Rate at the top of the share; 1 when nothing is known."""
    wide, fresh = Share(None, 0.001, 0.08), Share(0.02, 0.01, 0.03)
    assert escalation.ceiling(0.001, wide, fresh) == pytest.approx(0.001 + 0.03 * 0.999)
    assert escalation.ceiling(0.001, Share(None, 0.0, 1.0)) == 1.0
    with pytest.raises(StatisticsError, match="no interval"):
        escalation.ceiling(0.001)


def test_the_product_is_that_of_the_single_bets() -> None:
    """Three cells at once, one with an open incident, equal answer by answer."""
    rates = [0.001, 0.03, 0.001]
    found = escalation.product(EVENTS, [3, 5, 2], [1, 2, 0], rates)
    for row, (n, h, p) in zip(found, zip([3, 5, 2], [1, 2, 0], rates, strict=True), strict=True):
        single = [bets.contamination(bets.event_ratio(1.0, p), EVENTS.shares)] * h
        single += [bets.contamination(0.0, EVENTS.shares)] * (n - h)
        assert row == pytest.approx(bets.product(single, len(EVENTS.shares)))


def test_under_the_top_of_its_interval_the_known_fault_is_no_evidence() -> None:
    """The mean factor of an answer at the ceiling's own rate is 1, below it less."""
    for rate, most in ((0.03, 1.0), (0.02, 0.9999)):
        hit, clean = (escalation.product(EVENTS, 1, h, 0.03) for h in (1, 0))
        assert (rate * hit + (1.0 - rate) * clean <= most + 1e-12).all()


def test_cells_of_an_open_incident_count_one_elsewhere() -> None:
    """Muted cells multiply by 1, the others are left alone."""
    factors = escalation.product(EVENTS, [3, 3], [2, 0], 0.001)
    muted = escalation.muted(factors, np.array([True, False]))
    assert (muted[0] == 1.0).all()
    assert (muted[1] == factors[1]).all()
    with pytest.raises(StatisticsError, match="claims"):
        escalation.muted(factors, np.array([True]))


@pytest.mark.parametrize(
    ("n", "h", "p"), [(1, 2, 0.1), (1, -1, 0.1), (1, 0, 0.0), (1, 0, 1.5), (1, 0, float("nan"))]
)
def test_impossible_counts_and_rates_are_refused(n: int, h: int, p: float) -> None:
    """The value is named."""
    with pytest.raises(StatisticsError):
        escalation.product(EVENTS, n, h, p)


def test_overwhelming_hits_saturate() -> None:
    """Finite for any counts."""
    assert np.isfinite(escalation.product(EVENTS, 1000, 1000, 1e-4)).all()


def test_only_an_interval_above_the_tolerated_share_pages() -> None:
    """The lower end decides, and equality does not."""
    assert exceeds(Share(0.02, 0.0011, 0.05), 0.001)
    assert not exceeds(Share(0.02, 0.001, 0.05), 0.001)
    assert tolerated_rate(0.01, 0.1) == pytest.approx(0.109)
    for wrong in (-0.1, 1.0, float("nan")):
        with pytest.raises(StatisticsError, match="min_share"):
            exceeds(Share(None, 0.0, 1.0), wrong)
    with pytest.raises(StatisticsError, match="bound"):
        tolerated_rate(0.0, 0.1)
