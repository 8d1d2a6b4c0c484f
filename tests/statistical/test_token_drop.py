"""token.drop is an e-value: its mean under a sound sampler is at most 1, and a drop shows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random

import numpy as np
import pytest

from qualmon.scorers import SCORERS, Case
from qualmon.stats.grids import DROP_GRID
from qualmon.testing.answers import sample_probe
from qualmon.types import Completion, Score, TokenLogprob, TopToken

PROBE = sample_probe(["token.drop"])
NEUTRAL = {"temperature": 1, "neutral": True}


@dataclass(frozen=True)
class Context:
    """A next-token distribution as a server reports it: the chances, most probable first."""

    chances: tuple[float, ...]
    listed: int = 5
    decimals: int | None = None
    sampled_first: bool = False
    merged: bool = False
    by_text: bool = False
    twins: tuple[int, int] | None = None

    def report(self, sampled: int) -> TokenLogprob:
        """What the server says when token number `sampled` was drawn."""
        order = list(range(min(self.listed, len(self.chances))))
        if self.sampled_first and sampled != 0:
            order = [sampled, *(token for token in order if token != sampled)][: self.listed]
        entries = [self._entry(token) for token in order]
        if self.merged:  # a dictionary by text, the sampled token entered last
            merged = {entry[0]: entry for entry in [*entries, self._entry(sampled)]}
            entries = list(merged.values())
        top = tuple(TopToken(*entry) for entry in entries)
        return TokenLogprob(*self._entry(sampled), top=top)

    def _entry(self, token: int) -> tuple[str, float, bytes | None]:
        logprob = math.log(self.chances[token])
        if self.decimals is not None:
            logprob = round(logprob, self.decimals)
        name = self.twins[0] if self.twins and token == self.twins[1] else token
        return f"t{name}", logprob, None if self.by_text else b"t%d" % token


def context(draw: Random, least: float = 1e-6, most: float = 0.9, **shape: object) -> Context:
    """A distribution of nine tokens; 1 - p1 is log-uniform from `least` to `most`."""
    tail = math.exp(draw.uniform(math.log(least), math.log(most)))
    weights = sorted((draw.random() ** 3 + 1e-9 for _ in range(8)), reverse=True)
    rest = [tail * weight / sum(weights) for weight in weights]
    chances = sorted([1 - tail, *rest], reverse=True)
    return Context(tuple(chances), **shape)  # type: ignore[arg-type]


def drop(
    tokens: list[TokenLogprob], sampler: dict[str, object], finish: str | None = "length"
) -> Score:
    """token.drop of an answer."""
    answer = Completion("x", finish, tuple(tokens), "present")
    judged = SCORERS["token"].judge(Case(PROBE, answer, sampler))
    return next(score for score in judged if score.channel == "token.drop")


def grid(tokens: list[TokenLogprob], sampler: dict[str, object]) -> np.ndarray:
    """e-values by drop rate; 1 where the channel refuses, as nothing is folded then."""
    score = drop(tokens, sampler)
    return np.ones(len(DROP_GRID)) if score.grid is None else np.array(score.grid)


def cut(chances: np.ndarray, sampler: dict[str, object]) -> np.ndarray:
    """The distribution that a sound sampler draws from."""
    kept = np.ones(len(chances), bool)
    if "top_k" in sampler:
        kept &= np.arange(len(chances)) < sampler["top_k"]
    if "top_p" in sampler:
        kept &= np.cumsum(chances) - chances < sampler["top_p"]
    if "min_p" in sampler:
        kept &= chances >= sampler["min_p"] * chances[0]
    return np.where(kept, chances, 0) / chances[kept].sum()


def expectation(shown: Context, true: np.ndarray, sampler: dict[str, object]) -> np.ndarray:
    """Exact mean of the grid over the sampled token."""
    drawn = np.flatnonzero(true)
    return sum(true[token] * grid([shown.report(int(token))], sampler) for token in drawn)


SHAPES = {
    "bytes": {},
    "text": {"by_text": True},
    "shared text": {"by_text": True, "twins": (1, 4)},
    "shared with the tail": {"by_text": True, "twins": (0, 7)},
    "vLLM order": {"sampled_first": True},
    "vLLM order, shared text": {"sampled_first": True, "by_text": True, "twins": (0, 4)},
    "merged by text": {"by_text": True, "merged": True},
    "merged, top and listed": {"by_text": True, "merged": True, "twins": (0, 3)},
    "merged, top and tail": {"by_text": True, "merged": True, "twins": (0, 7)},
    "merged, listed and tail": {"by_text": True, "merged": True, "twins": (2, 6)},
    "3 decimals": {"decimals": 3},
    "5 decimals": {"decimals": 5},
    "2 decimals, all listed": {"decimals": 2, "listed": 9},
    "all listed": {"listed": 9},
}
SETTINGS = ({}, {"top_k": 4}, {"top_p": 0.9}, {"top_p": 0.2}, {"min_p": 0.05})


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_mean_is_at_most_one(shape: str, setting: dict[str, object]) -> None:
    """For each context by itself, whatever the server's habits, exactly and not on average."""
    draw, sampler = Random(5), NEUTRAL | setting
    judged = 0
    for _ in range(40):
        shown = context(draw, **SHAPES[shape])
        mean = expectation(shown, cut(np.array(shown.chances), setting), sampler)
        assert mean.max() <= 1 + 1e-9
        judged += mean.min() < 1
    assert judged > 10 or shape.endswith("shared text") or shape == "shared text"


@pytest.mark.parametrize("finish", ["stop", "tool_calls", None])
def test_mean_holds_where_the_end_is_probable_and_not_reported(finish: str | None) -> None:
    """One token, then a likely end that no server lists, or one more token up to the limit."""
    first, second = Context((0.6, 0.4)), (0.9, 0.1)
    end, more = TopToken("<end>", math.log(0.9), b"<end>"), TopToken("t1", math.log(0.1), b"t1")
    missed = TokenLogprob(more.token, more.logprob, more.bytes, top=(end, more))
    mean = np.zeros(len(DROP_GRID))
    for token, chance in enumerate(first.chances):
        begin = first.report(token)
        ended = np.array(drop([begin], NEUTRAL, finish).grid)
        went_on = np.array(drop([begin, missed], NEUTRAL, "length").grid)
        mean += chance * (second[0] * ended + second[1] * went_on)
    assert mean.max() <= 1


def test_exact_ties_do_not_count_against_the_sampler() -> None:
    """Two tokens of the same greatest chance: neither is a miss."""
    shown = Context((0.45, 0.45, 0.1))
    mean = expectation(shown, np.array(shown.chances), NEUTRAL)
    assert mean.max() <= 1


@pytest.mark.parametrize("sigma", [0.0, 0.1, 0.3])
def test_mean_holds_under_logit_noise(sigma: float) -> None:
    """Noise between the logits shown and those sampled from is inside the deflation."""
    rng, draw = np.random.default_rng(11), Random(11)
    means = []
    for _ in range(400):
        shown = context(draw, 1e-3)
        true = np.array(shown.chances) * np.exp(sigma * rng.standard_normal(9))
        means.append(expectation(shown, true / true.sum(), NEUTRAL))
    mean, error = np.mean(means, axis=0), np.std(means, axis=0) / math.sqrt(len(means))
    assert (mean <= 1 + 3 * error).all()
    assert (mean > 1 - 0.06 * np.array(DROP_GRID)).all()  # the price of deflation


def answer(draw: Random, q: float, tokens: int = 80) -> list[TokenLogprob]:
    """A chat-like answer, 60 % peaked, by a sampler that drops the top token at rate q."""
    said = []
    for _ in range(tokens):
        peaked = draw.random() < 0.6
        shown = context(draw, *((1e-6, 1e-2) if peaked else (1e-2, 0.9)))
        chances = list(shown.chances)
        if draw.random() < q:
            chances[0] = 0.0
        said.append(shown.report(draw.choices(range(len(chances)), chances)[0]))
    return said


def test_simulated_answers_have_mean_at_most_one() -> None:
    """Over whole answers, each e-value of the grid and their mean, within three errors."""
    draw = Random(3)
    values = np.array([grid(answer(draw, 0.0, 10), NEUTRAL) for _ in range(1000)])
    error = values.std(axis=0) / math.sqrt(len(values))
    assert (values.mean(axis=0) <= 1 + 3 * error).all()
    assert values.mean() <= 1 + 3 * values.mean(axis=1).std() / math.sqrt(len(values))


def test_a_one_percent_drop_is_found_within_two_thousand_tokens() -> None:
    """The product over 25 answers of 80 tokens exceeds 1e4 in every run, and shrinks by chance."""
    near = min(range(len(DROP_GRID)), key=lambda k: abs(DROP_GRID[k] - 0.01))
    found = {q: [_log10_evidence(seed, q, near) for seed in range(8)] for q in (0.0, 0.01)}
    assert min(found[0.01]) > 4
    assert max(found[0.0]) < 0


def _log10_evidence(seed: int, q: float, column: int) -> float:
    draw = Random(seed)
    return sum(math.log10(grid(answer(draw, q), NEUTRAL)[column]) for _ in range(25))
