"""Novelty against a reference: what it says about the unseen, and whom it admits."""

from __future__ import annotations

from itertools import product

import pytest

from qualmon.errors import StatisticsError
from qualmon.stats.bets.novelty import (
    MIN_LOOKS,
    Reference,
    hidden_share,
    learn,
    missed,
    novelty_ratio,
    refusals,
    singletons,
    unseen_chance,
)


def settled(answers: str = "ab", looks: int = MIN_LOOKS, sessions: int = 3) -> Reference:
    """A reference in which every look held every answer."""
    reference = Reference()
    for _ in range(looks):
        reference = learn(reference, [answers] * sessions)
    return reference


def test_the_chance_of_an_unseen_answer_is_good_turings() -> None:
    """P(next look holds an unseen answer) = E[U]/(n + 1), summed over all sequences of looks."""
    chances, n = {"a": 0.7, "b": 0.2, "c": 0.1}, 4
    unseen = shared = 0.0
    for looks in product(chances, repeat=n + 1):
        weight = 1.0
        for look in looks:
            weight *= chances[look]
        unseen += weight * (looks[-1] not in looks[:-1])
        shared += weight * sum(looks.count(look) == 1 for look in looks) / (n + 1)
    assert unseen == pytest.approx(shared, rel=1e-12)


def test_an_answer_counts_once_a_look_however_many_sessions_hold_it() -> None:
    """Sessions of one look may share a state, so they are one witness."""
    reference = learn(Reference(), ["ab", "a", "aa"])
    assert reference == Reference(3, 1, {"a": 1, "b": 1})
    assert singletons(learn(reference, ["a"])) == 1


def test_unseen_chance_counts_answers_of_one_look() -> None:
    """One singleton in ten looks is a chance of a tenth; nothing seen is no knowledge."""
    assert unseen_chance(Reference()) == 1.0
    assert unseen_chance(learn(settled(looks=9), ["az"])) == pytest.approx(0.1)
    assert unseen_chance(settled()) == 0.0


def test_missed_and_hidden_shares_are_each_others_inverse() -> None:
    """A state at the limit's share is missed with the limit's error."""
    assert missed(0.26, 10) == pytest.approx(0.0492, abs=1e-4)
    assert missed(hidden_share(30), 30) == pytest.approx(0.05)
    assert hidden_share(0) == 1.0


@pytest.mark.parametrize(
    ("reference", "reason"),
    [
        (settled(sessions=1), "10 of 30 sessions"),
        (settled(looks=4, sessions=9), "4 of 10 looks"),
        (settled("abcdefghi"), "free tail: 9 answers"),
        (learn(settled(), ["az"]), "1 answers seen in one look only"),
    ],
)
def test_unsettled_references_are_refused_and_never_bet(reference: Reference, reason: str) -> None:
    """Too few sessions or looks, a free tail, an answer seen once: each with its reason."""
    assert any(reason in found for found in refusals(reference))
    with pytest.raises(StatisticsError, match="not admitted"):
        novelty_ratio(reference, "a")


def test_a_session_is_worth_its_share_of_unseen_answers() -> None:
    """The session is averaged: half of its answers unseen is half of 1/bound."""
    reference = settled()
    assert novelty_ratio(reference, "aaba") == 0.0
    assert novelty_ratio(reference, "azaz") == pytest.approx(500.0)
    assert novelty_ratio(reference, "") == 0.0


@pytest.mark.parametrize("look", [[], [""], ["a", ""]])
def test_a_look_without_answers_is_refused(look: list[str]) -> None:
    """What was not answered teaches nothing."""
    with pytest.raises(StatisticsError, match="without answers"):
        learn(Reference(), look)


def test_impossible_shares_and_counts_are_refused() -> None:
    """Shares and confidences outside their ranges are named."""
    with pytest.raises(StatisticsError):
        missed(1.5, 10)
    with pytest.raises(StatisticsError):
        hidden_share(10, 1.0)
