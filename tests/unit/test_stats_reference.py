"""References that predict: values, lag, freeze, and what they refuse."""

from __future__ import annotations

import math

import numpy as np
import pytest

from qualmon.errors import StatisticsError
from qualmon.stats.baselines.empirical_bayes import Prior
from qualmon.stats.bets.reference import Reference, learn, observe, ratios, reference

PRIOR = Prior(0.5, 4.5)


def _fresh() -> Reference:
    return reference([0.0, 2.0, 0.0], [10.0, 10.0, 0.0])


def test_ratios_are_bad_over_the_predicted_rate() -> None:
    """A good answer is worth nothing; an unknown prompt has the prior's rate of a tenth."""
    found = ratios(PRIOR, _fresh(), [0, 1, 2, 2], [1, 1, 1, 0])
    assert found == pytest.approx([30.0, 6.0, 10.0, 0.0])


def test_answers_are_learnt_after_the_lag() -> None:
    """Two rounds an hour apart, lag 2: the first counts at hour 2, the second at hour 3."""
    state = observe(observe(_fresh(), 0.0, [0, 0], [1, 0]), 1.0, [2], [1])
    assert learn(state, 1.9, lag=2.0, evidence=0.0, most=9.0) is state
    first = learn(state, 2.0, lag=2.0, evidence=0.0, most=9.0)
    assert first.hits.tolist() == [1.0, 2.0, 0.0]
    assert first.n.tolist() == [12.0, 10.0, 0.0]
    second = learn(first, 3.0, lag=2.0, evidence=0.0, most=9.0)
    assert (second.hits.tolist(), second.n.tolist()) == ([1.0, 2.0, 1.0], [12.0, 10.0, 1.0])
    assert second.waiting == ()
    assert state.hits.tolist() == [0.0, 2.0, 0.0]


def test_high_evidence_stops_learning_and_nothing_is_lost() -> None:
    """Above the limit nothing is learnt; when it falls, what waited is."""
    state = observe(_fresh(), 0.0, [0], [1])
    assert learn(state, 9.0, lag=1.0, evidence=5.1, most=5.0) is state
    assert learn(state, 10.0, lag=1.0, evidence=5.0, most=5.0).hits[0] == 1.0


@pytest.mark.parametrize(
    ("prompts", "bad", "words"),
    [
        ([3], [1.0], "0 to 2"),
        ([-1], [1.0], "0 to 2"),
        ([0.5], [1.0], "whole"),
        ([0], [1.0, 0.0], "one for each"),
        ([0], [0.5], "not 0 or 1"),
        ([0], [math.nan], "not 0 or 1"),
    ],
)
def test_impossible_answers_are_refused(prompts: list[float], bad: list[float], words: str) -> None:
    """Prompts outside the reference, and answers that are no events, are named."""
    with pytest.raises(StatisticsError, match=words):
        ratios(PRIOR, _fresh(), prompts, bad)
    with pytest.raises(StatisticsError, match=words):
        observe(_fresh(), 0.0, prompts, bad)


def test_time_that_goes_backwards_is_refused() -> None:
    """A batch older than the last one waiting, or at no time at all."""
    state = observe(_fresh(), 2.0, [0], [0])
    for at in (1.0, math.nan):
        with pytest.raises(StatisticsError, match="slot time"):
            observe(state, at, [0], [0])


def test_a_reference_is_counts_per_prompt() -> None:
    """Tables by session must be summed first; impossible counts are refused."""
    with pytest.raises(StatisticsError, match="sum them"):
        reference(np.zeros((2, 3)), np.ones((2, 3)))
    with pytest.raises(StatisticsError, match="hits among"):
        reference([2.0], [1.0])
    assert np.isfinite(_fresh().hits).all()
