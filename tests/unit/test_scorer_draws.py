"""draw.token: an answer is a printable category of at most 64 characters."""

from __future__ import annotations

import hashlib

import pytest

from qualmon.pipeline import score
from qualmon.scorers.draws import EMPTY, MAX_ANSWER, category
from qualmon.testing.answers import sample_probe
from qualmon.types import Completion, Score

PROBE = sample_probe(["draw.token", "novelty.token"])


def drawn(text: str, reason: str | None = "stop") -> Score:
    """The one score of an answer; novelty is the fold's."""
    (found,) = score(PROBE, Completion(text, reason), sampler={})
    return found


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("heads", "heads"), (" heads\n", "heads"), ("Heads", "Heads"), ("heads.", "heads."),
        ("two\n words", "two words"), ("\u5de6", "\u5de6"), ("<b>&", "<b>&"), ("", EMPTY),
        (" \u2028", EMPTY), ("x" * MAX_ANSWER, "x" * MAX_ANSWER),
    ],
)  # fmt: skip
def test_short_answers_are_their_own_category(text: str, value: str) -> None:
    """Trimmed; case and punctuation kept, as other tokens drew them."""
    assert drawn(text) == Score("draw.token", "category", value)


@pytest.mark.parametrize("text", ["\x00", "a\u202eb", "\ud800", "\ufdd0", "a\x1b[31m"])
def test_unprintable_answers_get_a_number(text: str) -> None:
    """Whatever shows the category is safe from it."""
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    assert drawn(text).value == f"odd:{digest}"


def test_long_answers_get_a_number() -> None:
    """Equal ones the same, others another."""
    long = "I would rather not choose. " * 10
    assert category(long) == category(long) != category(long + "!")
    assert category(long).startswith("long:")
    assert len(category(long)) == 13


def test_cut_off_answers_are_draws() -> None:
    """A limit of one token ends every answer; only nothing at all is no draw."""
    assert drawn("B", "length").value == "B"
    assert drawn("", "length").value is None
    assert "before its first character" in drawn("", "length").detail["reason"]
