"""One stream: clock, clusters, first slot, onset, proof of the rate."""

from __future__ import annotations

import math

import numpy as np
import pytest

from qualmon.errors import StatisticsError
from qualmon.stats import detector
from qualmon.stats.detector import EVENTS
from qualmon.stats.onsets import Onsets, median
from qualmon.stats.scalar import Scalar, factor
from qualmon.stats.spacing import Spacing
from qualmon.stats.stream import Alarm, Health, Stream, Worth, worth

BOUND = 0.01
GOOD, BAD = worth(0.0, 0.0), worth(1.0 / BOUND, 1.0)
HEALTH = Health(BOUND, "proven")


def _alarms(stream: Stream[int], lines: list[tuple[float | None, Worth, str | None]]) -> list:
    found: list[Alarm[int]] = []
    for number, (at, given, cluster) in enumerate(lines):
        found += stream.watch(at, given, cluster, number)
    return found + stream.close()


def test_scalar_masses_are_the_detectors_bit_for_bit() -> None:
    """Random e-values and hours, up to saturation and back."""
    rng = np.random.default_rng(3)
    scalar, state = Scalar(EVENTS.weights, math.inf), detector.init(EVENTS)
    ratios = [*rng.exponential(1.0, 200), *[1e200] * 5, *rng.exponential(1.0, 50)]
    for ratio in map(float, ratios):
        hours = float(rng.integers(0, 3)) / 3
        scalar.step(factor(EVENTS, ratio), hours)
        state = detector.step(EVENTS, state, ratio, hours=hours, at=0.0)
        assert scalar.mass == state.mass.tolist()
        assert scalar.evidence() == float(detector.evidence(state))


def test_scalar_alarms_exactly_when_the_evidence_reaches_the_budget() -> None:
    """The carried bound saves sums, never an alarm."""
    rng = np.random.default_rng(4)
    scalar = Scalar(EVENTS.weights, 50.0)
    for ratio in (rng.random(5000) < 0.012) / 0.01:
        assert scalar.step(factor(EVENTS, float(ratio)), 1.0) is (scalar.evidence() >= 50.0)


@pytest.mark.parametrize("ratio", [-1.0, math.nan, math.inf])
def test_impossible_e_values_are_refused(ratio: float) -> None:
    """NaN, infinities, negative numbers."""
    with pytest.raises(StatisticsError, match="finite number >= 0"):
        worth(ratio, 0.0)


def test_a_pause_earns_two_usual_intervals() -> None:
    """And the interval itself forgets a pause after some fifty slots."""
    spacing = Spacing(10.0)
    assert [spacing.earned(0.5) for _ in range(5)] == [0.5] * 5
    assert spacing.earned(1000.0) == 1.0
    assert 0.5 < spacing.usual < 0.6
    for _ in range(400):
        spacing.earned(0.5)
    assert spacing.usual == pytest.approx(0.5, abs=1e-3)


def test_the_first_spacing_is_capped_and_slower_schedules_are_learned() -> None:
    """Daily slots with a first cap of two hours: the full day after some slots."""
    spacing = Spacing(2.0)
    earned = [spacing.earned(24.0) for _ in range(40)]
    assert earned[0] == 2.0
    assert earned == sorted(earned)
    assert earned[-1] == 24.0


def test_lines_an_hour_apart_by_their_times_are_lines_without_times() -> None:
    """Same alarms, same evidence, also where the times are large."""
    rng = np.random.default_rng(5)
    bets = [BAD if bad else GOOD for bad in rng.random(3000) < 0.03]
    plain = _alarms(Stream(HEALTH, 200.0), [(None, bet, None) for bet in bets])
    timed = _alarms(
        Stream(HEALTH, 200.0), [(1.7e9 + 3600.0 * i, bet, None) for i, bet in enumerate(bets)]
    )
    assert len(plain) > 5
    assert plain == timed


def test_the_first_slot_earns_as_much_as_the_second_and_waits_for_it() -> None:
    """Ten bad answers at once are no evidence before time has passed; then they are."""
    lines = [(0.0, BAD, None)] * 10
    assert _alarms(Stream(HEALTH, 100.0), lines) == []
    (alarm,) = _alarms(Stream(HEALTH, 100.0), [*lines, (3600.0, GOOD, None)])
    assert alarm.at == 10


def test_lines_of_one_slot_multiply_and_earn_no_time() -> None:
    """The second line of a slot adds no hours: the masses are those of a product."""
    scalar = Scalar(EVENTS.weights, math.inf)
    scalar.step(factor(EVENTS, 3.0), 1.0)
    scalar.step(factor(EVENTS, 5.0), 0.0)
    expected = [
        w * a * b
        for w, a, b in zip(
            EVENTS.weights, factor(EVENTS, 3.0).values, factor(EVENTS, 5.0).values, strict=True
        )
    ]
    assert scalar.mass == pytest.approx(expected, rel=1e-15)


def test_a_cluster_is_one_line_with_its_mean() -> None:
    """Closed by the next name, by a line without one, or at the end; alarm at its last line."""
    mean = worth(0.75 / BOUND, 0.75)
    members = [(None, bet, "c") for bet in (BAD, GOOD, BAD, BAD)]
    quiet = [(None, GOOD, None)] * 50
    clustered = _alarms(Stream(HEALTH, 2000.0), [*quiet, *members * 5])
    assert clustered == []
    named = [
        (None, bet, f"c{k}") for k in range(30) for bet in (BAD, GOOD, BAD, BAD)
    ]  # fmt: skip
    found = _alarms(Stream(HEALTH, 2000.0), [*quiet, *named])
    assert found
    assert (found[0].at - 50) % 4 == 3
    timed = [(3600.0 * i, bet, c) for i, (_, bet, c) in enumerate([*quiet, *named])]
    single = [
        *[(3600.0 * i, GOOD, None) for i in range(50)],
        *[(3600.0 * (50 + 4 * k), mean, None) for k in range(30)],
    ]
    evidence = [alarm.evidence for alarm in _alarms(Stream(HEALTH, 2000.0), timed)]
    assert evidence == pytest.approx(
        [alarm.evidence for alarm in _alarms(Stream(HEALTH, 2000.0), single)], rel=1e-12
    )


def test_onset_and_share_are_those_of_the_fault() -> None:
    """2,000 healthy answers, then a fault of 40 %: over 30 seeds the onset is near, the interval
    holds the truth in at least 26 (nominal 95 %)."""
    near = held = 0
    for seed in range(30):
        rng = np.random.default_rng(seed)
        rates = np.where(np.arange(4000) < 2000, BOUND, BOUND + 0.4 * (1 - BOUND))
        stream: Stream[int] = Stream(HEALTH, 1e5)
        lines = [(None, BAD if bad else GOOD, None) for bad in rng.random(4000) < rates]
        alarm = _alarms(stream, lines)[0]
        near += abs(alarm.onset - 2000) < 25
        held += alarm.share.low <= 0.4 <= alarm.share.high
    assert near >= 26
    assert held >= 26


def test_a_declared_rate_has_to_be_proven_by_what_came_before() -> None:
    """400 clean answers prove 1 % (3 / P are needed), 200 do not, and 8 bad of 1,000 do not."""
    declared = Health(BOUND, "declared")
    fault = [(None, BAD, None)] * 6

    def page(before: list[tuple[None, Worth, None]]) -> bool:
        return _alarms(Stream(declared, 1e4), [*before, *fault])[0].page

    assert page([(None, GOOD, None)] * 400)
    assert not page([(None, GOOD, None)] * 200)
    noisy = ([(None, GOOD, None)] * 124 + [(None, BAD, None)]) * 8
    assert not page(noisy)


def test_candidates_cost_logarithmic_memory_and_keep_the_counts() -> None:
    """A hundred thousand hits; each window counts what followed its first hit."""
    onsets: Onsets[int] = Onsets()
    for index in range(100_000):
        onsets.n += 3
        onsets.hit(index, 0.5)
    found = onsets.candidates()
    assert len(found) < 40
    for item in found:
        start = 3 * (item.mark + 1)
        assert item.since == (start, 300_000 - start + 1, 0.5 * (100_000 - item.mark))
        assert item.after == (start, 300_000 - start, 0.5 * (100_000 - item.mark - 1))
        assert (item.earlier, item.earlier_hits) == (3 * item.mark + 2, 0.5 * item.mark)


def test_the_onset_is_the_median_of_where_the_evidence_began() -> None:
    """Against the masses themselves, split by their start: 60 answers with a few hits."""
    rng = np.random.default_rng(6)
    uniform = detector.uniform(EVENTS.shares)
    for _ in range(20):
        bad = rng.random(60) < 0.2
        bad[-1] = True
        onsets: Onsets[int] = Onsets()
        parts = np.zeros((61, 10))
        for index, hit in enumerate(bad, 1):
            onsets.n += 1
            if hit:
                onsets.hit(index, 1.0)
            parts[index] = uniform.weights
            parts[: index + 1] *= factor(uniform, float(hit) / BOUND).values
        hits = [item.mark for item in onsets.candidates()]
        # Merged hits are no candidates: their starts count for the next one that is.
        before = [parts[: mark + 1].sum() for mark in hits]
        expected = next(m for m, mass in zip(hits, before, strict=True) if mass >= before[-1] / 2)
        found = median(onsets.candidates(), BOUND).mark
        assert abs(hits.index(found) - hits.index(expected)) <= 1
