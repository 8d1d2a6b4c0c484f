"""The fast fold of one stream against the detector on arrays, and bets that are e-values."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qualmon.stats import detector, esr
from qualmon.stats.bounds import upper_limit
from qualmon.stats.detector import EVENTS
from qualmon.stats.score_valuation import DeclaredMean, Scores
from qualmon.stats.spacing import Spacing
from qualmon.stats.stream import Health, Stream, worth
from qualmon.stats.valuation import Counts, declared, referenced

BOUND = 0.05
BUDGET = 12.0
#: (seconds since the last line, value, cluster)
LINES = st.lists(
    st.tuples(
        st.sampled_from([0.0, 1800.0, 3600.0, 3600.0, 90000.0]),
        st.sampled_from([0.0, 0.0, 1.0]),
        st.sampled_from([None, None, "c", "d"]),
    ),
    max_size=60,
)


def _clusters(
    lines: list[tuple[float, float, str | None]], timed: bool
) -> list[tuple[float, list[float], int]]:
    """(slot in hours, values, last line) of each cluster."""
    found: list[tuple[float, list[float], int]] = []
    at, before = 0.0, None
    for number, (since, value, cluster) in enumerate(lines):
        at += since
        slot = at / 3600.0 if timed else float(number)
        if cluster is not None and found and cluster == before:
            found[-1] = (found[-1][0], [*found[-1][1], value], number)
        else:
            found.append((slot, [value], number))
        before = cluster
    return found


def _slow(lines: list[tuple[float, float, str | None]], timed: bool) -> list[tuple[int, float]]:
    """(last line, evidence) of each alarm, by the plain recursion on arrays."""
    clusters = _clusters(lines, timed)
    slots = list(dict.fromkeys(slot for slot, _, _ in clusters))
    spacing = Spacing(max(1.0, 0.1 * BUDGET))
    earned = [spacing.earned(b - a) for a, b in itertools.pairwise(slots)]
    first = earned[0] if timed and earned else 1.0
    hours = dict(zip(slots, [first, *earned], strict=False))
    state, found, seen = detector.init(EVENTS), [], set()
    for slot, values, last in clusters:
        drift = np.asarray(EVENTS.weights) * (0.0 if slot in seen else hours[slot])
        factors = detector.factors(EVENTS, np.asarray(values) / BOUND).sum(axis=0) / len(values)
        state = esr.step(state, drift, slot, factors)
        seen.add(slot)
        evidence = float(detector.evidence(state))
        # In the first slot of a timed stream the hours are not known yet.
        if evidence >= BUDGET and not (timed and slot == slots[0]):
            found.append((last, evidence))
            state = detector.init(EVENTS)
    return found


@settings(deadline=None, max_examples=200)
@given(LINES, st.booleans())
def test_streams_alarm_as_the_detector_on_arrays(
    lines: list[tuple[float, float, str | None]], timed: bool
) -> None:
    """Same alarms at the same lines with the same evidence (1e-12 relative), whatever the
    times and clusters."""
    stream: Stream[int] = Stream(Health(BOUND, "proven"), BUDGET)
    at, found = 0.0, []
    for number, (since, value, cluster) in enumerate(lines):
        at += since
        bet = worth(value / BOUND, value)
        found += stream.watch(at if timed else None, bet, cluster, number)
    found += stream.close()
    slow = _slow(lines, timed)
    assert [alarm.at for alarm in found] == [line for line, _ in slow]
    assert [alarm.evidence for alarm in found] == pytest.approx(
        [evidence for _, evidence in slow], rel=1e-12
    )


@given(st.floats(1e-6, 0.999), st.floats(0.0, 1.0))
def test_declared_events_and_means_are_e_values(rate: float, part: float) -> None:
    """Exact sums: for events at or below the rate, and for two-point scores of the mean, no
    factor has a mean above 1."""
    true = rate * part
    good, bad = (declared(rate).worth(None, value).factor.values for value in (0.0, 1.0))
    assert all((1 - true) * g + true * b <= 1 + 1e-9 for g, b in zip(good, bad, strict=True))
    low, high = rate * part, rate + (1 - rate) * part
    if high > low:
        weight = (rate - low) / (high - low)
        pair = [DeclaredMean(rate).worth(None, value).factor.values for value in (low, high)]
        assert all((1 - weight) * a + weight * b <= 1 + 1e-9 for a, b in zip(*pair, strict=True))


@settings(deadline=None)
@given(st.integers(1, 400), st.floats(0.0, 0.9))
def test_events_against_a_reference_are_e_values_up_to_its_limit(n: int, part: float) -> None:
    """Exact sums at every rate up to the reference's upper limit."""
    hits = int(part * n)
    found = referenced({None: Counts(n, float(hits))}, [])
    true = min(upper_limit(n, hits), 1.0 - 0.5 / n)
    good, bad = (found.worth(None, value).factor.values for value in (0.0, 1.0))
    assert all((1 - true) * g + true * b <= 1 + 1e-9 for g, b in zip(good, bad, strict=True))


@settings(deadline=None, max_examples=30)
@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=60), st.floats(0.0, 1.0))
def test_scores_have_one_factor_per_bet(reference: list[float], score: float) -> None:
    """Any reference but one of the worst scores only; the worst score has the largest factors."""
    if set(reference) == {1.0}:
        return
    found = Scores(reference, [0] * len(reference))
    values = found.worth(None, score).factor.values
    assert len(values) == len(found.weights)
    assert sum(found.weights) == pytest.approx(1.0)
    assert found.worth(None, 1.0).factor.largest >= max(values)
