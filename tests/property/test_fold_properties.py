"""The fold under any traffic: resumed, reordered, told twice."""

from __future__ import annotations

import random
from dataclasses import dataclass

from fold_kit import FLEET, Rate, Run, Traffic, make_rules, proven
from hypothesis import given, settings
from hypothesis import strategies as st

from qualmon.folding.fold import fold
from qualmon.folding.rules import FoldRules, build_nodes
from qualmon.folding.state import dump, initial, load
from qualmon.types import ClosedRound, ScoredMember, Target

FIXED = settings(derandomize=True, deadline=None)
SMALL = tuple(target for target in FLEET if target.platform != "gcp")
#: A low line, so that random traffic opens, moves and ends incidents within a few rounds.
RULES = make_rules(SMALL, tokens=("token.drop",), budget_hours=0.5, clean_for=1800.0, min_share=0.0)


@dataclass(frozen=True)
class Story:
    """Random traffic: a seed, and per stretch of rounds which targets are bad how often."""

    seed: int
    stretches: tuple[tuple[int, float, int], ...]

    def rounds(self) -> list[ClosedRound]:
        """Rounds with gaps, missing answers and faults."""
        traffic, rounds, index = Traffic(self.seed, targets=SMALL), [], 0
        luck = random.Random(self.seed)
        for length, rate, where in self.stretches:
            node = RULES.nodes[where % len(RULES.nodes)]

            bad = _rate(rate, set(node.targets))
            fresh = traffic.rounds(length / 4, bad, since=index)
            rounds.extend(_with_gaps(rnd, luck) for rnd in fresh)
            index += length + luck.randrange(3)
        return rounds


def _rate(rate: float, places: set[str]) -> Rate:
    return lambda member, _channel: rate if member.target in places else 0.01


def _with_gaps(rnd: ClosedRound, luck: random.Random) -> ClosedRound:
    return ClosedRound(
        rnd.slot,
        tuple(
            ScoredMember(m.member, "timeout_total", {}) if luck.random() < 0.05 else m
            for m in rnd.members
        ),
    )


STORIES = st.builds(
    Story,
    seed=st.integers(0, 10**6),
    stretches=st.lists(
        st.tuples(st.integers(1, 6), st.sampled_from([0.0, 0.3, 1.0]), st.integers(0, 40)),
        min_size=1,
        max_size=4,
    ).map(tuple),
)


@settings(FIXED, max_examples=15)
@given(story=STORIES, fresh=st.booleans())
def test_stopped_and_resumed_between_any_two_rounds_it_is_the_same(
    story: Story, fresh: bool
) -> None:
    """Written and read back after every round: the same rows and transitions, byte for byte."""
    start = initial(RULES) if fresh else proven(RULES)
    whole, resumed = Run(RULES, start), Run(RULES, start)
    rows = dump(start, RULES)
    for rnd in story.rounds():
        whole.step(rnd)
        resumed.state = load(rows, RULES)
        folded = resumed.step(rnd)
        rows = {k: v for k, v in {**rows, **dump(folded.state, RULES, folded.changed)}.items() if v}
        assert rows == dump(whole.state, RULES)
    assert resumed.transitions == whole.transitions


@settings(FIXED, max_examples=10)
@given(story=STORIES, seed=st.integers(0, 1000))
def test_the_order_of_members_does_not_matter(story: Story, seed: int) -> None:
    """Rounds are sets of answers: any order of arrival gives the same bytes."""
    one, other = Run(RULES, proven(RULES)), Run(RULES, proven(RULES))
    luck = random.Random(seed)
    for rnd in story.rounds():
        members = list(rnd.members)
        luck.shuffle(members)
        one.step(rnd)
        other.step(ClosedRound(rnd.slot, tuple(members)))
    assert dump(one.state, RULES) == dump(other.state, RULES)
    assert one.transitions == other.transitions


@settings(FIXED, max_examples=10)
@given(story=STORIES)
def test_a_fold_leaves_its_input_alone(story: Story) -> None:
    """States are values: folding twice from the same one gives the same result."""
    state = proven(RULES)
    for rnd in story.rounds():
        before = dump(state, RULES)
        first, second = fold(state, rnd, RULES), fold(state, rnd, RULES)
        assert dump(state, RULES) == before
        assert dump(first.state, RULES) == dump(second.state, RULES)
        assert first.transitions == second.transitions
        state = first.state


@settings(FIXED, max_examples=15)
@given(story=STORIES)
def test_open_incidents_are_always_consistent(story: Story) -> None:
    """At every moment: a known place, its own targets, a legal level, an ordered interval, an
    onset before the opening, masses within their range and below the line."""
    run = Run(RULES, proven(RULES))
    for rnd in story.rounds():
        folded = run.step(rnd)
        mass = run.state.events.mass
        assert (mass >= 0.0).all()
        assert float(mass.sum(axis=(1, 2)).max()) < 3 * RULES.budget_hours
        for incident in run.open:
            node = RULES.nodes[RULES.place[incident.scope]]
            assert incident.targets == node.targets
            assert incident.level in ("firing", "recovering")
            assert 0.0 <= incident.share_low <= incident.share_high <= 1.0
            assert incident.onset <= incident.opened_at <= incident.updated_at
            assert incident.reasons == () or incident.severity == "ticket"
        assert len({t["id"] for t in folded.transitions}) == len(folded.transitions)


NAMES = st.text("abcdefghij-.", min_size=1, max_size=6)


@settings(FIXED, max_examples=50)
@given(
    parts=st.lists(
        st.tuples(NAMES, NAMES, NAMES, st.none() | NAMES),
        min_size=1,
        max_size=8,
        unique_by=lambda p: p[:3],
    ),
    hours=st.floats(1.0, 1e5),
    versions=st.dictionaries(NAMES, NAMES, max_size=4),
)
def test_rules_survive_their_record(
    parts: list[tuple[str, str, str, str | None]], hours: float, versions: dict[str, str]
) -> None:
    """Any fleet's rules read back give the same bytes; weights stay within nine tenths, and
    every target has a place."""
    targets = tuple(
        Target(m, p, r, labels={"hardware": h} if h is not None else {}) for m, p, r, h in parts
    )
    rules = make_rules(targets, budget_hours=hours, versions=versions)
    assert FoldRules.load(rules.dump()).dump() == rules.dump()
    assert sum(node.weight for node in rules.nodes) <= 0.9 + 1e-9
    assert set(rules.around) == {target.key for target in targets}
    assert len({node.scope for node in rules.nodes}) == len(rules.nodes)
    assert build_nodes(targets[::-1], ((), ("platform",))) == build_nodes(
        targets, ((), ("platform",))
    )
