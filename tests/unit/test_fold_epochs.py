"""What a new configuration keeps and what it starts anew."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from fold_kit import BOUNDS, EVERY, FLEET, Rate, Run, Traffic, faulty, healthy, make_rules, proven

from qualmon.folding.epochs import closed, migrated
from qualmon.folding.rules import FoldRules
from qualmon.folding.state import FoldState, Pool, dump, load
from qualmon.types import Target

AWS = tuple(sorted(target.key for target in FLEET if target.platform == "aws"))
RULES = make_rules(versions={f"core/p{i}": "1" for i in range(24)})
NEW_TARGET = Target("m-large", "aws", "spot", labels={"hardware": "gpu"})


def _running(rate: Rate = healthy, hours: float = 10) -> Run:
    return Run(RULES, proven(RULES)).feed(Traffic(3).rounds(hours, rate))


def _changed(**changes: Any) -> FoldRules:
    return make_rules(**{"versions": RULES.versions, **changes})


def _mass(state: FoldState, rules: FoldRules, scope: str, channel: str) -> float:
    return float(state.events.mass[rules.place[scope], rules.events.index(channel)].sum())


def test_the_same_rules_change_nothing() -> None:
    """An epoch with the same places, channels, bounds and probes carries every byte over."""
    run = _running(faulty(AWS, 0.1, onset=4))
    after = migrated(run.state, RULES, _changed())
    assert dump(after, RULES) == dump(run.state, RULES)


def test_weights_change_without_lifting_any_mass() -> None:
    """New weights act on new hours only: no mass rises by configuration."""
    state = _running().state
    heavier = replace(
        RULES, nodes=tuple(replace(node, weight=node.weight * 2) for node in RULES.nodes)
    )
    after = migrated(state, RULES, heavier)
    assert after.events.mass.tolist() == state.events.mass.tolist()
    assert after.updated.tolist() == state.updated.tolist()


def test_a_node_that_left_takes_its_evidence_along() -> None:
    """Without one target its node is gone, and nodes that held it start at zero."""
    smaller = _changed(targets=tuple(t for t in FLEET if t.key != AWS[0]))
    run = _running()
    after = migrated(run.state, RULES, smaller)
    assert f"target={AWS[0]}" not in smaller.place
    assert _mass(after, smaller, "platform=aws", "script.run") == 0.0
    assert np.isnan(after.updated[smaller.place["fleet"]])
    kept = _mass(after, smaller, "platform=gcp", "script.run")
    assert kept == _mass(run.state, RULES, "platform=gcp", "script.run") > 0.0
    assert AWS[0] not in after.targets
    assert all(AWS[0] not in pool.trusted for p in after.pools.values() for pool in p.values())


def test_a_channel_that_came_starts_at_zero_and_the_others_stay() -> None:
    """Rows follow channels by name, wherever they stand in the array."""
    bounds = {**BOUNDS, "script.aaa": 1e-3}
    wider = _changed(events=tuple(sorted(bounds)), bounds=bounds)
    run = _running()
    after = migrated(run.state, RULES, wider)
    assert _mass(after, wider, "fleet", "script.aaa") == 0.0
    for channel in BOUNDS:
        assert _mass(after, wider, "fleet", channel) == _mass(run.state, RULES, "fleet", channel)


def test_evidence_against_a_bound_that_was_raised_is_dropped() -> None:
    """What was measured against a rate now called too low proves nothing; what was measured
    against a higher one still does."""
    run = _running()
    raised = _changed(bounds={**BOUNDS, "script.run": 2e-3})
    after = migrated(run.state, RULES, raised)
    assert _mass(after, raised, "fleet", "script.run") == 0.0
    assert _mass(after, raised, "fleet", "script.char") > 0.0
    assert "script.run" not in after.pools["core/m-large"]
    lowered = _changed(bounds={**BOUNDS, "script.run": 5e-4})
    assert _mass(migrated(run.state, RULES, lowered), lowered, "fleet", "script.run") > 0.0


def test_a_probe_version_takes_its_answers_out_of_the_audit_only() -> None:
    """Evidence stays: dropping it at every version would hide small faults for ever."""
    run = _running()
    bumped = _changed(versions={**RULES.versions, "core/p3": "2"})
    after = migrated(run.state, RULES, bumped)
    pool, before = after.pools["core/m-large"]["script.run"], run.state.pools["core/m-large"]
    assert "p3" not in pool.probes
    assert len(pool.probes) == 23
    assert pool.n == pytest.approx(before["script.run"].n * 23 / 24, rel=0.01)
    assert pool.status == "proven"
    assert pool.trusted == before["script.run"].trusted
    assert after.events.mass.tolist() == run.state.events.mass.tolist()


def _with_pool(pool: Pool) -> FoldState:
    return replace(proven(RULES), pools={"core/m-large": {"script.run": pool}})


def test_a_proof_that_rested_on_the_changed_probe_is_asked_for_again() -> None:
    """Too few answers left: unproven until enough have come."""
    counts = {"p0": (2500, 0), "p1": (1000, 0)}
    targets = {AWS[0]: (3500, 0)}
    pool = Pool(3500, 0, counts, targets, rounds=900, status="proven", trusted=(AWS[0],))
    bumped = _changed(versions={**RULES.versions, "core/p0": "2"})
    after = migrated(_with_pool(pool), RULES, bumped).pools["core/m-large"]["script.run"]
    assert (after.n, after.status, after.trusted) == (1000, "unproven", ())


def test_a_refutation_goes_with_the_probe_that_caused_it() -> None:
    """Once the bad prompt is mended the bound gets a second chance."""
    counts = {"p0": (1000, 300), "p1": (1000, 0)}
    targets = {AWS[0]: (1000, 150), AWS[1]: (1000, 150)}
    pool = Pool(2000, 300, counts, targets, rounds=900, status="refuted")
    bumped = _changed(versions={**RULES.versions, "core/p0": "2"})
    after = migrated(_with_pool(pool), RULES, bumped).pools["core/m-large"]["script.run"]
    assert (after.n, after.hits, after.status) == (1000, 0, "unproven")


def test_an_audit_without_any_answers_left_is_forgotten() -> None:
    """The pool of a suite that is gone must not stand in the way of another's proof."""
    after = migrated(_running().state, RULES, _changed(versions={}))
    assert after.pools["core/m-large"] == {}


def test_an_incident_stays_open_over_an_epoch() -> None:
    """Its place still exists: same id, same evidence, and it goes on."""
    run = _running(faulty(AWS, 0.1, onset=4))
    (before,) = run.open
    wider = _changed(targets=(*FLEET, NEW_TARGET))
    after = migrated(run.state, RULES, wider)
    (item,) = after.incidents.values()
    assert (item.incident.id, item.incident.scope) == (before.id, "platform=aws")
    assert NEW_TARGET.key in item.incident.targets
    further = Run(wider, after).feed(
        Traffic(4, targets=(*FLEET, NEW_TARGET)).rounds(4, faulty(AWS, 0.1, onset=4), since=40)
    )
    assert [incident.id for incident in further.open] == [before.id]
    assert closed(run.state, after, next(iter(Traffic(1).rounds(1, healthy))).slot) == ()


def test_an_incident_survives_a_new_channel_of_its_family() -> None:
    """Its tally is realigned: the newcomer has no evidence yet, and the fold goes on."""
    run = _running(faulty(AWS, 0.1, onset=4))
    bounds = {**BOUNDS, "script.aaa": 1e-3}
    wider = _changed(events=tuple(sorted(bounds)), bounds=bounds)
    after = migrated(run.state, RULES, wider)
    (item,) = after.incidents.values()
    assert len(item.tally["script"]["platform=aws"]) == 30
    traffic = Traffic(4, channels=tuple(sorted(bounds)))
    further = Run(wider, after).feed(traffic.rounds(4, faulty(AWS, 0.1, onset=4), since=40))
    assert [incident.scope for incident in further.open] == ["platform=aws"]


def test_an_incident_whose_place_is_gone_is_closed_with_a_reason() -> None:
    """Nothing watches it any more, so nobody should be paged for ever."""
    run = _running(faulty(AWS, 0.1, onset=4))
    (before,) = run.open
    fewer = _changed(targets=tuple(t for t in FLEET if t.platform != "aws"))
    after = migrated(run.state, RULES, fewer)
    assert after.incidents == {}
    slot = next(iter(Traffic(1).rounds(1, healthy, since=50))).slot
    (ended,) = closed(run.state, after, slot)
    assert (ended.id, ended.level, ended.resolved_at) == (before.id, "ok", slot.due)
    assert "configuration" in ended.reasons[-1]


def test_an_incident_follows_its_targets_to_a_merged_place() -> None:
    """When a platform shrinks to one target the two places are one, and it is meant."""
    only = AWS[0]
    run = _running(faulty([only], 0.3, onset=4))
    assert run.open[0].scope == f"target={only}"
    fewer = _changed(targets=tuple(t for t in FLEET if t.platform != "aws" or t.key == only))
    after = migrated(run.state, RULES, fewer)
    assert [item.incident.scope for item in after.incidents.values()] == [f"target={only}"]


def test_a_migrated_state_is_read_back_alike() -> None:
    """Rows written under the new rules give the same state again."""
    run = _running(faulty(AWS, 0.1, onset=4))
    wider = _changed(targets=(*FLEET, NEW_TARGET))
    after = migrated(run.state, RULES, wider)
    assert dump(load(dump(after, wider), wider), wider) == dump(after, wider)


def test_hours_go_on_from_the_old_epoch() -> None:
    """A node that stays earns the hours since its last update, not a fresh start."""
    run = _running(hours=1)
    after = migrated(run.state, RULES, _changed())
    assert after.updated[RULES.place["model=m-large"]] == pytest.approx(3 * EVERY / 3600.0)
