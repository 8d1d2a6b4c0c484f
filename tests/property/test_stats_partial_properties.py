"""Properties of the partial-change test, the audit and novelty, over what hypothesis finds."""

from __future__ import annotations

from itertools import product

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from qualmon.stats import partial
from qualmon.stats.audit import Audit, bound_in_effect, step
from qualmon.stats.bets.novelty import MIN_LOOKS, Reference, learn, novelty_ratio
from qualmon.stats.bounds import upper_limit
from qualmon.stats.partial import ALL_SESSIONS, MOVED_RATE, OLD_RATE, Sessions

DRAWS = 2


def counted(rate: float) -> np.ndarray:
    """Distribution of novel answers among DRAWS."""
    return np.array([(1.0 - rate) ** 2, 2.0 * rate * (1.0 - rate), rate**2])


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.floats(MOVED_RATE, 1.0), min_size=1, max_size=3),
    st.floats(0.0, ALL_SESSIONS),
    st.floats(0.0, OLD_RATE),
)
def test_no_truth_makes_the_evidence_against_it_exceed_one_on_average(
    rates: list[float], share: float, old: float
) -> None:
    """E[e] <= 1 by exact sums over five sessions, for any mixture of rates and any share."""
    moved = np.mean([counted(rate) for rate in rates], axis=0)
    kept = share * moved + (1.0 - share) * counted(old)
    every = np.array(list(product(range(DRAWS + 1), repeat=5)))
    parted, changed, _ = partial.evidence(Sessions(np.full_like(every, DRAWS), every))
    assert float(np.sum(np.prod(moved[every], axis=1) * np.exp(parted))) <= 1.0 + 1e-9
    assert float(np.sum(np.prod(kept[every], axis=1) * np.exp(changed))) <= 1.0 + 1e-9


rounds = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 2), st.booleans()), max_size=80)


@given(rounds, st.sampled_from([1e-3, 1e-2, 0.1]))
def test_the_audit_keeps_its_word(fed: list[tuple[int, int, bool]], bound: float) -> None:
    """Never proven above the limit, never back from refuted, never a rate below the declared."""
    state, before = Audit(), "unproven"
    for number, (n, hits, suspect) in enumerate(fed):
        counts = {"p": (n, min(n, hits)), "q": (n, 0)}
        state = step(state, counts, bound=bound, at=6.0 * number, suspect=suspect)
        if state.status == "proven" and before == "unproven":
            assert upper_limit(*state.total) <= bound
        assert before != "refuted" or state.status == "refuted"
        assert bound <= bound_in_effect(state, bound) <= 1.0
        assert all(x <= y for x, y in zip(state.settled, state.total, strict=True))
        before = state.status


@given(st.lists(st.sampled_from("abz"), max_size=20), st.floats(1e-4, 1.0))
def test_a_session_of_novelty_is_worth_between_nothing_and_one_over_the_bound(
    session: list[str], bound: float
) -> None:
    """So its mean is at most one where each answer is unseen with probability `bound` at most."""
    reference = Reference()
    for _ in range(MIN_LOOKS):
        reference = learn(reference, ["ab"] * 3)
    share = session.count("z") / len(session) if session else 0.0
    assert novelty_ratio(reference, session, bound) == share / bound
