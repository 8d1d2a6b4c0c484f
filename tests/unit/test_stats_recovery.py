"""The test that a fault ended, by hand."""

from __future__ import annotations

from typing import Any

import pytest

from qualmon.errors import StatisticsError
from qualmon.stats import recovery
from qualmon.stats.recovery import Recovery

USUAL: dict[str, Any] = {"bound": 0.001, "share": 0.1, "gap": 20.0, "most": 1e6}


def _ratio(n: int, hits: int) -> float:
    still = 0.001 + 0.999 * 0.05
    return float((0.999 / (1.0 - still)) ** (n - hits) * (0.001 / still) ** hits)


def test_clean_answers_are_likelihood_ratios_against_half_the_share() -> None:
    """Ten clean answers at a share of 10 % multiply evidence by (.999/.949)^10."""
    state = recovery.step(recovery.start(0.0), 10.0, 10, 0, **USUAL)
    assert state == Recovery(pytest.approx(_ratio(10, 0)), 0.0, 10.0)  # type: ignore[arg-type]
    again = recovery.step(state, 20.0, 10, 0, **USUAL)
    assert again.evidence == pytest.approx(_ratio(20, 0))


def test_a_hit_costs_evidence_but_does_not_start_over_late() -> None:
    """After a long clean run one hit at the healthy rate leaves part of it standing."""
    state = Recovery(1e4, 0.0, 90.0)
    after = recovery.step(state, 100.0, 10, 1, **USUAL)
    assert after.evidence == pytest.approx(1e4 * _ratio(10, 1))
    assert after.since == 0.0


def test_hits_early_start_over() -> None:
    """Evidence at or below one is none: the run begins anew at that slot."""
    state = Recovery(1.5, 0.0, 90.0)
    assert recovery.step(state, 100.0, 4, 2, **USUAL) == recovery.start(100.0)


def test_rounds_without_answers_change_nothing() -> None:
    """A round of another model says nothing of this incident."""
    state = Recovery(7.0, 0.0, 90.0)
    assert recovery.step(state, 100.0, 0, 0, **USUAL) == state


def test_time_without_answers_does_not_count_as_clean() -> None:
    """A gap beyond the usual moves the beginning of the run on by as much."""
    state = Recovery(7.0, 0.0, 90.0)
    after = recovery.step(state, 1000.0, 10, 0, **USUAL)
    assert after.since == 1000.0 - 90.0 - 20.0
    assert recovery.step(state, 110.0, 10, 0, **USUAL).since == 0.0


def test_evidence_is_capped() -> None:
    """A relapse must not have to work off weeks of health."""
    state = recovery.start(0.0)
    for k in range(1000):
        state = recovery.step(state, 10.0 * k, 10, 0, **USUAL)
    assert state.evidence == 1e6


def test_an_unsure_share_is_taken_as_twice_the_bound() -> None:
    """With a lower end of zero the test still has an alternative, above the healthy rate."""
    unsure = {**USUAL, "share": 0.0}
    state = recovery.step(recovery.start(0.0), 10.0, 1000, 0, **unsure)
    still = 0.001 + 0.999 * 0.001
    assert state.evidence == pytest.approx((0.999 / (1.0 - still)) ** 1000)


def test_impossible_counts_are_refused() -> None:
    """More hits than answers is an error."""
    with pytest.raises(StatisticsError, match="hits among"):
        recovery.step(recovery.start(0.0), 1.0, 1, 2, **USUAL)
