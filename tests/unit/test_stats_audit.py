"""The audit of a declared bound: proof, refutation, the rate in effect, support of a page."""

from __future__ import annotations

import pytest

from qualmon.errors import StatisticsError
from qualmon.stats.audit import (
    FLOOR,
    Audit,
    bound_in_effect,
    is_supported,
    may_page,
    step,
)
from qualmon.stats.bounds import upper_limit


def fed(rounds: int, n: int, hits: int = 0, bound: float = 1e-3, probes: int = 10) -> Audit:
    """`rounds` hourly rounds of `n` answers at each probe; `hits` at the first probe of each."""
    state = Audit()
    for number in range(rounds):
        counts = {str(p): (n, hits if p == 0 else 0) for p in range(probes)}
        state = step(state, counts, bound=bound, at=float(number))
    return state


def test_three_over_the_bound_clean_answers_prove_it() -> None:
    """At 1e-3 that is 3,000, here in 30 rounds of 100; a round fewer does not."""
    assert fed(30, 10).status == "proven"
    assert fed(29, 10).status == "unproven"


def test_many_answers_of_few_rounds_prove_nothing() -> None:
    """Answers of one round may share their state."""
    assert fed(29, 1000).status == "unproven"


def test_a_probe_that_stands_out_blocks_the_proof() -> None:
    """The pool is below the bound, one probe of ten is three times above it."""
    counts = {str(p): (1000, 0) for p in range(10)}
    state = Audit()
    for number in range(100):
        bad = {**counts, "0": (1000, 6)} if number % 2 else counts
        state = step(state, bad, bound=1e-3, at=float(number))
    assert upper_limit(*state.total) < 1e-3
    assert state.status == "unproven"


def test_a_burst_starts_the_count_of_rounds_anew() -> None:
    """Hits that come together in one round say that its answers are one."""
    state = fed(29, 100)
    state = step(state, {"0": (1000, 9)}, bound=1e-3, at=29.0)
    assert state.burst == 30
    assert step(state, {"0": (9000, 0)}, bound=1e-3, at=30.0).status == "unproven"


def test_a_wrong_bound_is_refuted_for_good() -> None:
    """Ten times the bound is refuted, and nothing afterwards changes that."""
    state = fed(40, 10, hits=1)
    assert state.status == "refuted"
    assert step(state, {"0": (10**6, 0)}, bound=1e-3, at=100.0) == state


def test_suspect_answers_teach_a_proven_bound_nothing() -> None:
    """A fault must not become the new normal; an unproven bound counts everything."""
    proven, unproven = fed(30, 10), fed(5, 10)
    bad = {"0": (100, 50)}
    assert step(proven, bad, bound=1e-3, at=50.0, suspect=True) == proven
    assert step(unproven, bad, bound=1e-3, at=50.0, suspect=True).status == "refuted"


def test_answers_younger_than_a_day_do_not_move_the_rate() -> None:
    """The limit in effect is that of answers that are a whole lag window old."""
    state = fed(48, 10)
    assert state.settled == (0, 0)
    assert bound_in_effect(state, 1e-3) == 1.0
    later = fed(49, 10)
    assert bound_in_effect(later, 1e-3) == pytest.approx(upper_limit(*later.settled))
    assert later.settled == (2400, 0)


def test_an_unproven_bound_bets_no_lower_than_the_floor() -> None:
    """A million clean answers of one round do not make 1e-6 believable."""
    state = Audit(settled=(10**8, 0))
    assert bound_in_effect(state, 1e-6) == FLOOR
    assert bound_in_effect(state._replace(status="proven"), 1e-6) == 1e-6


def test_a_page_needs_three_hits_on_two_prompts_and_a_proven_bound() -> None:
    """The same (prompt, round) twice is one hit; one prompt alone is its own news."""
    hits = [("a", 1), ("a", 2), ("b", 2)]
    assert is_supported(hits)
    assert not is_supported([*hits[:2], ("a", 2), ("a", 3)])
    assert not is_supported([("a", 1), ("b", 1), ("b", 1)])
    assert may_page(fed(30, 10), hits)
    assert not may_page(fed(29, 10), hits)


def test_impossible_input_is_named() -> None:
    """Bounds, counts, rounds and times that cannot be."""
    good = {"0": (10, 0)}
    with pytest.raises(StatisticsError, match=r"bound 0\.0"):
        step(Audit(), good, bound=0.0, at=0.0)
    with pytest.raises(StatisticsError, match="11 hits among 10"):
        step(Audit(), {"0": (10, 11)}, bound=1e-3, at=0.0)
    with pytest.raises(StatisticsError, match="before hour"):
        step(Audit(opened=5.0), good, bound=1e-3, at=4.0)
    with pytest.raises(StatisticsError, match="before hour"):
        step(Audit(), good, bound=1e-3, at=float("nan"))
    with pytest.raises(StatisticsError, match="0 rounds"):
        step(Audit(), good, bound=1e-3, at=1.0, rounds=0)


def test_no_answers_change_nothing() -> None:
    """Silence is no proof."""
    assert step(Audit(), {}, bound=1e-3, at=1.0) == Audit()
