"""Sessions, serving states, detectable shares and slow drift: values and what they refuse."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from qualmon.errors import StatisticsError
from qualmon.stats.baselines.detectable import answers_needed, information, smallest_share
from qualmon.stats.baselines.drift import Block, block, drift
from qualmon.stats.baselines.sessions import failing_prompts, sessions
from qualmon.stats.baselines.states import State, accept, match


def test_two_sessions_by_hand() -> None:
    """One prompt, 4 and 0 bad of 8 each: variance 4 times binomial, as Pearson has it."""
    found = sessions(np.array([[4.0], [0.0]]), np.array([[8.0], [8.0]]))
    assert found.ratio == pytest.approx((2**2 + 2**2) / (2 * 8 * 0.5 * 0.25 * 0.75))
    assert found.icc == pytest.approx((found.ratio - 1) / 7)
    assert found.effective == pytest.approx(16 / (1 + 7 * found.icc))
    assert found.icc_limit > found.icc


def test_difficult_prompts_are_no_session_effect() -> None:
    """The same unequal prompts in each session: ratio near 1 (sd .26 at 30 sessions)."""
    rng = np.random.default_rng(1)
    n = np.full((30, 60), 5.0)
    found = sessions(rng.binomial(5, rng.beta(0.3, 2.0, 60), (30, 60)).astype(float), n)
    assert 0.3 < found.ratio < 2.0
    assert found.answers == 9_000


def test_the_icc_and_its_limit_where_it_is_known() -> None:
    """Beta-binomial sessions of ICC .1 at rate .3: the mean estimate, and coverage of a 95 %
    limit in 300 references of 30 sessions (below .91 with probability .002)."""
    rng = np.random.default_rng(2)
    n, found = np.full((30, 1), 50.0), []
    for _ in range(300):
        rates = rng.beta(0.3 * 9, 0.7 * 9, (30, 1))
        found.append(sessions(rng.binomial(50, rates).astype(float), n))
    assert np.mean([one.icc for one in found]) == pytest.approx(0.1, abs=0.01)
    assert np.mean([one.icc_limit >= 0.1 for one in found]) > 0.91


def test_prompts_that_follow_the_session_are_named() -> None:
    """Two of twenty answer by session; the others, rare or frequent, are not named."""
    rng = np.random.default_rng(3)
    rates = np.tile(rng.beta(0.5, 5.0, 20), (30, 1))
    rates[:, [4, 9]] = np.where(rng.random((30, 1)) < 0.3, 0.9, 0.05)
    n = np.full((30, 20), 6.0)
    assert failing_prompts(rng.binomial(6, rates).astype(float), n).tolist() == [4, 9]


def test_healthy_prompts_are_named_as_seldom_as_stated() -> None:
    """60 suites of 20 healthy prompts at alpha .05: 10 or more named has probability .001
    if the chance is .05 (it is far less: Markov)."""
    rng = np.random.default_rng(5)
    n = np.full((10, 20), 4.0)
    named = 0
    for _ in range(60):
        bad = rng.binomial(4, np.tile(rng.beta(0.3, 5.7, 20), (10, 1))).astype(float)
        named += int(failing_prompts(bad, n, 0.05).size > 0)
    assert named < 10


def test_nothing_is_known_without_a_bad_answer_or_with_bad_ones_only() -> None:
    """Ratio nan, limit 1, no prompt named."""
    n = np.full((5, 3), 4.0)
    for bad in (np.zeros_like(n), n):
        found = sessions(bad, n)
        assert math.isnan(found.ratio)
        assert found.icc_limit == 1.0
        assert failing_prompts(bad, n).size == 0


def _draws(rng: np.random.Generator, table: np.ndarray, m: int) -> np.ndarray:
    return np.array([rng.multinomial(m, row) for row in table])


def test_a_return_of_a_known_state_is_named_and_a_new_one_is_not() -> None:
    """Two accepted states of 12 prompts; sessions of five draws a prompt."""
    rng = np.random.default_rng(7)
    tables = rng.dirichlet(np.full(4, 0.3), (3, 12))
    library = accept((), "morning", _draws(rng, tables[0], 50))
    library = accept(library, "night", _draws(rng, tables[1], 50))
    library = accept(library, "night", _draws(rng, tables[1], 5))
    assert [state.name for state in library] == ["morning", "night"]
    assert library[1].counts.sum() == 12 * 55
    for which, name in ((0, "morning"), (1, "night"), (2, None)):
        assert match(_draws(rng, tables[which], 5), library).name == name


def test_states_that_a_session_cannot_tell_apart_are_not_named() -> None:
    """Equal reference counts: posteriors one half each."""
    counts = np.array([[20.0, 5.0], [3.0, 22.0]])
    found = match([[4, 1], [0, 5]], [State("a", counts), State("b", counts)])
    assert found.name is None
    assert found.posterior == pytest.approx((0.5, 0.5))


def test_a_known_state_is_called_new_as_seldom_as_stated() -> None:
    """The novelty ratio is an e-value for sessions drawn from the state's predictive law: its
    mean over 1,500 sessions is at most 1 within four standard errors."""
    rng = np.random.default_rng(8)
    counts = np.array([[3.0, 1.0], [0.0, 4.0]])
    worth = []
    for _ in range(1_500):
        rates = np.array([rng.dirichlet(row + 0.5) for row in counts])
        worth.append(math.exp(match(_draws(rng, rates, 3), [State("a", counts)]).log_novelty))
    assert np.mean(worth) < 1.0 + 4 * np.std(worth) / math.sqrt(len(worth))


def test_reference_sizes_by_hand() -> None:
    """log(1e5) / KL at rate .01: 5,434, 1,268 and 349 answers for .8, 2 and 5 %."""
    found = [answers_needed(share, 0.01, 1e5) for share in (0.008, 0.02, 0.05)]
    assert found == pytest.approx([5434.4, 1267.7, 349.4], abs=0.1)
    assert smallest_share(0.01, found[1], 1e5) == pytest.approx(0.02)


def test_more_reference_shows_smaller_shares_and_clean_prompts_most() -> None:
    """Information grows with share and answers; a prompt never asked adds none."""
    rates = np.array([0.001, 0.2])
    both = smallest_share(rates, 100.0, 5_000)
    assert smallest_share(rates, 200.0, 5_000) < both
    assert smallest_share(rates, [200.0, 0.0], 5_000) < smallest_share(rates, [0.0, 200.0], 5_000)
    assert information(0.1, rates, [5.0, 0.0]) == pytest.approx(information(0.1, 0.001, 5.0))
    assert information(0.0, rates, 9.0) == 0.0
    assert information(1.0, rates, 9.0) == math.inf


def _days(rng: np.random.Generator, count: int, shift: float) -> Block:
    odds = np.full((count, 15, 3), -2.0) + 0.3 * rng.normal(size=(count, 1, 1))
    odds[..., 0] += shift
    n = np.full(odds.shape, 8.0)
    return block(rng.binomial(8, 1.0 / (1.0 + np.exp(-odds))).astype(float), n)


def test_slow_drift_opens_a_ticket_for_the_target_that_drifts() -> None:
    """A tenth of a log odds a week for ten weeks; the two steady targets move against it."""
    rng = np.random.default_rng(9)
    anchor = _days(rng, 30, 0.0)
    found = drift(anchor, [_days(rng, 7, 0.1 * week) for week in range(1, 11)])
    assert found.ticket.tolist()[0] is True
    assert found.change[0] > 0.2
    assert found.change[1:].max() < 0.0


def test_drift_free_targets_open_tickets_as_seldom_as_stated() -> None:
    """40 healthy streams x 4 blocks x 3 targets at rate .05: 48 or more of 480 tickets would be
    twice the stated number, and 5 sd away even if targets and blocks came in tens."""
    rng = np.random.default_rng(10)
    opened = 0
    for _ in range(40):
        anchor = _days(rng, 30, 0.0)
        blocks = [_days(rng, 7, 0.0) for _ in range(4)]
        opened += sum(int(drift(anchor, blocks[:k], 0.05).ticket.sum()) for k in range(1, 5))
    assert opened < 48


ONE = np.ones((2, 1))
CALLS: list[tuple[Callable[[], object], str]] = [
    (lambda: sessions(ONE, np.zeros((2, 1))), "hits among"),
    (lambda: sessions(np.ones(2), np.ones(2)), "give"),
    (lambda: sessions(np.ones((1, 2)), np.ones((1, 2))), "1 sessions"),
    (lambda: sessions(ONE, ONE, 1.0), "confidence"),
    (lambda: failing_prompts(ONE, ONE, 0.0), "alpha"),
    (lambda: failing_prompts(0.5 * ONE, ONE), "whole"),
    (lambda: match([[1, 2]], ()), "accept a reference"),
    (lambda: match([1, 2], [State("a", np.ones((1, 2)))]), "prompts, categories"),
    (lambda: match([[1, -2]], [State("a", np.ones((1, 2)))]), "negative"),
    (lambda: match([[1, 2]], [State("a", np.ones((2, 2)))]), "differ"),
    (lambda: match([[1, 2]], [State("a", np.ones((1, 2)))], sure=1.0), "sure"),
    (lambda: accept([State("a", np.ones((2, 2)))], "b", [[1, 2]]), "differs"),
    (lambda: smallest_share(0.0, 10.0, 100.0), "between 0 and 1"),
    (lambda: smallest_share(1.0, 10.0, 100.0), "between 0 and 1"),
    (lambda: smallest_share(math.nan, 10.0, 100.0), "between 0 and 1"),
    (lambda: smallest_share(0.1, 0.0, 100.0), "not all 0"),
    (lambda: smallest_share(0.1, math.inf, 100.0), "finite"),
    (lambda: smallest_share(0.1, 10.0, 1.0), "budget"),
    (lambda: answers_needed(0.0, 0.1, 100.0), "no fault"),
    (lambda: answers_needed(1.5, 0.1, 100.0), "share"),
    (lambda: drift(Block(np.zeros(2), np.ones(2), 30), []), "at least one block"),
    (lambda: drift(Block(np.zeros(2), np.ones(2), 30), [], 0.0), "rate"),
]


@pytest.mark.parametrize("case", range(len(CALLS)))
def test_bad_input_is_refused(case: int) -> None:
    """Each impossible input is an error that names it and what to give."""
    call, words = CALLS[case]
    with pytest.raises(StatisticsError, match=words):
        call()
