"""The language model: whole tokens, proper distributions, the same on every start."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qualmon.errors import DependencyError
from qualmon.sim import language as module
from qualmon.sim.language import WIDTH, Language
from qualmon.sim.vocabulary import FOREIGN, is_word, split


@given(st.text())
def test_tokens_concatenate_to_the_text(text: str) -> None:
    """No character is lost or doubled, whatever the text."""
    assert "".join(split(text)) == text


def test_words_carry_their_leading_space() -> None:
    """Tokens look like those of a real tokenizer."""
    assert split("def f(x):\n    return x_1") == [
        "def", " f", "(", "x", "):", "\n   ", " return", " x", "_", "1",
    ]  # fmt: skip


def test_foreign_pieces_are_many_distinct_and_never_latin() -> None:
    """A foreign piece can never be mistaken for a healthy token."""
    assert len(set(FOREIGN)) == len(FOREIGN) >= 20
    assert not any(is_word(piece) or piece.isascii() for piece in FOREIGN)


def test_the_corpus_holds_no_foreign_script(language: Language) -> None:
    """Healthy babble is ASCII, so that every foreign character comes from a fault."""
    assert all(text.isascii() for text in language._texts)


@pytest.mark.parametrize("context", [[], ["zzzqqq"], [" the"], [" of", " the"], ["zz", " the"]])
def test_continuations_fall_and_sum_to_at_most_one(language: Language, context: list[str]) -> None:
    """After any context, known or not, there is a full ranked list of continuations."""
    ranked = language.after(context)
    weights = [weight for _, weight in ranked]
    assert len(ranked) >= WIDTH
    assert weights == sorted(weights, reverse=True)
    assert weights[-1] > 0.0
    assert math.fsum(weights) <= 1.0 + 1e-12


def test_two_builds_agree(language: Language) -> None:
    """The model hangs on the Python installation alone."""
    assert Language().after([" in", " the"]) == language.after([" in", " the"])


def test_longer_contexts_win() -> None:
    """A seen pair of tokens outweighs what its last token alone suggests."""
    model = Language(["a b c. x b d. x b d. x b d. a b c."])
    assert model.after(["a", " b"])[0][0] == " c"
    assert model.after([" x", " b"])[0][0] == " d"
    assert model.after([" b"])[0][0] == " d"


def test_no_text_is_refused() -> None:
    """A model of nothing cannot speak."""
    with pytest.raises(ValueError, match="no token"):
        Language([""])


def test_a_python_without_sources_is_named() -> None:
    """A stripped installation gets the path and the remedy."""
    with pytest.raises(DependencyError, match=r"nothing\.py.*use a Python with them"):
        module._source("nothing")
