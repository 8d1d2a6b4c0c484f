"""Recovery by hour of the day, rung and identities, by hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from qualmon.errors import StatisticsError
from qualmon.stats import recovery_by_hour as ends
from qualmon.stats.fault_places import places
from qualmon.stats.recovery_by_hour import Plan, Recovering

HOUR = 3600.0
PLAN = Plan(bound=1e-3)
#: A fault seen from 8 to 20 o'clock: 10 % of 200 draws a block, and clean nights.
DAYTIME = [[[200, 0], [200, 0], [200, 20], [200, 20], [200, 20], [200, 0]]]


@dataclass
class Watch:
    """Hours of draws after an alarm at noon."""

    plan: Plan
    state: Recovering
    hour: int = 12

    def clean(self, hours: int, draws: int = 50, hits: int = 0) -> Watch:
        for _ in range(hours):
            self.hour += 1
            n, h = [draws] * self.plan.contexts, [hits] * self.plan.contexts
            self.state = ends.step(self.plan, self.state, self.hour * HOUR, n, h)
        return self

    @property
    def over(self) -> bool:
        return ends.evidence(self.plan, self.state) >= 1.0 / self.plan.alpha


def _watch(seen: Any = DAYTIME, plan: Plan = PLAN) -> Watch:
    return Watch(plan, ends.start(plan, 12 * HOUR, seen))


def test_places_are_arcs_of_the_day_in_one_context_or_all() -> None:
    """Six blocks have 31 arcs; two contexts three times as many places, none twice."""
    assert len(places(6, 1)) == 31
    both = places(6, 2)
    assert len(both) == 93
    assert len({place.tobytes() for place in both}) == 93
    assert both.any(axis=(1, 2)).all()


def test_a_clean_night_ends_nothing_a_clean_day_does() -> None:
    """A fault of the day is over only when its own hours were clean, all of them."""
    watch = _watch()
    assert not watch.clean(20).over
    assert watch.clean(16).over


def test_hits_in_its_own_hours_keep_it_open() -> None:
    """Nights clean, days as before: open after ten days."""
    watch = _watch()
    for _ in range(10):
        watch.clean(8, hits=5).clean(12).clean(4, hits=5)
        assert not watch.over


def test_evidence_by_hand() -> None:
    """One block a day: the rest of the alarm's day only sizes the fault, the next whole day
    speaks, at the first start's spend of 1/2, against half the share."""
    plan = Plan(1e-3, blocks=1)
    state = ends.step(plan, ends.start(plan, 12 * HOUR, [[[200, 20]]]), 20 * HOUR, 100, 0)
    state = ends.step(plan, state, 30 * HOUR, 80, 1)
    assert ends.evidence(plan, state) == 0.0
    state = ends.step(plan, state, 50 * HOUR, 1, 0)
    still = 0.5 * (20 / 300 + 1e-3)
    ratio = (0.999 / (1.0 - still)) ** 79 * (1e-3 / still)
    assert ends.evidence(plan, state) == pytest.approx(0.5 * ratio)


def test_an_unsure_fault_is_taken_at_its_lower_limit_and_above_the_bound() -> None:
    """Three hits: the 95 % lower limit, 0.82/n about; one hit among many: twice the bound."""
    plan = Plan(1e-3, blocks=1)
    stills = []
    for n, h in ((100, 3), (5000, 1)):
        state = ends.step(plan, ends.start(plan, 12 * HOUR, [[[n, h]]]), 13 * HOUR, 1, 0)
        stills.append(float(ends.step(plan, state, 30 * HOUR, 0, 0).still[0, 0]))
    assert 0.0075 < stills[0] < 0.0085
    assert stills[1] == 0.002


def test_silence_is_no_health() -> None:
    """Days without draws in the faulty hours, or without any, end nothing."""
    watch = _watch()
    for _ in range(5):
        watch.clean(8, draws=0).clean(12).clean(4, draws=0)
    assert not watch.over
    silent = _watch()
    silent.hour += 240
    assert not silent.clean(6).over


def test_three_days_when_asked_for() -> None:
    """`days` makes it wait longer, whatever the evidence."""
    watch = _watch(plan=Plan(1e-3, days=3))
    assert not watch.clean(60).over
    assert watch.clean(24).over


def test_a_fault_of_one_rung_needs_that_rung() -> None:
    """With rung 1 alone faulty, clean draws of rung 0 do not count for it."""
    plan = Plan(1e-3, contexts=2)
    seen = np.zeros((2, 6, 2))
    seen[:, :, 0] = 200
    seen[1, :, 1] = 20
    state = ends.start(plan, 12 * HOUR, seen)
    for hour in range(13, 100):
        state = ends.step(plan, state, hour * HOUR, [50, 0], [0, 0])
    assert ends.evidence(plan, state) < 1.0 / plan.alpha
    for hour in range(100, 160):
        state = ends.step(plan, state, hour * HOUR, [50, 50], [0, 0])
    assert ends.evidence(plan, state) >= 1.0 / plan.alpha


def test_spends_of_all_starts_sum_to_one_at_most() -> None:
    """alpha is spent per incident, however long it lasts and however often one looks."""
    spends = []
    watch = _watch()
    for _ in range(700):
        watch.clean(4, draws=1)
        spends.append(float(watch.state.spend[-1]))
    assert sum(spends) <= 1.0 + 1e-9
    assert sum(spends) > 0.98


@pytest.mark.parametrize(
    ("plan", "seen", "reason"),
    [
        (Plan(0.0), DAYTIME, "bound"),
        (Plan(1e-3, blocks=5), DAYTIME, "Blocks divide 24"),
        (Plan(1e-3, days=0), DAYTIME, "days"),
        (Plan(1e-3, alpha=1.0), DAYTIME, "alpha"),
        (PLAN, [[[1, 0]] * 5], "shape"),
        (PLAN, [[[1, 2]] * 6], "hits among"),
        (PLAN, [[[1, 0]] * 6], "without a bad draw"),
    ],
)
def test_impossible_plans_and_counts_are_refused(plan: Plan, seen: Any, reason: str) -> None:
    """Each with a named error."""
    with pytest.raises(StatisticsError, match=reason):
        ends.start(plan, 0.0, seen)


def test_time_and_counts_of_a_round_are_checked() -> None:
    """Earlier blocks, more hits than draws and times that are no numbers."""
    state = _watch().state
    for at, n, h in ((1.0, 1, 0), (13 * HOUR, 1, 2), (float("nan"), 1, 0), (13 * HOUR, -1, -1)):
        with pytest.raises(StatisticsError):
            ends.step(PLAN, state, at, n, h)
