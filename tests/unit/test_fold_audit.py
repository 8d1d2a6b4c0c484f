"""From declared to proven or refuted, for whom, and what must not teach."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from fold_kit import FLEET, answered, make_rules, slot

from qualmon.folding import audit
from qualmon.folding.evidence import cells, terms
from qualmon.folding.rules import FoldRules
from qualmon.folding.state import Pool, initial
from qualmon.types import ClosedRound, Member

BOUND = 1e-2
CHANNEL = "code.fail"
TARGETS = tuple(target for target in FLEET if target.model == "m-large")
KEYS = tuple(target.key for target in TARGETS)
RULES = make_rules(TARGETS, events=(CHANNEL,), bounds={CHANNEL: BOUND})
NOBODY: dict[str, set[str]] = {CHANNEL: set()}
#: (round, target, prompt) -> bad.
Bad = Callable[[int, str, int], bool]


def _round(index: int, bad: Bad, keys: Sequence[str] = KEYS, prompts: int = 4) -> ClosedRound:
    of = slot(index)
    return ClosedRound(
        of,
        tuple(
            answered(Member(of, key, f"p{k}"), (CHANNEL,), (CHANNEL,) if bad(index, key, k) else ())
            for key in keys
            for k in range(prompts)
        ),
    )


def _after(
    rounds: int, bad: Bad, start: Pool | None = None, rules: FoldRules = RULES, since: int = 0
) -> Pool:
    pools = {} if start is None else {CHANNEL: start}
    state = initial(rules)
    for index in range(since, since + rounds):
        rnd = _round(index, bad, sorted(rules.platforms))
        found = cells(rnd, state, terms(rnd, state, rules))
        pools = audit.updated(pools, found, rules, NOBODY)
    return pools[CHANNEL]


def _never(_index: int, _target: str, _prompt: int) -> bool:
    return False


def test_three_over_the_bound_clean_answers_prove_it() -> None:
    """At 1e-2 that is 299 answers, but 30 rounds at least."""
    assert _after(29, _never).status == "unproven"
    pool = _after(30, _never)
    assert (pool.status, pool.n) == ("proven", 720)
    lone = make_rules(TARGETS[:1], events=(CHANNEL,), bounds={CHANNEL: BOUND})
    assert _after(74, _never, rules=lone).status == "unproven"
    assert _after(75, _never, rules=lone).status == "proven"


def test_a_hit_asks_for_more_answers() -> None:
    """With one hit the upper limit falls below the bound only after about 4.74/p0 answers."""

    def one(index: int, target: str, prompt: int) -> bool:
        return (index, target, prompt) == (0, KEYS[0], 0)

    lone = make_rules(TARGETS[:1], events=(CHANNEL,), bounds={CHANNEL: BOUND})
    assert _after(118, one, rules=lone).status == "unproven"
    assert _after(119, one, rules=lone).status == "proven"


def test_a_prompt_that_stands_out_blocks_the_proof() -> None:
    """The bound must hold for each prompt, not only on average."""

    def one_prompt(index: int, target: str, prompt: int) -> bool:
        return prompt == 0 and target == KEYS[index % 5] and index % 9 in (0, 4)

    pool = _after(1000, one_prompt)
    assert pool.hits / pool.n < BOUND
    assert pool.status == "unproven"


def test_bad_answers_that_come_together_block_the_proof_for_thirty_rounds() -> None:
    """A shared shock makes answers of a round no independent witnesses."""

    def burst(index: int, target: str, prompt: int) -> bool:
        return index == 40 and target.split("/")[1] == "aws" and prompt < 2

    start = Pool()
    calm = _after(40, _never, start)
    assert calm.status == "proven"
    early = _after(45, burst, Pool(), since=20)
    assert early.burst == 21
    assert early.status == "unproven"
    assert _after(200, burst, Pool(), since=20).status == "proven"


def test_a_wrong_bound_is_refuted_and_stays_so() -> None:
    """The confidence sequence lies above the bound; more clean answers do not undo it."""

    def often(index: int, target: str, prompt: int) -> bool:
        return (index + KEYS.index(target) + prompt) % 12 == 0

    pool = _after(60, often)
    assert (pool.status, pool.trusted) == ("refuted", ())
    assert _after(60, _never, pool, since=60).status == "refuted"


def test_a_target_that_stands_out_is_not_trusted_and_spoils_nothing() -> None:
    """One target bad from its first round: proven for the others, never for it."""

    def one_target(index: int, target: str, _prompt: int) -> bool:
        return target == KEYS[0] and index % 4 == 0

    pool = _after(400, one_target)
    assert pool.status == "proven"
    assert pool.trusted == tuple(sorted(KEYS[1:]))


def test_most_targets_bad_refute_the_bound() -> None:
    """What most targets show is no oddity of theirs."""

    def most(index: int, target: str, prompt: int) -> bool:
        return target in KEYS[:4] and (index + prompt) % 12 == 0

    assert _after(120, most).status == "refuted"


def test_a_new_target_is_trusted_after_its_part_of_answers() -> None:
    """Proof is pooled, but a newcomer first answers a third of an equal part of it."""
    old = make_rules(TARGETS[:5], events=(CHANNEL,), bounds={CHANNEL: BOUND})
    pool = _after(100, _never, rules=old)
    assert len(pool.trusted) == 5
    soon = _after(4, _never, pool, since=100)
    assert KEYS[5] not in soon.trusted
    later = _after(5, _never, pool, since=100)
    assert KEYS[5] in later.trusted


def test_trust_is_not_lost_to_a_fault() -> None:
    """A fault after the proof is what the bound is for: it must not take the proof away."""

    def fault(index: int, target: str, prompt: int) -> bool:
        return index >= 60 and target == KEYS[0] and prompt == 0

    pool = _after(70, fault)
    assert pool.status == "proven"
    assert KEYS[0] in pool.trusted


def test_suspect_answers_teach_nothing() -> None:
    """Answers of frozen targets are left out of every count."""
    rnd = _round(0, lambda _i, _t, _p: True)
    found = cells(rnd, initial(RULES), terms(rnd, initial(RULES), RULES))
    pools = audit.updated({}, found, RULES, {CHANNEL: set(KEYS[1:])})
    assert pools[CHANNEL].targets == {KEYS[0]: (4, 4)}
    assert audit.updated({}, found, RULES, {CHANNEL: set(KEYS)}) == {}


@pytest.mark.parametrize("prompts", [1, 4])
def test_counts_agree_however_they_are_split(prompts: int) -> None:
    """By prompt, by target and in all it is the same answers, while no target stands out."""
    rnd = _round(3, lambda _i, t, p: (len(t) + p) % 5 == 0, prompts=prompts)
    found = cells(rnd, initial(RULES), terms(rnd, initial(RULES), RULES))
    pool = audit.updated({}, found, RULES, NOBODY)[CHANNEL]
    for counts in (pool.probes, pool.targets):
        assert sum(n for n, _ in counts.values()) == pool.n == 6 * prompts
        assert sum(hits for _, hits in counts.values()) == pool.hits
