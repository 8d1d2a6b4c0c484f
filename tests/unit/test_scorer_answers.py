"""answer.wrong: texts, numbers, patterns and lists of them; cut-off answers stay unjudged."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from qualmon.pipeline import score
from qualmon.scorers.answers import MAX_NUMBER, last_number, reading
from qualmon.testing.answers import sample_probe
from qualmon.types import Completion, Score

NUMBERS = {
    "42": "42", "42.0": "42", "The answer is 42.": "42", "**42**": "42", "1,234": "1234",
    "$1,234,567.50!": "1234567.50", "1,2,3": "3", "1,2345": "2345", "12,345.": "12345",
    "x = -5": "-5", "(\u22127)": "-7", "+8": "8", "3-5": "5", "9)-2": "2", "pages 10\u201312": "12",
    ".5": ".5", "0.50": ".5", "1.2.3": "3", "3..5": "5", "1e3": "1000", "6.5E-1": ".65", "2e": "2",
    "H2O weighs 18 g/mol": "18", "12 m2": "12", "4th": "4", "17 + 25 = 42": "42", "007": "7",
    "\u7b54\u6848\u662f42": "42", "\u7b54\u6848\u662f-3\u3002": "-3", "42\u00b2": "42", "50%": "50",
    "1\u00a0234": "234",
}  # fmt: skip


def wrong(text: str, answer: Any, reason: str | None = "stop", **sampler: Any) -> Score:
    """answer.wrong of this text."""
    probe = sample_probe(["answer.wrong"], answer=answer)
    (found,) = score(probe, Completion(text, reason), sampler=sampler)
    return found


@pytest.mark.parametrize("text", NUMBERS)
def test_the_last_number_is_read(text: str) -> None:
    """As people write numbers, exactly; digits of names and subtraction apart."""
    assert last_number(text) == Decimal(NUMBERS[text])


@pytest.mark.parametrize(
    "text", ["", "none", "m2", "\u0664\u0662", "\u00b2", "9" * (MAX_NUMBER + 1)]
)
def test_no_number_is_none(text: str) -> None:
    """Digits of other scripts and endless numbers are not read."""
    assert last_number(text) is None
    assert wrong(text, 42).value == 1.0


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Paris", "Paris"), (" Paris\n", "Paris"), ("Paris", {"text": "Paris\n"}),
        ("It is 42.0", 42), ("0.1", 0.1), ("1,000", {"number": 1e3}), ("0", 0), ("-0.0", 0),
        (str(10**200), 10**200), ("Yes.", {"regex": r"(?i)^yes\W*$"}), ("a\nb", {"regex": "c|b$"}),
        ("two", {"any": ["2", {"number": 2}, {"regex": "^two$"}]}), ("2", {"any": ["two", 2]}),
    ],
)  # fmt: skip
def test_right_answers(text: str, answer: Any) -> None:
    """Each form of expect.answer accepts what it says."""
    assert wrong(text, answer) == Score("answer.wrong", "event", 0.0)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("paris", "Paris"), ("Paris.", "Paris"), ("It is Paris", "Paris"), ("\u0420aris", "Paris"),
        ("42 or 43", 42), ("forty-two", 42), ("42.0000001", 42), ("0.10000000000000001", 0.1),
        ("Yes", {"regex": "^yes$"}), ("3", {"any": ["2", {"number": 2}]}), ("", "Paris"), ("", 0),
        ("\ud800", "Paris"), ("\x00", {"regex": "a"}),
    ],
)  # fmt: skip
def test_wrong_answers(text: str, answer: Any) -> None:
    """Empty ones are among them: they ended by themselves."""
    found = wrong(text, answer)
    assert found.value == 1.0
    assert found.detail["length"] == len(text.strip())
    assert found.detail["text"].isascii()


@pytest.mark.parametrize("reason", ["length", "max_tokens"])
def test_a_cut_off_answer_is_not_judged(reason: str) -> None:
    """Right or wrong so far; finish.length counts it."""
    for text in ("Paris", "Lond", ""):
        found = wrong(text, "Paris", reason, max_tokens=8)
        assert found.value is None
        assert found.detail["reason"] == "the token limit cut the answer off"


def test_at_one_token_every_answer_is_cut_off_and_judged() -> None:
    """Unless even that one token was spent on thoughts."""
    assert wrong("Paris", "Paris", "length", max_tokens=1).value == 0.0
    assert wrong("London", "Paris", "length", max_tokens=1).value == 1.0
    assert wrong(" ", "Paris", "length", max_tokens=1).value is None


UNREADABLE = (True, float("nan"), float("inf"), "", [], {}, {"any": []}, {"any": "ab"},
              {"any": [{"any": ["a"]}]}, {"number": "42"}, {"number": True}, {"text": 42},
              {"regex": 42}, {"regex": "("}, {"text": "a", "number": 1}, {"texts": "a"},
              {"any": ["a", None]})  # fmt: skip


@pytest.mark.parametrize("answer", UNREADABLE, ids=repr)
def test_what_cannot_be_read_is_said_and_not_judged(answer: Any) -> None:
    """A mistake in a probe is an error when it is read, and no verdict on any answer."""
    with pytest.raises(ValueError, match=r"write|add"):
        reading(answer)
    found = wrong("a", answer)
    assert found.value is None
    assert found.detail["reason"].startswith("expect.answer: ")


def test_a_number_too_long_to_print_is_a_number() -> None:
    """10**5000 is compared, and named in words where a text was wanted."""
    assert wrong("1", 10**5000).value == 1.0
    with pytest.raises(ValueError, match="a number of thousands of digits is no text"):
        reading({"text": 10**5000})


def test_nothing_is_judged_without_an_expectation() -> None:
    """None is not an answer."""
    assert wrong("a", None).value is None


def test_detail_shows_both_ends_of_a_long_answer() -> None:
    """In printable characters, whatever it holds."""
    detail = wrong("\u202e" * 1000 + "end", 42).detail
    assert detail["length"] == 1003
    assert detail["text"].startswith("\\u202e")
    assert detail["text"].endswith("end")
