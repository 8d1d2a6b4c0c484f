"""Oracles and the design over all rates and shares."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from qualmon.stats import detector, esr
from qualmon.stats.detector import EVENTS
from qualmon.stats.oracle import bernoulli

rates = st.floats(1e-3, 0.3)
shares = st.floats(4e-3, 0.5)


@given(rates, st.floats(0.0, 1.0), arrays(np.float64, 10, elements=st.floats(0.0, 1e9)))
def test_evidence_minus_hours_is_a_supermartingale(
    bound: float, part: float, mass: np.ndarray
) -> None:
    """The shipped weights: one answer raises mean evidence by an hour at most, at any healthy
    rate up to the bound (an exact sum over both outcomes)."""
    rate = part * bound
    state = esr.Masses(mass, np.zeros(10))
    after = [
        float(detector.evidence(detector.step(EVENTS, state, bad / bound, hours=1.0, at=0.0)))
        for bad in (0.0, 1.0)
    ]
    mean = (1.0 - rate) * after[0] + rate * after[1]
    assert mean <= (float(mass.sum()) + 1.0) * (1.0 + 1e-9)


@settings(max_examples=30)
@given(rates, shares, st.integers(2, 60))
def test_run_lengths_grow_with_the_height(rate: float, share: float, height: int) -> None:
    """Higher thresholds wait longer, and no rule alarms before the first bad answer."""
    steps = bernoulli.lattice(rate, share, error=0.05)
    low, high = (bernoulli.run_lengths(steps, h, rate)[0] for h in (height, height + 1))
    assert 1.0 / rate <= low * (1.0 + 1e-9)
    assert low <= high * (1.0 + 1e-9)


@settings(max_examples=20)
@given(st.floats(5e-3, 0.1), st.floats(0.02, 0.3), st.floats(1.5, 20.0))
def test_rules_meet_their_target(rate: float, share: float, multiple: float) -> None:
    """Any run length above that of the first bad answer is met exactly."""
    target = multiple / rate
    found = bernoulli.rule(bernoulli.lattice(rate, share, error=0.02), rate, target)
    lengths = [
        bernoulli.run_lengths(found.lattice, found.height + more, rate)[0] for more in (0, 1)
    ]
    mean = found.chance * lengths[0] + (1.0 - found.chance) * lengths[1]
    assert 0.0 < found.chance <= 1.0
    assert abs(mean / target - 1.0) < 1e-9
