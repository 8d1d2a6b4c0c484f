"""A share of the sessions moved, or all of them: verdicts and their validity."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from qualmon.errors import StatisticsError
from qualmon.stats import partial
from qualmon.stats.partial import ALL_SESSIONS, OLD_RATE, RATES, Sessions


def told(draws: int, novel: list[int], **given: bool) -> partial.Verdict:
    """Verdict after these sessions."""
    state = partial.init()
    for count in novel:
        state = partial.step(state, draws, count)
    return partial.verdict(state, **given)


def test_some_sessions_as_before_are_a_partial_change() -> None:
    """Every fourth session is novel through and through, the others not at all."""
    found = told(40, [30, 0, 0, 0, 28, 0, 0, 0])
    assert found.kind == "partial"
    assert found.probability < 0.01


def test_all_sessions_moved_are_a_change() -> None:
    """Sixteen sessions, all novel, at rates that differ between sessions."""
    found = told(40, [5, 30] * 8)
    assert found.kind == "change"
    assert found.log10_change > 1.3 > found.log10_partial


def test_a_quality_family_makes_it_a_regression() -> None:
    """What is worse is a regression whatever moved."""
    assert told(40, [30] * 2, worse=True).kind == "regression"


@pytest.mark.parametrize(("draws", "novel"), [(40, [30, 0, 0]), (40, [30] * 8), (1, [1, 0] * 20)])
def test_too_few_sessions_or_draws_stay_undecided(draws: int, novel: list[int]) -> None:
    """Three sessions, eight that all moved, or single draws, cannot tell."""
    assert told(draws, novel).kind == "undecided"


def test_no_session_at_all_is_even_odds() -> None:
    """Without data there is no evidence and a probability of one half."""
    found = partial.verdict(partial.init())
    assert (found.kind, found.probability) == ("undecided", 0.5)
    assert found.log10_partial == found.log10_change == 0.0


def test_padding_by_empty_sessions_changes_no_odds_and_raises_no_evidence() -> None:
    """Sessions without draws say nothing; the bound on the best fit may only loosen."""
    novel = np.array([30, 0, 0, 20, 0, 0])
    short = partial.evidence(Sessions(np.full(6, 40), novel))
    padded = partial.evidence(Sessions(np.r_[np.full(6, 40), [0, 0]], np.r_[novel, [0, 0]]))
    assert padded[0] <= short[0] + 1e-9
    assert padded[1] <= short[1] + 1e-9
    assert padded[2] == pytest.approx(float(short[2]), abs=1.5)


def means(mixture: np.ndarray, draws: int, sessions: int) -> tuple[float, float]:
    """Exact means of both e-values for independent sessions of this distribution of counts."""
    total = [0.0, 0.0]
    for novel in product(range(draws + 1), repeat=sessions):
        weight = float(np.prod([mixture[x] for x in novel]))
        found = partial.evidence(Sessions(np.full(sessions, draws), np.array(novel)))
        for one in range(2):
            total[one] += weight * float(np.exp(found[one]))
    return total[0], total[1]


def counts(rate: float, draws: int) -> np.ndarray:
    """Distribution of novel answers of a session at one rate."""
    every = Sessions(np.full(draws + 1, draws), np.arange(draws + 1))
    return np.exp(partial._log_binomial(every, np.array([rate]))[:, 0])


@pytest.mark.parametrize("rates", [(0.05, 0.05), (0.3, 0.3), (0.1, 0.9), (1.0, 1.0)])
def test_evidence_for_partial_has_mean_one_at_most_when_all_moved(
    rates: tuple[float, float],
) -> None:
    """Exact sums over four sessions of three draws; the rates stand off the grid."""
    mixture = (counts(rates[0], 3) + counts(rates[1], 3)) / 2.0
    assert means(mixture, 3, 4)[0] <= 1.0


@pytest.mark.parametrize("share", [0.0, 0.4, ALL_SESSIONS])
@pytest.mark.parametrize("rate", [float(RATES[5]), 0.37, 1.0])
def test_evidence_for_change_has_mean_one_at_most_when_some_stayed(
    share: float, rate: float
) -> None:
    """Exact sums over four sessions of three draws, the unmoved ones at the old state's limit."""
    mixture = share * counts(rate, 3) + (1.0 - share) * counts(OLD_RATE, 3)
    assert means(mixture, 3, 4)[1] <= 1.0


@pytest.mark.parametrize(("draws", "novel"), [(3, 4), (3, -1), (-1, 0)])
def test_impossible_counts_are_named(draws: int, novel: int) -> None:
    """More novel answers than draws, or fewer than none."""
    with pytest.raises(StatisticsError, match="among"):
        partial.step(partial.init(), draws, novel)


@pytest.mark.parametrize("alpha", [0.0, 1.0, float("nan")])
def test_alpha_is_a_probability(alpha: float) -> None:
    """Errors outside (0, 1) are refused."""
    with pytest.raises(StatisticsError, match="alpha"):
        partial.verdict(partial.init(), alpha=alpha)
