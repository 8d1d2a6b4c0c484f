"""token.* and logprob.*: sampled tokens against what was reported of them."""

from __future__ import annotations

import math
from typing import Any

import pytest

from qualmon.scorers import SCORERS, Case
from qualmon.scorers.drops import rounding
from qualmon.scorers.positions import ABSENT, DISPLACED, UNKNOWN, read_positions
from qualmon.stats.grids import DROP_GRID, SATURATION
from qualmon.testing.answers import sample_probe
from qualmon.types import Completion, Score, TokenLogprob, TopToken

PROBE = sample_probe(())
NEUTRAL = {"temperature": 1, "neutral": True}
FULL = {
    "temperature": 1, "top_p": 1, "top_k": 0, "min_p": 0, "typical_p": 1, "presence_penalty": 0,
    "frequency_penalty": 0, "repeat_penalty": 1, "logit_bias": {},
}  # fmt: skip
THREE = (0.7001, 0.2001, 0.0501)


def token(sampled: int | float = 0, chances: tuple[float, ...] = THREE) -> TokenLogprob:
    """Sampled by column, or, for a fraction, an unlisted token of that chance."""
    top = tuple(TopToken(f"t{n}", math.log(p), b"t%d" % n) for n, p in enumerate(chances))
    if isinstance(sampled, float):
        return TokenLogprob("other", math.log(sampled), b"other", top=top)
    one = top[sampled]
    return TokenLogprob(one.token, one.logprob, one.bytes, top=top)


def listed(*entries: tuple[Any, ...], sampled: tuple[Any, ...]) -> TokenLogprob:
    """A position from (text, logprob, bytes, id) tuples."""
    return TokenLogprob(*sampled, top=tuple(TopToken(*entry) for entry in entries))


def judged(tokens: Any, sampler: dict[str, Any] | None = None) -> dict[str, Score]:
    """Scores of token.* and logprob.* by channel."""
    one = (tokens,) if isinstance(tokens, TokenLogprob) else tokens
    answer = Completion("x", "length", None if one is None else tuple(one), "present")
    case = Case(PROBE, answer, NEUTRAL if sampler is None else sampler)
    scores = [score for name in ("token", "logprob") for score in SCORERS[name].judge(case)]
    return {score.channel: score for score in scores}


def broken(tokens: Any) -> set[str]:
    """logprob.* rules that the positions break."""
    return {name for name, score in judged(tokens).items() if score.value == 1.0}


# --- identity ---------------------------------------------------------------------------


def test_two_tokens_of_one_string_are_told_apart_by_id() -> None:
    """A partial-UTF-8 token decodes to the same string as a whole one; ids know better."""
    position = listed(
        ("译", -0.5, None, 1784), ("译", -11.15, None, 1275), sampled=("译", -11.15, None, 1275)
    )
    assert read_positions([position]).place.tolist() == [1]
    assert judged(position, {"temperature": 0})["token.rank"].value == 1.0


def test_two_tokens_of_one_string_are_told_apart_by_bytes() -> None:
    """Bytes serve as well as ids."""
    position = listed(
        ("译", -0.5, b"\xa8\xe8\xaf\x91"),
        ("译", -11.15, "译".encode()),
        sampled=("译", -11.15, "译".encode()),
    )
    assert read_positions([position]).place.tolist() == [1]


@pytest.mark.parametrize(
    "position",
    [
        listed(("译", -0.5), ("译", -11.0), sampled=("译", -11.0)),
        listed(("a", -0.5), ("\ufffd", -2.0), sampled=("a", -0.5)),
        listed(("a", -0.5), ("", -2.0), sampled=("a", -0.5)),
        listed(("a", -0.5), ("b", -2.0), sampled=("\ufffd", -4.0)),
        listed(("a", -0.5, b""), ("b", -2.0, b"b"), ("b", -3.0), sampled=("a", -0.5, b"")),
        listed(("\ufffd", -0.5, b"\xef\xbf\xbd"), ("a", -2.0, b"a"), sampled=("a", -2.0, b"a")),
        listed(("the", -0.5, b"the"), ("the", -2.0, b"the"), sampled=("the", -0.5, b"the")),
    ],
)
def test_ambiguous_positions_are_skipped_and_counted(position: TokenLogprob) -> None:
    """Text that is shared, empty or U+FFFD identifies nothing, nor do bytes made from it."""
    assert read_positions([position]).place.tolist() == [UNKNOWN]
    alone = judged(position, {"temperature": 0})["token.rank"]
    assert alone.value is None
    assert alone.detail["skipped"] == 1
    score = judged([position, token(0)])["token.drop"]
    assert (score.detail["tokens"], score.detail["skipped"]) == (1, 1)


def test_lists_by_text_that_merge_tokens_are_not_out_of_order() -> None:
    """llama-cpp-python: the sampled token overwrites a likelier one of the same text."""
    merged = listed(("a", -0.5), ("บ", -4.3), ("c", -3.3), sampled=("บ", -4.3))
    empty = listed(("a", -0.5), ("", -4.3), ("c", -3.3), sampled=("c", -3.3))
    assert read_positions([merged, empty]).place.tolist() == [DISPLACED, UNKNOWN]
    assert not broken([SOUND, merged, empty])
    assert judged([merged], {"temperature": 0})["token.rank"].value is None


def test_a_list_by_text_that_lost_an_entry_may_be_out_of_order_by_one() -> None:
    """Two alternatives of one text became one, in the place of the more probable."""
    full = listed(("a", -0.7), ("b", -1.5), ("c", -2.5), ("d", -4.0), sampled=("a", -0.7))
    merged = listed(("a", -0.7), ("บ", -4.2), ("c", -2.5), sampled=("a", -0.7))
    assert not broken([full, merged])
    assert broken([SOUND, merged]) == {"logprob.order"}
    wide = listed(*((f"t{n}", -3.0) for n in range(5)), sampled=("t0", -3.0))
    twice = listed(("x", -3.0), ("b", -1.5), ("y", -4.0), ("a", -0.7), sampled=("b", -1.5))
    assert broken([wide, twice]) == {"logprob.order"}


def test_unlisted_token_is_absent() -> None:
    """A sampled token outside the list is known not to be in it."""
    assert read_positions([token(0.01)]).place.tolist() == [ABSENT]


# --- token.rank, token.argmax -----------------------------------------------------------


@pytest.mark.parametrize(
    ("sampler", "sampled", "value"),
    [
        ({"temperature": 0}, 0, 0.0),
        ({"temperature": 0}, 1, 1.0),
        ({"temperature": 0}, 0.01, 1.0),
        ({"temperature": 0.7, "top_k": 1}, 1, 1.0),
        ({"top_k": 2}, 1, 0.0),
        ({"top_k": 2}, 2, 1.0),
        ({"top_k": 3}, 0.01, 1.0),
        ({"top_k": 40}, 0.01, 0.0),
        ({"top_p": 0.5}, 0, 0.0),
        ({"top_p": 0.5}, 1, 1.0),
        ({"top_p": 0.8, "temperature": 0.5}, 1, 0.0),
        ({"top_p": 0.8}, 2, 1.0),
        ({"top_p": 0.8, "temperature": 1.5}, 2, None),
        ({"top_k": 0, "top_p": 1.0}, 2, None),
        ({"temperature": 1}, 2, None),
        ({}, 2, None),
        ({"temperature": 0, "repeat_penalty": 1.1}, 1, None),
        ({"temperature": 0, "logit_bias": {"5": 3}}, 1, None),
    ],
)
def test_rank(sampler: dict[str, Any], sampled: float, value: float | None) -> None:
    """Only stated limits are held against the token."""
    assert judged(token(sampled), sampler)["token.rank"].value == value


@pytest.mark.parametrize(("gap", "value"), [(0.0, 0.0), (0.049, 0.0), (0.051, 1.0), (2.0, 1.0)])
def test_rank_tolerates_near_ties(gap: float, value: float) -> None:
    """0.05 nat is noise."""
    position = listed(("a", -0.7), ("b", -0.7 - gap), sampled=("b", -0.7 - gap))
    score = judged(position, {"temperature": 0})["token.rank"]
    assert score.value == value


@pytest.mark.parametrize(("gap", "value"), [(0.9, 0.0), (1.1, 1.0), (math.inf, 1.0)])
def test_argmax_needs_a_clear_gap(gap: float, value: float) -> None:
    """Below 1 nat a sound server may turn the argmax."""
    position = listed(("a", -0.1), ("b", -0.1 - gap), sampled=("b", -0.1 - gap))
    score = judged(position, {"temperature": 0, "neutral": True})["token.argmax"]
    assert score.value == value


@pytest.mark.parametrize(
    "sampler",
    [{"temperature": 0}, {"temperature": 0, "repeat_penalty": 1.1, "neutral": True}, NEUTRAL],
)
def test_argmax_needs_neutral_penalties_at_temperature_zero(sampler: dict[str, Any]) -> None:
    """A default repeat penalty turns the argmax of a healthy server."""
    assert judged(token(2), sampler)["token.argmax"].value is None


# --- token.drop -------------------------------------------------------------------------


def test_drop_is_the_product_of_the_bets() -> None:
    """Grid and mean as the formula says; the sampled top token pays 1 - q."""
    score = judged([token(0), token(1)])["token.drop"]
    r = 1 / (1.05 * (1 - THREE[0]))
    wanted = [(1 - q) * (1 - q + q * r) for q in DROP_GRID]
    assert score.grid == pytest.approx(wanted)
    assert score.value == pytest.approx(sum(wanted) / len(wanted))


def test_drop_counts_the_unreported_end_as_no_evidence() -> None:
    """The token that ended the answer is one position with r = 0."""

    def value(finish: str) -> tuple[float, ...] | None:
        case = Case(PROBE, Completion("x", finish, (token(1),), "present"), NEUTRAL)
        return {score.channel: score for score in SCORERS["token"].judge(case)}["token.drop"].grid

    cut_off, ended = value("length"), value("stop")
    assert cut_off is not None
    assert ended == pytest.approx([(1 - q) * e for q, e in zip(DROP_GRID, cut_off, strict=True)])


@pytest.mark.parametrize("missing", [name for name in FULL if name != "neutral"])
def test_drop_refuses_unknown_settings(missing: str) -> None:
    """An absent setting is unknown, and a server's default may be anything."""
    assert judged(token(1), FULL)["token.drop"].value is not None
    rest = {name: value for name, value in FULL.items() if name != missing}
    score = judged(token(1), rest)["token.drop"]
    assert score.value is None
    assert missing in score.detail["reason"]


@pytest.mark.parametrize(
    "extra",
    [
        {"temperature": 0.7}, {"temperature": 0}, {"repeat_penalty": 1.1}, {"logit_bias": {"1": 2}},
        {"top_k": 40}, {"top_k": 2, "top_p": 0.9}, {"typical_p": 0.9}, {"mirostat": 2},
        {"response_format": {"type": "json_object"}}, {"temperature": "1"}, {"ignore_eos": True},
        {"stop": ["\n"]},
    ],
)  # fmt: skip
def test_drop_refuses_what_it_cannot_undo(extra: dict[str, Any]) -> None:
    """Other temperatures, penalties, several cuts, cuts beyond the list, constraints."""
    score = judged(token(1), NEUTRAL | extra)["token.drop"]
    assert score.value is None
    assert score.detail["reason"]


@pytest.mark.parametrize(
    ("cut", "tail"),
    [
        ({"top_k": 2}, 0.2001 / 0.9002),
        ({"top_p": 0.8}, 0.2001 / 0.9002),
        ({"min_p": 0.2}, 0.2001 / 0.9002),
        ({"top_p": 0.99}, 1 - 0.7001),
        ({"min_p": 0.001}, 1 - 0.7001),
    ],
)
def test_drop_undoes_one_cut(cut: dict[str, Any], tail: float) -> None:
    """Renormalised where the list reaches the cut, else bounded by the uncut tail."""
    score = judged(token(1), NEUTRAL | cut)["token.drop"]
    assert score.grid == pytest.approx([1 - q + q / (1.05 * tail) for q in DROP_GRID])


def test_token_beyond_the_cut_is_no_evidence() -> None:
    """Noise at the cut must not look like a dropped token."""
    score = judged(token(2), NEUTRAL | {"top_k": 2})["token.drop"]
    assert score.detail["hits"] == 0


def test_reported_certainty_never_yields_infinite_evidence() -> None:
    """A reported probability of 1 is believed down to the floor and no further."""
    sure = listed(("a", 0.0), ("b", -math.inf), sampled=("b", -math.inf))
    grid = judged(sure)["token.drop"].grid
    assert grid is not None
    assert max(grid) < 1 / 1e-4


def test_evidence_saturates() -> None:
    """Many impossible tokens end at the saturation, not at infinity."""
    sure = listed(("a", -1e-7), ("b", -20.0), sampled=("b", -20.0))
    score = judged([sure] * 500)["token.drop"]
    assert score.value is not None
    assert score.grid is not None
    assert max(score.grid) == pytest.approx(SATURATION)
    assert max(score.grid) <= SATURATION


def test_drop_refuses_what_is_no_distribution() -> None:
    """Probabilities in place of log-probabilities prove nothing about the sampler."""
    position = listed(("a", 0.9), ("b", 0.05), sampled=("b", 0.05))
    assert judged(position)["token.drop"].value is None


def test_rounding_is_recognised() -> None:
    """Few decimals in every value mean rounded reports."""
    positions = read_positions([listed(("a", -0.123), ("b", -2.5), sampled=("a", -0.123))])
    assert rounding(positions.top) == 0.0005
    assert rounding(read_positions([token(0)]).top) == 0.0


def test_no_logprobs_no_score() -> None:
    """What is not offered is not judged, and says so."""
    for tokens in (None, (), (TokenLogprob("a", -1.0),)):
        assert judged(tokens)["token.drop"].value is None
        assert judged(tokens)["logprob.mass"].value is None


# --- logprob.* --------------------------------------------------------------------------

SOUND = listed(("a", -0.5), ("b", -1.5), ("c", -3.0), sampled=("b", -1.5))


@pytest.mark.parametrize(
    ("position", "rules"),
    [
        (SOUND, set()),
        (token(0.01), set()),
        (listed(("c", -3.0), ("a", -0.5), ("b", -1.5), sampled=("c", -3.0)), set()),
        (listed(("c", -3.0), ("b", -1.5), ("a", -0.5), sampled=("c", -3.0)), {"order"}),
        (listed(("a", -1.5), ("b", -0.5), sampled=("b", -0.5)), {"order"}),
        (listed(("b", -2.0), ("a", -0.3), ("c", -4.0), sampled=("a", -0.3)), {"order"}),
        (listed(("a", -0.3), ("c", -4.0), ("b", -2.0), sampled=("a", -0.3)), {"order"}),
        (listed(("a", -0.3, b"a"), ("c", -4.0, b"c"), ("b", -2.0, b"b"), sampled=("c", -4.0, b"c")),
         {"order"}),
        (listed(("a", -1.0, None, 7), ("b", -2.0, None, 7), sampled=("a", -1.0, None, 7)),
         {"order"}),
        (listed(("a", -1.0, b"a"), ("a", -1.0, b"a"), sampled=("a", -1.0, b"a")), {"order"}),
        (listed(("a", -0.1), ("b", -0.2), sampled=("a", -0.1)), {"mass"}),
        (listed(("a", -0.2), sampled=("z", -0.2)), {"mass"}),
        (listed(("a", -0.5), ("b", -1.5), sampled=("b", -1.0)), {"own"}),
        (listed(("a", -0.5), ("b", -1.5), sampled=("b", -1.51)), set()),
        (listed(("a", -0.5), ("b", -9999.0), sampled=("b", -math.inf)), set()),
        (listed(("a", 0.3), ("b", -1.5), sampled=("b", -1.5)), {"sign", "mass"}),
        (listed(("a", -0.5), ("b", math.nan), sampled=("a", -0.5)), {"sign"}),
        (listed(("a", 1e-9), ("b", -20.0), sampled=("a", 1e-9)), set()),
    ],
)  # fmt: skip
def test_rules_of_honest_reports(position: TokenLogprob, rules: set[str]) -> None:
    """Order (vLLM's sampled-first lists included), mass, own entry and sign."""
    found = {name.split(".")[1] for name in broken([SOUND, position]) if name[0] == "l"}
    assert found == rules


def test_an_endless_answer_is_looked_at_in_part() -> None:
    """One position with very many alternatives does not multiply with very many positions."""
    wide = listed(*((f"t{n}", -20.0) for n in range(5000)), sampled=("t0", -20.0))
    found = read_positions([wide, *[token(0)] * 20_000])
    assert found.top.size <= 1 << 20
