"""What a round bets: bounds fixed before it, missing answers, clusters, hours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from fold_kit import FLEET, START, Traffic, answered, healthy, make_rules, missing, proven, slot

from qualmon.folding import alarms, evidence, nodes
from qualmon.folding.evidence import SILENT_ROUNDS, Cell, cells, hushed, terms, working_bound
from qualmon.folding.fold import fold
from qualmon.folding.rules import FoldRules
from qualmon.folding.state import FoldState, Pool, TargetState, initial
from qualmon.stats import bets
from qualmon.stats.bounds import upper_limit
from qualmon.stats.grids import DROP_GRID, EPS_GRID
from qualmon.types import ClosedRound, Member, Score, ScoredMember, Slot

ONE = FLEET[0].key
SAME_PLATFORM = FLEET[1].key
CHANNEL = "script.run"


def _rules(**changes: Any) -> FoldRules:
    return make_rules(**{"events": (CHANNEL,), "bounds": {CHANNEL: 1e-3}, **changes})


def _known(rules: FoldRules) -> FoldState:
    """Channels offered everywhere, no bound proven."""
    silent = TargetState(silent=dict.fromkeys(rules.channels, 0))
    return replace(initial(rules), targets=dict.fromkeys(rules.platforms, silent))


def _round(results: Sequence[tuple[str, bool | None]], index: int = 0) -> ClosedRound:
    """One answer a target: bad, good, or None for missing; probes p0, p1, ... in order."""
    of = slot(index)
    members = []
    for k, (target, bad) in enumerate(results):
        member = Member(of, target, f"p{k}")
        wrong = (CHANNEL,) if bad else ()
        members.append(missing(member) if bad is None else answered(member, (CHANNEL,), wrong))
    return ClosedRound(of, tuple(members))


def _cells(state: FoldState, rules: FoldRules, rnd: ClosedRound) -> dict[str, Cell]:
    return cells(rnd, state, terms(rnd, state, rules))


def _node_bets(state: FoldState, rules: FoldRules, rnd: ClosedRound, scope: str) -> Any:
    given = terms(rnd, state, rules)
    node = rules.nodes[rules.place[scope]]
    return nodes.factors(node, cells(rnd, state, given), given)


def test_hits_are_bad_events_and_large_e_values() -> None:
    """An e-value of 100 is reached by at most one healthy answer in a hundred."""
    assert evidence.is_hit(Score("a.b", "event", 1.0))
    assert evidence.is_hit(Score("a.b", "event", True))
    assert not evidence.is_hit(Score("a.b", "event", 0.0))
    assert not evidence.is_hit(Score("a.b", "event", None))
    assert not evidence.is_hit(Score("a.b", "category", "bad"))
    assert evidence.is_hit(Score("a.b", "e_value", 100.0))
    assert not evidence.is_hit(Score("a.b", "e_value", 99.0))


def test_the_working_bound_is_declared_floor_or_upper_limit() -> None:
    """The largest of the three, so that an unproven bound never flatters the evidence."""
    assert working_bound(Pool(), 1e-3) == 1.0
    assert working_bound(Pool(n=100, hits=2), 1e-3) == upper_limit(100, 2)
    assert working_bound(Pool(n=10**6), 1e-3) == 1e-3
    assert working_bound(Pool(n=10**6), 1e-6) == 1e-4


def test_the_bound_of_a_round_is_fixed_before_its_outcomes() -> None:
    """Good or bad, the answers of a round do not change what they are measured against."""
    rules = _rules()
    state = _known(rules)
    bad = terms(_round([(ONE, True)] * 8), state, rules)
    good = terms(_round([(ONE, False)] * 8), state, rules)
    assert bad.working.tolist() == good.working.tolist() == [1.0]


def test_missing_answers_bet_like_good_ones() -> None:
    """r = 0 for what did not come: late and failed answers can only lower evidence."""
    rules = _rules()
    state = proven(rules)
    lost = _cells(state, rules, _round([(ONE, None)] * 3))[ONE]
    fine = _cells(state, rules, _round([(ONE, False)] * 3))[ONE]
    assert lost.factor.tolist() == fine.factor.tolist()
    assert (lost.factor < 1.0).all()
    assert lost.judged(CHANNEL) == (0, 0)
    assert fine.judged(CHANNEL) == (3, 0)


def test_an_answer_that_cannot_be_judged_bets_like_a_missing_one() -> None:
    """A score of None is no good answer: it enters as r = 0 and is not counted as judged."""
    rules = _rules()
    member = Member(slot(0), ONE, "p0")
    mute = ScoredMember(member, "ok", {CHANNEL: Score(CHANNEL, "event", None)})
    cell = _cells(proven(rules), rules, ClosedRound(slot(0), (mute,)))[ONE]
    assert cell.answers.tolist() == [1.0]
    assert cell.counts == {}


def test_proven_answers_multiply() -> None:
    """Two bad and one good answer at a proven bound: the product of three bets."""
    rules = _rules()
    rnd = _round([(ONE, True), (ONE, True), (ONE, False)])
    cell = _cells(proven(rules), rules, rnd)[ONE]
    bad, good = bets.contamination(1000.0, EPS_GRID), bets.contamination(0.0, EPS_GRID)
    assert cell.factor[0].tolist() == bets.product([good, bad, bad], 10).tolist()


def test_unproven_answers_of_a_platform_are_one_bet_on_their_mean() -> None:
    """Answers that may share a shock are averaged over all targets of the platform."""
    rules = _rules()
    state = _known(rules)
    results = [(ONE, True), (ONE, False), (SAME_PLATFORM, False), (SAME_PLATFORM, True)]
    found = _node_bets(state, rules, _round(results), "platform=first-party")
    assert found.events[0] == pytest.approx(bets.contamination(0.5 / 1.0, EPS_GRID))
    leaf = _node_bets(state, rules, _round(results), f"target={ONE}")
    assert leaf.events[0] == pytest.approx(bets.contamination(0.5, EPS_GRID))


def test_platforms_multiply_even_when_unproven() -> None:
    """The shared component is the platform: two platforms are two bets."""
    rules = _rules()
    other = next(t.key for t in FLEET if t.platform == "gcp" and t.model == "m-large")
    found = _node_bets(_known(rules), rules, _round([(ONE, True), (other, False)]), "fleet")
    first, second = bets.contamination(1.0, EPS_GRID), bets.contamination(0.0, EPS_GRID)
    assert found.events[0] == pytest.approx(first * second)


def test_a_channel_never_judged_on_a_target_does_not_enter() -> None:
    """No log-probabilities offered: no evidence either way, no hours, from the first round on."""
    rules = _rules()
    rnd = _round([(ONE, None)] * 3)
    cell = _cells(initial(rules), rules, rnd)[ONE]
    assert cell.answers.tolist() == [0.0]
    after = fold(initial(rules), rnd, rules).state
    assert float(after.events.mass.sum()) == 0.0


def test_a_channel_asked_in_vain_goes_silent_and_comes_back() -> None:
    """After twelve rounds without a judgement it counts as not offered; one judgement later it
    is offered again, from the next round on."""
    rules = _rules()
    state = fold(initial(rules), _round([(ONE, False)]), rules).state
    for index in range(1, SILENT_ROUNDS + 1):
        assert _cells(state, rules, _round([(ONE, None)], index))[ONE].offered.tolist() == [True]
        state = fold(state, _round([(ONE, None)], index), rules).state
    late = _round([(ONE, True)], SILENT_ROUNDS + 1)
    assert _cells(state, rules, late)[ONE].offered.tolist() == [False]
    state = fold(state, late, rules).state
    after = _round([(ONE, True)], SILENT_ROUNDS + 2)
    assert _cells(state, rules, after)[ONE].offered.tolist() == [True]


def test_rounds_that_do_not_ask_a_channel_do_not_silence_it() -> None:
    """With rotating prompts a channel may rest for days and still counts when it is asked."""
    rules = _rules(feeds={"core/p0": (CHANNEL,), "core/p1": ()})
    state = fold(initial(rules), _round([(ONE, False)]), rules).state
    for index in range(1, 40):
        other = Member(slot(index), ONE, "p1")
        state = fold(state, ClosedRound(slot(index), (answered(other, ()),)), rules).state
    assert _cells(state, rules, _round([(ONE, True)], 40))[ONE].offered.tolist() == [True]


def test_a_probe_speaks_only_on_the_channels_that_it_feeds() -> None:
    """A score on another channel neither bets nor teaches the audit."""
    rules = _rules(feeds={"core/p0": ()})
    rnd = _round([(ONE, True)])
    cell = _cells(proven(rules), rules, rnd)[ONE]
    assert cell.answers.tolist() == cell.bad.tolist() == [0.0]
    assert (cell.counts, cell.hits) == ({}, ())


def test_token_bets_multiply_and_missing_answers_cost() -> None:
    """Grids of answers multiply; a missing answer is 128 tokens without evidence."""
    rules = _rules(tokens=("token.drop",))
    grid = tuple(1.0 + q for q in DROP_GRID)
    member = Member(slot(0), ONE, "p0")
    drop = Score("token.drop", "e_value", 2.0, grid=grid)
    rnd = ClosedRound(
        slot(0),
        (ScoredMember(member, "ok", {"token.drop": drop}), missing(replace(member, probe="p1"))),
    )
    cell = _cells(proven(rules), rules, rnd)[ONE]
    expected = np.array(grid) * bets.missing_answer(DROP_GRID, 128)
    assert cell.token_factor[0].tolist() == expected.tolist()


def test_members_of_unknown_targets_are_ignored() -> None:
    """A round planned under an older configuration may name targets that are gone."""
    rules = _rules()
    stranger = _round([(ONE, False), ("gone/x/y", True)])
    after = fold(proven(rules), stranger, rules).state
    assert "gone/x/y" not in after.targets
    assert fold(proven(rules), _round([("gone/x/y", True)]), rules).state.hits == ()


def _mass(state: FoldState, rules: FoldRules, scope: str) -> float:
    return float(state.events.mass[rules.place[scope]].sum())


def test_hours_come_from_slot_times_and_a_gap_earns_two_intervals_at_most() -> None:
    """The first round earns one interval, a usual one its distance, a long gap two."""
    rules = _rules()
    weight = rules.nodes[rules.place[f"target={ONE}"]].weight
    traffic = Traffic(0, channels=(CHANNEL,))

    def earned(first: int, second: int) -> float:
        state = fold(proven(rules), traffic.round(slot(first), healthy), rules).state
        given = terms(_round([(ONE, False)], second), state, rules)
        still = nodes.Bets(
            np.ones((1, 10)), np.ones((0, 13)), np.array([True]), np.array([], dtype=bool)
        )
        place = rules.place[f"target={ONE}"]
        after = nodes.stepped(state, {place: still}, given)
        return _mass(after, rules, f"target={ONE}") - _mass(state, rules, f"target={ONE}")

    assert earned(0, 1) == pytest.approx(weight * 0.25)
    assert earned(0, 2) == pytest.approx(weight * 0.5)
    assert earned(0, 3) == pytest.approx(weight * 0.5)
    assert earned(0, 1000) == pytest.approx(weight * 0.5)


def test_muted_answers_are_factor_one_without_hours() -> None:
    """What belongs to an open incident neither adds nor takes evidence elsewhere."""
    rules = _rules()
    state = proven(rules)
    rnd = _round([(ONE, True)])
    given = terms(rnd, state, rules)
    quiet = hushed(cells(rnd, state, given), {CHANNEL: {ONE}}, rules)
    found = nodes.factors(rules.nodes[rules.place[f"target={ONE}"]], quiet, given)
    assert found is not None
    assert found.events.tolist() == [[1.0] * 10]
    assert found.watched.tolist() == [False]
    after = nodes.stepped(state, {rules.place[f"target={ONE}"]: found}, given)
    assert _mass(after, rules, f"target={ONE}") == 0.0


def test_nodes_outside_the_round_stay_as_they_are() -> None:
    """A round of one model does not touch the other's nodes."""
    rules = _rules()
    state = proven(rules)
    after = fold(state, Traffic(0, channels=(CHANNEL,)).round(slot(0), healthy), rules)
    untouched = rules.place["model=m-small"]
    assert np.isnan(after.state.updated[untouched])
    assert "node/model=m-small" not in after.changed
    assert "node/fleet" in after.changed


def test_every_alarm_clears_the_nodes_around_it() -> None:
    """The same evidence is never spent twice."""
    rules = _rules()
    state = proven(rules)
    place = rules.place[f"target={ONE}"]
    state.events.mass[place] = 1000.0
    state.events.mass[rules.place["fleet"]] = 300.0
    state.events.moment[:] = state.events.mass
    after = alarms.raised(state, rules, Slot(START + 900.0, "core", "m-large", 1, 900.0))
    assert len(after.incidents) == 1
    assert after.events.mass[rules.touching([ONE])].sum() == 0.0
