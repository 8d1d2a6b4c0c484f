"""Scoring is total and deterministic on any text, and its two token readers agree."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from qualmon.pipeline import code_to_check, score
from qualmon.scorers import CHANNELS
from qualmon.scorers.positions import identify, read_positions
from qualmon.testing.answers import SAMPLERS, sample_probe
from qualmon.testing.scorers import check_value
from qualmon.types import CompileVerdict, Completion, TokenLogprob, TopToken

PROBE = sample_probe(tuple(CHANNELS))
ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()), max_size=300)
MARKDOWN = st.lists(
    st.sampled_from(["```", "~~~", "python", "\n", "> ", "- ", "1. ", "    ", "x = 1", "\t", "`"])
).map("".join)
LOGPROB = st.floats() | st.sampled_from([-0.1, -0.5, -2.0, -9999.0])
SPELLING = st.sampled_from(["a", "b", "", "\ufffd", "é"])


@st.composite
def entries(draw: st.DrawFn) -> tuple[str, float, bytes | None, int | None]:
    """Text, logprob, bytes and id as some server might report them."""
    text = draw(SPELLING)
    spelt = draw(st.sampled_from([None, text.encode()]))
    return text, draw(LOGPROB), spelt, draw(st.none() | st.integers(0, 3))


@st.composite
def tokens(draw: st.DrawFn) -> TokenLogprob:
    """A position."""
    top = tuple(TopToken(*entry) for entry in draw(st.lists(entries(), max_size=4)))
    return TokenLogprob(*draw(entries()), top=top)


@settings(deadline=None, max_examples=300)
@given(
    text=ANY_TEXT | MARKDOWN,
    prompt_scripts=st.sampled_from([None, (), ("Latn",), ("Jpan", "Cyrl")]),
    said=st.none() | st.lists(tokens(), max_size=5).map(tuple),
    sampler=st.sampled_from(SAMPLERS),
    reason=st.sampled_from([None, "stop", "length"]),
    outcome=st.sampled_from(["ok", "fail", "resource_limit", "unavailable"]),
)
def test_any_answer_is_scored_alike_twice(
    text: str,
    prompt_scripts: tuple[str, ...] | None,
    said: tuple[TokenLogprob, ...] | None,
    sampler: dict[str, object],
    reason: str | None,
    outcome: str,
) -> None:
    """Every channel yields a value in range or a reason, twice the same, and none breaks."""
    probe = sample_probe(tuple(CHANNELS), scripts=prompt_scripts)
    completion = Completion(text, reason, said, "present")
    verdict = CompileVerdict("python", outcome)  # type: ignore[arg-type]
    code_to_check(probe, completion)
    scores = score(probe, completion, sampler=sampler, verdict=verdict)
    for each in scores:
        check_value(CHANNELS[each.channel], each)
        assert "broken" not in each.detail
    assert scores == score(probe, completion, sampler=sampler, verdict=verdict)


@settings(deadline=None, max_examples=300)
@given(st.lists(tokens(), max_size=6))
def test_reading_at_once_equals_reading_one_by_one(said: list[TokenLogprob]) -> None:
    """The short cut for uniform answers identifies as the rule for one position does."""
    found = read_positions(said)
    for number, token in enumerate(said):
        place, doubled = identify(token)
        assert (found.place[number], found.doubled[number]) == (place, doubled)
