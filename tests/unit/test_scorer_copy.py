"""copy.*: exact but for a final newline; edits counted, or bounded from below."""

from __future__ import annotations

import pytest

from qualmon.config import load_suite
from qualmon.pipeline import score
from qualmon.scorers.copy import MAX_COMPARED, Difference, difference
from qualmon.testing.answers import sample_probe
from qualmon.types import Completion, Score

CHANNELS = ("copy.exact", "copy.edit")
TEXT = "The pilot keeps a brass lamp beside the wheel;\nnobody has seen her light it."
PROBE = sample_probe(CHANNELS, copy_of=TEXT)


def judged(text: str, reason: str | None = "stop", copy_of: str | None = TEXT) -> tuple[Score, ...]:
    """copy.exact and copy.edit."""
    probe = sample_probe(CHANNELS, copy_of=copy_of)
    return score(probe, Completion(text, reason), sampler={})


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
@pytest.mark.parametrize("ending_wanted", ["", "\n", "\r\n"])
def test_a_final_newline_does_not_matter(ending: str, ending_wanted: str) -> None:
    """Neither in the answer nor in the text to be copied."""
    exact, edit = judged(TEXT + ending, copy_of=TEXT + ending_wanted)
    assert (exact.value, edit.value) == (0.0, 0.0)


#: What servers and models do to a copy: the change, the offset of the first difference, edits.
WILD = {
    "preamble": ("Sure! Here is the text:\n\n" + TEXT, 0, 25),
    "preamble like the text": ("The text:\n" + TEXT, 4, 10),
    "afterword": (TEXT + "\n\nLet me know if you need more.", len(TEXT), 31),
    "two final newlines": (TEXT + "\n\n", len(TEXT), 1),
    "first newline": ("\n" + TEXT, 0, 1),
    "fence": (f"```\n{TEXT}\n```", 0, 8),
    "quotes": (f"\u201c{TEXT}\u201d", 0, 2),
    "carriage returns": (TEXT.replace("\n", "\r\n"), 46, 1),
    "one line": (TEXT.replace("\n", " "), 46, 1),
    "foreign token": (TEXT.replace("brass", "\u0e2a\u0e27\u0e31"), 18, 5),
    "homoglyph": (TEXT.replace("a", "\u0430", 1), 16, 1),
    "dropped word": (TEXT.replace(" brass", ""), 18, 6),
    "lone surrogate": (TEXT.replace("l", "\ud800"), 6, 4),
    "empty": ("", 0, len(TEXT)),
    "half": (TEXT[:40], 40, len(TEXT) - 40),
}


@pytest.mark.parametrize("name", WILD)
def test_everything_else_is_edits(name: str) -> None:
    """The first difference and the number of edits are told."""
    text, first, edits = WILD[name]
    exact, edit = judged(text)
    assert exact.value == 1.0
    assert edit.value == edits / max(len(text.removesuffix("\n")), len(TEXT))
    assert exact.detail == edit.detail
    assert (edit.detail["first"], edit.detail["edits"]) == (first, edits)
    assert edit.detail["expected_length"] == len(TEXT)
    assert "at_least" not in edit.detail


@pytest.mark.parametrize("reason", ["length", "max_tokens"])
def test_a_cut_off_answer_is_no_wrong_copy(reason: str) -> None:
    """Not even where it is whole or where it differs: a limit must not look like a fault."""
    for text in (TEXT[:30], "something else", "", TEXT):
        for each in judged(text, reason):
            assert each.value is None
            assert each.detail["reason"] == "the token limit cut the answer off"


def test_without_a_text_to_copy_nothing_is_judged() -> None:
    """The channels say so."""
    assert [each.value for each in judged(TEXT, copy_of=None)] == [None, None]
    assert "expect.copy_of" in judged(TEXT, copy_of=None)[0].detail["reason"]


def test_an_endless_answer_is_bounded_from_below() -> None:
    """15 MiB cost a look at their ends; the value is nearly 1, and marked."""
    exact, edit = judged("loop " * (3 << 20))
    assert exact.value == 1.0
    assert isinstance(edit.value, float)
    assert 0.999 < edit.value < 1.0
    assert edit.detail["at_least"] is True


def test_long_texts_with_few_edits_are_counted_exactly() -> None:
    """What is common at the start and the end needs no counting."""
    long = TEXT * 3000
    assert difference(long, long[:1000] + "?" + long[1001:]) == Difference(1000, 1)
    assert difference(long, long + "!") == Difference(len(long), 1)
    changed = "?" + long[1:-1] + "?"
    assert difference(long, changed) == Difference(0, 1, at_least=True)


def test_the_limit_is_where_it_is_stated() -> None:
    """MAX_COMPARED characters are counted, one more is not."""
    longest = "ab" * (MAX_COMPARED // 2)
    assert difference(longest, "c") == Difference(0, MAX_COMPARED)
    assert difference(longest + "a", "c") == Difference(0, MAX_COMPARED, at_least=True)


def test_two_shipped_prompts_are_copies() -> None:
    """A page needs bad answers to two prompts at least."""
    assert sum("copy.exact" in probe.channels for probe in load_suite("core").probes) >= 2
