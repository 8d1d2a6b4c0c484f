"""Copies, answers, draws and patterns hold their laws on any text."""

from __future__ import annotations

import re
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from qualmon.pipeline import score
from qualmon.scorers.answers import last_number
from qualmon.scorers.copy import difference
from qualmon.scorers.draws import MAX_ANSWER, category
from qualmon.scorers.patterns import compiled
from qualmon.testing.answers import sample_probe
from qualmon.types import Completion

ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()), max_size=200)
FEW = st.text(st.sampled_from("ab \n\ud800"), max_size=24)


def by_table(one: str, other: str) -> int:
    """Levenshtein distance as the textbook has it."""
    row = list(range(len(other) + 1))
    for at, letter in enumerate(one, 1):
        above, row[0] = row[:], at
        for column, wanted in enumerate(other, 1):
            row[column] = min(
                above[column] + 1, row[column - 1] + 1, above[column - 1] + (letter != wanted)
            )
    return row[-1]


@settings(deadline=None, max_examples=300)
@given(FEW, FEW)
def test_edits_are_the_textbooks(one: str, other: str) -> None:
    """And the first difference is where the texts part."""
    found = difference(one, other)
    assert found.edits == by_table(one, other) == difference(other, one).edits
    assert one[: found.first] == other[: found.first]
    assert one[found.first : found.first + 1] != other[found.first : found.first + 1] or (
        one == other
    )


@settings(deadline=None)
@given(ANY_TEXT, ANY_TEXT.filter(bool))
def test_a_copy_is_exact_or_edited(text: str, wanted: str) -> None:
    """Both channels agree on what a copy is; the text itself always is one."""
    probe = sample_probe(("copy.exact", "copy.edit"), copy_of=wanted)
    exact, edit = score(probe, Completion(text, "stop"), sampler={})
    assert isinstance(edit.value, float)
    assert 0.0 <= edit.value <= 1.0
    assert (edit.value > 0) == (exact.value == 1.0)
    for copied in (wanted, wanted + "\n"):
        same = score(probe, Completion(copied, "stop"), sampler={})
        assert copied == wanted + "\n" or [each.value for each in same] == [0.0, 0.0]


@settings(deadline=None)
@given(ANY_TEXT)
def test_categories_are_printable_and_short(text: str) -> None:
    """Whatever was drawn."""
    found = category(text.strip())
    assert 0 < len(found) <= MAX_ANSWER
    assert found.isprintable()
    assert found == category(f"  {text}\n".strip())


@settings(deadline=None)
@given(st.decimals(allow_nan=False, allow_infinity=False, places=3), ANY_TEXT)
def test_a_number_at_the_end_is_read_as_it_is(number: Decimal, before: str) -> None:
    """With and without commas, whatever stands before it."""
    for written in (f"{number:f}", f"{number:,f}"):
        assert last_number(f"{before} {written}.") == number


def patterns() -> st.SearchStrategy[str]:
    """Regular expressions over two letters."""
    atoms = st.sampled_from(["a", "b", ".", "[^a]", r"\s", "^", "$", r"\b", "(?:)", r"\Z"])
    return st.recursive(
        atoms,
        lambda inner: st.one_of(
            st.lists(inner, min_size=1, max_size=3).map("".join),
            st.lists(inner, min_size=1, max_size=3).map(lambda parts: f"({'|'.join(parts)})"),
            st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{1,2}", "*?"])).map(
                lambda pair: f"(?:{pair[0]}){pair[1]}"
            ),
        ),
        max_leaves=8,
    )


@settings(deadline=None, max_examples=300)
@given(patterns(), st.sampled_from(["", "(?m)", "(?s)"]), st.lists(FEW.map(lambda t: t[:8])))
def test_patterns_find_what_re_finds(pattern: str, flags: str, texts: list[str]) -> None:
    """On short texts, where both end."""
    for text in texts:
        assert compiled(flags + pattern).found_in(text) == bool(re.search(flags + pattern, text))
