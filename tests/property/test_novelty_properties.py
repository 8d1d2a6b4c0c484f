"""References and bets by user under any answers: fair, bounded, order-free, resumable."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from fold_kit import Run, proven, slot
from hypothesis import given, settings
from hypothesis import strategies as st
from novelty_kit import CHOICE_BOUNDS, STRANGE, WORDS, choice_rules, drew, referred

from qualmon.folding import nodes
from qualmon.folding.evidence import cells, terms
from qualmon.folding.novelty import (
    MAX_ANSWERS,
    MIN_ROUNDS,
    MIN_SESSIONS,
    Reference,
    judged,
    key_of,
    learned,
)
from qualmon.folding.state import dump, load
from qualmon.scorers.draws import category
from qualmon.stats.grids import EPS_GRID
from qualmon.types import ClosedRound, Member, ScoredMember

RULES = choice_rules()
READY = referred(RULES)
ROW = RULES.events.index("novelty.token")
AWS = ("m-large/aws/batch", "m-large/aws/default")
BOUND = CHOICE_BOUNDS["novelty.token"]
ASKED = tuple((target, f"p{i}") for target in AWS for i in range(2))

#: A law of one user's four answers: weights of sets of answers that go bad together.
LAWS = st.dictionaries(st.integers(1, 15), st.floats(0.01, 1.0), min_size=1, max_size=6)


def _law(weights: dict[int, float]) -> dict[int, float]:
    """The law scaled until its likeliest bad answer has just the declared rate."""
    rates = [sum(w for mask, w in weights.items() if mask >> i & 1) for i in range(4)]
    scale = BOUND / max(rates)
    bad = {mask: weight * scale for mask, weight in weights.items()}
    return {0: 1.0 - sum(bad.values()), **bad}


def _user(name: str, mask: int) -> list[ScoredMember]:
    return [
        drew(Member(slot(0), target, probe, name), STRANGE if mask >> i & 1 else WORDS[0])
        for i, (target, probe) in enumerate(ASKED)
    ]


def _factor(members: list[ScoredMember]) -> np.ndarray:
    rnd = judged(ClosedRound(slot(0), tuple(members)), READY.references)
    known = terms(rnd, READY, RULES)
    bets = nodes.factors(RULES.nodes[RULES.place["platform=aws"]], cells(rnd, READY, known), known)
    assert bets is not None
    return np.asarray(bets.events[ROW])


@settings(max_examples=25, deadline=None)
@given(st.lists(LAWS, min_size=1, max_size=2))
def test_bets_by_user_are_fair_however_a_users_answers_hang_together(
    weights: list[dict[int, float]],
) -> None:
    """The exact mean over any joint law of a user's answers on two routes, each bad with the
    declared rate at most: one user, or two who are independent, bet with mean at most 1."""
    laws = [_law(law) for law in weights]
    mean = np.zeros(10)
    second = laws[1] if len(laws) > 1 else {0: 1.0}
    for mask, weight in laws[0].items():
        for other, likelihood in second.items():
            members = _user("u", mask) + (_user("v", other) if len(laws) > 1 else [])
            mean += weight * likelihood * _factor(members)
    assert np.all(mean <= 1.0 + 1e-9)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 15), min_size=1, max_size=4))
def test_a_bet_by_user_knows_only_how_many_of_each_users_answers_are_bad(masks: list[int]) -> None:
    """Which of a user's answers are bad does not matter; users multiply."""
    eps = np.asarray(EPS_GRID)
    expected = np.prod([1.0 - eps + eps * mask.bit_count() / 4.0 / BOUND for mask in masks], axis=0)
    members = [m for i, mask in enumerate(masks) for m in _user(f"u{i}", mask)]
    assert np.allclose(_factor(members), expected, rtol=1e-12)


#: Rounds of answers to one prompt, from any text that a server may send.
TEXTS = st.sampled_from(["heads", "tails", "", "\ud800", "\x00", 'a"b', "x" * 100, "\u0e41"])
ROUNDS = st.lists(st.lists(TEXTS | st.text(max_size=5), max_size=8), max_size=20)
HERE = AWS[0]
KEY = key_of("core", "p0", "draw.token")


def _round(index: int, texts: list[str]) -> ClosedRound:
    of = slot(index)
    return ClosedRound(
        of,
        tuple(
            drew(Member(of, HERE, "p0", f"u{i}"), category(text.strip()))
            for i, text in enumerate(texts)
        ),
    )


@settings(max_examples=60, deadline=None)
@given(ROUNDS)
def test_references_are_bounded_honest_and_never_thaw(rounds: list[list[str]]) -> None:
    """Nine answers at most; ready only after its sessions and rounds and without a singleton;
    once ready never touched."""
    known: dict[str, dict[str, Reference]] = {}
    for index, texts in enumerate(rounds):
        before = known.get(HERE, {}).get(KEY)
        known = {t: dict(r) for t, r in learned(_round(index, texts), known, {}, ()).items()}
        after = known.get(HERE, {}).get(KEY, Reference())
        assert len(after.answers) <= MAX_ANSWERS + 1
        assert sum(after.answers.values()) <= after.sessions
        if before is not None and before.ready:
            assert after == before
        if after.ready:
            assert after.sessions >= MIN_SESSIONS
            assert after.rounds >= MIN_ROUNDS
            assert min(after.answers.values()) > 1
            assert sum(after.answers.values()) == after.sessions


@settings(max_examples=40, deadline=None)
@given(st.lists(TEXTS | st.text(max_size=5), max_size=12), st.randoms(use_true_random=False))
def test_the_order_of_answers_in_a_round_teaches_nothing(texts: list[str], rng: object) -> None:
    """Shuffled members give the same references and the same bytes."""
    rnd = _round(0, texts)
    shuffled = list(rnd.members)
    rng.shuffle(shuffled)  # type: ignore[attr-defined]
    one = learned(rnd, {}, {}, ())
    other = learned(ClosedRound(rnd.slot, tuple(shuffled)), {}, {}, ())
    assert one == other


@settings(max_examples=15, deadline=None)
@given(ROUNDS, st.integers(0, 20))
def test_a_fold_resumed_anywhere_keeps_its_references(rounds: list[list[str]], cut: int) -> None:
    """Any answers, stopped anywhere: the rows rebuild the same references and the same state."""
    whole, first = Run(RULES, proven(RULES)), Run(RULES, proven(RULES))
    story = [_round(index, texts) for index, texts in enumerate(rounds)]
    whole.feed(story)
    first.feed(story[:cut])
    second = Run(RULES, load(dump(first.state, RULES), RULES)).feed(story[cut:])
    assert second.state.references == whole.state.references
    assert dump(second.state, RULES) == dump(whole.state, RULES)


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.text(max_size=70).map(lambda t: category(t.strip())), st.integers(1)))
def test_every_category_survives_its_row(answers: dict[str, int]) -> None:
    """What the scorer may call an answer can be written and read back."""
    counts = {answer: min(n, 2**53) for answer, n in answers.items()}
    known = {HERE: {KEY: Reference("1", counts, sum(counts.values()) % 2**53, 7)}}
    state = replace(proven(RULES), references=known)
    assert load(dump(state, RULES), RULES).references == known
