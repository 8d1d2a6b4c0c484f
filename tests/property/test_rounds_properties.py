"""Slots and rounds are pure functions of names: covering, without doubles, and stable."""

import math
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from qualmon.prober.rounds import (
    Stream,
    chosen,
    due,
    due_slots,
    identity_names,
    index_at,
    members,
    phase,
    rounds_per_cycle,
    slot_at,
)
from qualmon.types import Message, Probe


def probe(name: str) -> Probe:
    return Probe(name, "core", "v1", (Message("user", f"say {name}"),), ("script.run",))


names = st.text(st.characters(codec="utf-8", exclude_characters="/"), min_size=1, max_size=8)
streams = st.builds(
    Stream,
    suite=names,
    model=names,
    every=st.floats(1.0, 86_400.0),
    probes=st.integers(1, 23).map(lambda n: tuple(probe(f"p{i}") for i in range(n))),
    targets=st.integers(1, 5).map(lambda n: tuple(f"m/p/{i}" for i in range(n))),
    probes_per_round=st.integers(1, 12),
    identities=st.integers(1, 4),
)
times = st.floats(1.5e9, 2.5e9)
indices = st.integers(0, 10**8)


@given(streams)
def test_phase_lies_inside_the_period(stream):
    """A stream's offset never reaches a whole period."""
    assert 0 <= phase(stream) < stream.every


@given(streams, times)
def test_index_at_is_the_newest_due_slot(stream, t):
    """Rounding never puts a time on the wrong side of a slot's edge."""
    index = index_at(stream, t)
    assert due(stream, index) <= t < due(stream, index + 1)


@given(streams, indices)
def test_index_at_inverts_due(stream, index):
    """The moment a slot falls due it is the newest."""
    assert index_at(stream, due(stream, index)) == index


@given(streams, times, st.lists(st.floats(0, 40), min_size=1, max_size=6))
def test_looking_often_or_rarely_gives_the_same_slots(stream, t, steps):
    """However late and uneven the looks, each slot comes out once and in order."""
    last = index_at(stream, t)
    seen, now = [], t
    for step in steps:
        now += step * stream.every
        fresh = due_slots(stream, last, now)
        seen += [slot.index for slot in fresh]
        last = fresh[-1].index if fresh else last
    assert seen == list(range(index_at(stream, t) + 1, index_at(stream, now) + 1))


@given(streams, times)
def test_a_stream_without_history_starts_with_one_slot(stream, t):
    """A new service owes nothing for the time before it existed."""
    (only,) = due_slots(stream, None, t)
    assert only.index == index_at(stream, t)


@given(streams, st.integers(0, 10**6))
def test_a_cycle_asks_every_probe_once(stream, cycle):
    """No probe is left out of a cycle, and none comes twice."""
    size = rounds_per_cycle(stream)
    rounds = [chosen(stream, cycle * size + i) for i in range(size)]
    asked = [p.id for r in rounds for p in r]
    assert sorted(asked) == sorted(p.id for p in stream.probes)
    sizes = {len(r) for r in rounds}
    assert max(sizes) <= stream.probes_per_round
    assert max(sizes) - min(sizes) <= 1
    assert size == math.ceil(len(stream.probes) / stream.probes_per_round)


@given(streams, indices)
def test_members_are_unique_and_complete(stream, index):
    """A round is probes x identities x targets, each once, under distinct ids."""
    slot = slot_at(stream, index)
    round_members = members(stream, slot)
    per_round = len(chosen(stream, index))
    assert len(round_members) == per_round * stream.identities * len(stream.targets)
    assert len({m.id for m in round_members}) == len(round_members)
    assert members(stream, slot) == round_members


@given(streams, indices)
def test_each_prompt_reaches_all_targets_before_the_next_prompt(stream, index):
    """Consecutive members share the prompt and the identity until every target has it."""
    everyone = members(stream, slot_at(stream, index))
    width = len(stream.targets)
    for start in range(0, len(everyone), width):
        block = everyone[start : start + width]
        assert len({(m.probe, m.identity) for m in block}) == 1
        assert tuple(m.target for m in block) == stream.targets


@given(streams, indices)
def test_identities_are_fresh_in_every_round(stream, index):
    """Two rounds share no identity, or a sticky fault would hide behind the old ones."""
    here, there = identity_names(stream, index), identity_names(stream, index + 1)
    assert len(set(here) | set(there)) == 2 * stream.identities


@given(streams, indices, indices, st.integers(1, 9))
def test_fixed_identities_stay_for_ever(stream, here, there, more):
    """Every round has the same users; when there are to be more, the old ones stay."""
    fixed = replace(stream, identity_mode="fixed")
    names = identity_names(fixed, here)
    assert names == identity_names(fixed, there)
    assert len(set(names)) == stream.identities
    grown = replace(fixed, identities=stream.identities + more)
    assert identity_names(grown, here)[: stream.identities] == names


@given(streams, indices)
def test_fixed_and_fresh_identities_never_meet(stream, index):
    """A user of one mode is not taken for one of the other; the rest of the round is equal."""
    fixed = replace(stream, identity_mode="fixed")
    assert not set(identity_names(fixed, index)) & set(identity_names(stream, index))
    plans = [members(s, slot_at(s, index)) for s in (stream, fixed)]
    assert [(m.target, m.probe) for m in plans[0]] == [(m.target, m.probe) for m in plans[1]]


@given(streams, indices)
def test_an_identity_is_one_cluster_over_targets_and_probes(stream, index):
    """Each user of a round is sent every probe of every target."""
    everyone = members(stream, slot_at(stream, index))
    asked = {name: [] for name in identity_names(stream, index)}
    for member in everyone:
        asked[member.identity].append((member.target, member.probe))
    assert len({tuple(sorted(questions)) for questions in asked.values()}) == 1


@given(streams, indices, st.integers(1, 9), st.randoms(use_true_random=False))
def test_rounds_do_not_depend_on_what_does_not_concern_them(stream, index, more, shuffler):
    """Targets, identities and the order in the file leave the choice of prompts alone."""
    shuffled = list(stream.probes)
    shuffler.shuffle(shuffled)
    other = replace(
        stream, targets=("m/x/y",), identities=more, probes=tuple(shuffled), every=stream.every / 2
    )
    assert [p.id for p in chosen(other, index)] == [p.id for p in chosen(stream, index)]


@given(streams, indices)
def test_a_new_probe_keeps_the_order_of_the_others(stream, index):
    """Adding a probe inserts it; it does not reshuffle the cycle."""
    whole = replace(stream, probes_per_round=len(stream.probes) + 1)
    grown = replace(whole, probes=(*stream.probes, probe("new")))
    before = [p.id for p in chosen(whole, index)]
    assert [p.id for p in chosen(grown, index) if p.id != "new"] == before
