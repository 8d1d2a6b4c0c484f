"""Comparisons of two targets: verdicts, intervals, and samples of any metric."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qualmon.errors import StatisticsError
from qualmon.stats import comparison, differences, exchange
from qualmon.stats.comparison import Question, State

QUESTION = Question()


def fed(values: list[float], question: Question = QUESTION) -> State:
    """The state after the given differences."""
    state = comparison.init()
    for d in values:
        state = comparison.step(question, state, d)
    return state


@given(
    past=st.lists(st.floats(-1.0, 1.0), max_size=12),
    low=st.floats(-1.0, 0.0),
    high=st.floats(0.0, 1.0),
    m=st.floats(0.001, 0.9),
)
def test_both_bets_are_fair_after_any_past(
    past: list[float], low: float, high: float, m: float
) -> None:
    """Two-point laws of mean 0, and of mean min_effect, leave the expected wealth as it is."""
    question = Question(m, 0.05)
    state = fed(past, question)
    for centre, evidence in ((0.0, comparison.evidence_worse), (m, comparison.evidence_sound)):
        a, b = centre + low * (1.0 + centre), centre + high * (1.0 - centre)
        part = 0.5 if b == a else (centre - a) / (b - a)
        after = [
            float(evidence(comparison.step(question, state, float(np.clip(d, -1.0, 1.0)))))
            for d in (a, b)
        ]
        assert min(after) >= 0.0
        mean = (1.0 - part) * after[0] + part * after[1]
        assert mean <= float(evidence(state)) * (1.0 + 1e-9) + 1e-12


def test_a_worse_candidate_is_a_regression_and_an_equal_one_passes() -> None:
    """Clear cases end in the verdict that a user expects."""
    assert comparison.verdict(QUESTION, fed([1.0, 0.0] * 30)) == "regression"
    assert comparison.verdict(QUESTION, fed([0.0] * 400)) == "pass"
    assert comparison.verdict(QUESTION, fed([0.0, 1.0, -1.0])) == "inconclusive"


def test_a_better_candidate_passes() -> None:
    """An improvement is evidence against being worse."""
    assert comparison.verdict(QUESTION, fed([-1.0, 0.0, 0.0] * 40)) == "pass"


def test_a_batch_equals_its_members() -> None:
    """Stepping many comparisons at once gives each the same numbers."""
    rng = np.random.default_rng(2)
    paths = rng.uniform(-1, 1, (30, 4))
    batch = comparison.init((4,))
    for row in paths:
        batch = comparison.step(QUESTION, batch, row)
    for i in range(4):
        alone = fed(paths[:, i].tolist())
        assert float(comparison.evidence_worse(alone)) == comparison.evidence_worse(batch)[i]


def test_futility_gives_up_only_what_cannot_end() -> None:
    """Balanced differences around half the effect go nowhere; clear ones do not stop early."""
    balanced = fed([1.0, 0.0, -1.0, 0.02] * 15)
    assert comparison.futile(QUESTION, balanced, 20)
    assert not comparison.futile(QUESTION, fed([0.0] * 60), 300)
    assert not comparison.futile(QUESTION, comparison.init(), 10)


@pytest.mark.parametrize("value", [math.nan, 1.1, -1.1, math.inf])
def test_impossible_differences_are_refused(value: float) -> None:
    """Differences outside [-1, 1] are errors in both folds."""
    with pytest.raises(StatisticsError, match="not in"):
        comparison.step(QUESTION, comparison.init(), value)
    with pytest.raises(StatisticsError, match="not in"):
        differences.step(differences.init(), value)


@pytest.mark.parametrize("question", [Question(0.0), Question(1.0), Question(0.1, 0.0)])
def test_impossible_questions_are_refused(question: Question) -> None:
    """An effect or error rate of 0 or 1 is an error."""
    with pytest.raises(StatisticsError, match="must be in"):
        comparison.step(question, comparison.init(), 0.0)


def test_the_interval_narrows_around_the_mean() -> None:
    """After 600 pairs the interval holds their mean, leaves out 0 and is .2 wide at most."""
    rng = np.random.default_rng(4)
    state = differences.init()
    assert differences.limits(state)[1:] == (-1.0, 1.0)
    for d in rng.choice([-1.0, 0.0, 1.0], 600, p=[0.05, 0.7, 0.25]).tolist():
        state = differences.step(state, d)
    mean, low, high = differences.limits(state)
    assert 0.0 < low < mean < high < low + 0.2


def test_exchange_has_mean_one_over_all_splits() -> None:
    """Averaged over every split of pooled values, ties included, each e-value is 1."""
    for pooled in ([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0], [0.0, 0.0, 0.0, 1.0, 1.0, 2.0, 9.0]):
        found = []
        for chosen in itertools.combinations(range(7), 3):
            candidate = [pooled[i] for i in chosen]
            reference = [pooled[i] for i in range(7) if i not in chosen]
            found.append(exchange.compare(reference, candidate))
        np.testing.assert_allclose(np.mean(found, axis=0), 1.0)


def test_reported_arrays_get_the_sensible_verdict() -> None:
    """Kayenta #780 and spinnaker #6278 are evidence at .05; #426 is suspicious, not a pass."""
    jump = exchange.compare([1.0] * 10, [100.0] * 7 + [1.0] * 3)
    assert jump.higher > 20 > 1 > jump.lower
    sparse = exchange.compare([0.0] * 6, [0.0, 1.0, 2.0, 1.0, 0.0, 0.0])
    assert 20 > sparse.higher > 5
    wild = [1.0, 100, 4, 101, 5, 102, 6, 103, 7, 104, 8, 105, 9, 106, 17]
    calm = [10.0, 10.1, 10.2, 10.3, 10.4, 10.5, 10.6, 17, 17.1, 17.2, 17.3, 17.4, 17.5, 17.6, 17.7]
    assert exchange.compare(wild, calm).narrower > 20
    assert exchange.compare(calm, wild).wider > 20


def test_exchange_refuses_what_it_cannot_rank() -> None:
    """Empty samples and values that are not finite are errors."""
    for reference, candidate in (([], [1.0]), ([1.0], []), ([math.nan], [1.0])):
        with pytest.raises(StatisticsError):
            exchange.compare(reference, candidate)
