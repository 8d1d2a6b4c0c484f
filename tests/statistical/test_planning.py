"""Planned delays are those of the detector; all seeded, at four standard errors (1 in 16,000)."""

from __future__ import annotations

import math

import numpy as np
import pytest

from qualmon.errors import StatisticsError
from qualmon.stats import detector, planning
from qualmon.stats.detector import EVENTS
from qualmon.stats.planning import Fault, Watch

WATCH = Watch(0.01, 0.005, 60.0, 3, 0.5, 200.0)


def test_a_plan_agrees_with_the_detector_stepped() -> None:
    """Mean delay of clusters of three, planned and stepped through the library."""
    runs, fault = 400, Fault(0.05, 0.7)
    rng = np.random.default_rng(8)
    state = detector.init(EVENTS, (runs,))
    hours = np.full(runs, np.inf)
    t = 0
    while np.isinf(hours).any():
        faulty = (rng.random(runs) < fault.share) & (t >= 600)
        rate = np.where(faulty, 0.005 + 0.995 * fault.sensitivity, 0.005)
        bad = rng.binomial(3, rate) / 3.0
        step = WATCH.weight / WATCH.clusters_per_hour
        state = detector.step(EVENTS, state, bad / WATCH.bound, hours=step, at=0.0)
        t += 1
        reached = detector.evidence(state) >= WATCH.budget
        state = detector.Masses(*(np.where(reached[:, None], 0.0, part) for part in state))
        if t > 600:
            hours[reached & np.isinf(hours)] = (t - 600) / WATCH.clusters_per_hour
    plan = planning.delay(WATCH, fault, healthy=10.0, seed=1)
    error = math.hypot(plan.error, hours.std() / math.sqrt(runs))
    assert plan.mean == pytest.approx(hours.mean(), abs=4 * error)


def test_the_same_seed_gives_the_same_plan() -> None:
    """A plan is a function of its arguments."""
    assert planning.delay(WATCH, Fault(0.1), runs=50) == planning.delay(WATCH, Fault(0.1), runs=50)


def test_larger_faults_are_found_sooner() -> None:
    """Delay falls with the share, with visibility and with the rate of asking."""
    means = [planning.delay(WATCH, Fault(share), runs=200).mean for share in (0.02, 0.1, 0.5)]
    assert means[0] > means[1] > means[2]
    faint = planning.delay(WATCH, Fault(0.1, 0.2), runs=200).mean
    often = planning.delay(WATCH._replace(clusters_per_hour=240.0), Fault(0.1), runs=200).mean
    assert faint > means[1] > often


def test_the_smallest_share_is_found_as_often_as_asked() -> None:
    """Other draws find it with the asked probability; a slower schedule needs a larger share."""
    share = planning.smallest_share(WATCH, within=3.0, runs=600)
    found = planning.delay(WATCH, Fault(share), horizon=3.0, seed=77).found
    assert found == pytest.approx(0.9, abs=0.08)
    slow = WATCH._replace(clusters_per_hour=20.0)
    assert planning.smallest_share(slow, within=3.0, runs=600) > share


def test_what_no_share_shows_is_infinite() -> None:
    """One cluster an hour cannot raise an alarm within one hour."""
    watch = Watch(0.2, 0.2, 1.0, 1, 0.5, 2_000.0)
    assert math.isinf(planning.smallest_share(watch, within=1.0, runs=50))


@pytest.mark.parametrize(
    ("watch", "fault", "named"),
    [
        (WATCH._replace(bound=0.0), Fault(0.1), "bound"),
        (WATCH._replace(true_rate=0.2), Fault(0.1), "true_rate"),
        (WATCH._replace(clusters_per_hour=math.nan), Fault(0.1), "clusters_per_hour"),
        (WATCH._replace(cluster_size=0), Fault(0.1), "cluster_size"),
        (WATCH._replace(weight=2.0), Fault(0.1), "weight"),
        (WATCH._replace(budget=-1.0), Fault(0.1), "budget"),
        (WATCH._replace(budget=0.5), Fault(0.1), "budget of 0.5 hours is too short"),
        (WATCH, Fault(0.0), "share"),
        (WATCH, Fault(0.1, 1.5), "sensitivity"),
    ],
)
def test_impossible_plans_are_refused(watch: Watch, fault: Fault, named: str) -> None:
    """Each value out of range is named."""
    with pytest.raises(StatisticsError, match=named):
        planning.delay(watch, fault, runs=10)
