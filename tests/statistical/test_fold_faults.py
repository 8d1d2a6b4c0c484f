"""Planted faults: found in time, blamed rightly, counted once; standing ones never paged."""

from __future__ import annotations

import random

import pytest
from fold_kit import FLEET, START, Rate, Run, Traffic, faulty, make_rules, proven

from qualmon.folding.state import initial
from qualmon.types import Node

RULES = make_rules()
SEEDS = 40
SHARE = 0.07
ONSET = 4.0


def _found(seed: int) -> tuple[Node, Run]:
    node = random.Random(seed).choice(RULES.nodes)
    traffic = Traffic(seed)
    return node, Run(RULES, proven(RULES)).feed(
        traffic.rounds(14, faulty(node.targets, SHARE, ONSET))
    )


def test_a_fault_anywhere_is_found_in_hours_and_blamed_rightly_once() -> None:
    """7 % of the answers bad on a random node of 33, 12 targets, 4 prompts a 15-minute round,
    one false page per 90 days: in 40 seeds the last word names the right node at least 38
    times, always as exactly one incident and a page, opened within 8 h (a lone target gives
    four bad answers in about 3.6 h; slowest of 300: 5.4 h).
    A fold that blames rightly in .85 of cases would pass with probability .05, one in .99 fail
    with .008; 300 of 300 other seeds were right."""
    right, delays = 0, []
    for seed in range(SEEDS):
        node, run = _found(seed)
        assert len(run.ids) == 1, (seed, node.scope, run.ids)
        assert run.paged == run.ids
        right += [incident.scope for incident in run.open] == [node.scope]
        delays.append((run.transitions[0]["at"] - START) / 3600.0 - ONSET)
    assert right >= 0.95 * SEEDS
    assert max(delays) <= 8.0
    assert min(delays) >= 0.0


def _both(first: Rate, second: Rate) -> Rate:
    return lambda member, channel: max(first(member, channel), second(member, channel))


@pytest.mark.parametrize("seed", range(6))
def test_two_faults_on_places_without_common_targets_are_two_incidents(seed: int) -> None:
    """Random pairs of disjoint nodes, the second fault half a day after the first: two
    incidents, each at its own place (40 of 40 when this was written)."""
    rng = random.Random(seed)
    while True:
        first, second = rng.sample(RULES.nodes, 2)
        if not set(first.targets) & set(second.targets):
            break
    rate = _both(faulty(first.targets, SHARE, 4.0), faulty(second.targets, SHARE, 16.0))
    run = Run(RULES, proven(RULES)).feed(Traffic(seed).rounds(36, rate))
    assert sorted(incident.scope for incident in run.open) == sorted([first.scope, second.scope])
    assert len(run.ids) == 2


@pytest.mark.parametrize("rate", [1.0, 0.05])
def test_what_is_bad_from_the_first_round_everywhere_opens_nothing(rate: float) -> None:
    """A channel that is bad at any rate on every target: r is taken against the upper limit of
    what was seen, so there is no evidence, no ticket and no page in two days."""
    run = Run(RULES, initial(RULES))
    run.feed(Traffic(3).rounds(48, lambda _m, channel: rate * (channel == "script.char")))
    assert run.transitions == []
    assert run.state.pools["core/m-large"]["script.char"].status == "refuted"


@pytest.mark.parametrize("rate", [1.0, 0.05])
def test_what_is_bad_from_the_first_round_on_one_target_is_never_a_page(rate: float) -> None:
    """One target that differs from its peers from the first round on: a ticket on it, although
    the other targets prove the bound; and they keep their proof."""
    odd = FLEET[1].key
    run = Run(RULES, initial(RULES))
    run.feed(
        Traffic(3).rounds(
            72, lambda m, channel: rate * (m.target == odd and channel == "script.char")
        )
    )
    assert [incident.scope for incident in run.open] == [f"target={odd}"]
    assert run.paged == []
    pool = run.state.pools["core/m-large"]["script.char"]
    assert pool.status == "proven"
    assert odd not in pool.trusted
    assert len(pool.trusted) == 5


@pytest.mark.parametrize("prompts", [1, 2])
def test_a_bad_prompt_everywhere_is_no_page(prompts: int) -> None:
    """A question that is answered badly everywhere from the first round on is a bad question."""
    bad = {f"p{k}" for k in range(prompts)}
    run = Run(RULES, initial(RULES))
    run.feed(Traffic(5).rounds(72, lambda m, c: float(m.probe in bad and c == "code.fail")))
    assert run.paged == []
