"""Choices of one token: every model has its own near tie, and keeps to it."""

import math
from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qualmon.sim.border import GAP, weighed
from qualmon.sim.language import Language
from qualmon.sim.sampler import sampler
from qualmon.sim.serving import load_answers
from qualmon.sim.speaker import DELTA, Speaker
from qualmon.sim.step import Sampling, Step
from qualmon.sim.vocabulary import is_word

TOSS = {"Toss.": {"heads": 0.5, "tails": 0.4}, "Count.": "One two."}


def step_of(language: Language, model: str = "m") -> Step:
    """The one step of the answer to "Toss."."""
    (step,) = Speaker(model, language, TOSS)._script("Toss.")
    return step


@given(st.dictionaries(st.text(), st.floats(1e-9, 1.0), min_size=1, max_size=9), st.text())
def test_weights_are_a_near_tie(choices: dict[str, float], model: str) -> None:
    """They sum to one and fall; the likeliest answer leads by a distance within GAP."""
    found = weighed(choices, model, "prompt")
    weights = [weight for _, weight in found]
    assert math.fsum(weights) == pytest.approx(1.0)
    assert weights == sorted(weights, reverse=True)
    assert {answer for answer, _ in found} == set(choices)
    assert choices[found[0][0]] == max(choices.values())
    if len(weights) > 1:
        assert GAP[0] - 1e-9 <= math.log(weights[0] / weights[1]) <= GAP[1] + 1e-9
    assert weighed(choices, model, "prompt") == found


def test_models_have_their_own_distance() -> None:
    """Over many models the distances fill the range, small ones more often."""
    gaps = []
    for n in range(400):
        first, second = weighed({"a": 0.5, "b": 0.49}, f"m{n}", "prompt")
        gaps.append(math.log(first[1] / second[1]))
    assert min(gaps) == pytest.approx(GAP[0], abs=0.002)
    assert max(gaps) > 0.5
    assert sorted(gaps)[200] == pytest.approx(0.093, abs=0.02)


def test_a_choice_is_one_step_with_the_stated_rest(language: Language) -> None:
    """0.9 on the answers, 0.1 on Latin words; the same for one model, another for another."""
    step = step_of(language)
    assert step.pieces[0] == "heads"
    shares = {p: math.exp(lp) for p, lp in zip(step.pieces, step.logprobs, strict=True)}
    assert shares["heads"] + shares["tails"] == pytest.approx(0.9)
    assert math.fsum(shares.values()) == pytest.approx(1.0, abs=1e-12)
    assert list(step.logprobs) == sorted(step.logprobs, reverse=True)
    assert len(set(step.pieces)) == len(step.pieces)
    assert all(is_word(piece) for piece in step.pieces[: step.healthy])
    assert step_of(language).logprobs == step.logprobs
    assert step_of(language, "n").logprobs != step.logprobs


def test_stated_shares_that_sum_to_one_leave_a_reference_s_rest(language: Language) -> None:
    """As rarely left as any step of a known answer."""
    speaker = Speaker("m", language, {"Toss.": {"heads": 0.6, "tails": 0.4}})
    (step,) = speaker._script("Toss.")
    assert {*step.pieces[:2]} == {"heads", "tails"}
    rest = 1.0 - sum(math.exp(logprob) for logprob in step.logprobs[:2])
    assert DELTA[0] * 0.99 <= rest <= DELTA[1] * 1.01


def test_zero_is_the_favourite_and_one_is_the_draw(language: Language) -> None:
    """At temperature 0 always one answer; at 1 the shares; the answer then is finished."""
    speaker = Speaker("m", language, TOSS)
    greedy, neutral = sampler(Sampling(0.0), Random(1)), sampler(Sampling(), Random(2))
    said, counts = set(), Counter[str]()
    for _ in range(10_000):
        ((step, index),), finish = speaker.answer(("Toss.",), neutral, 8)
        counts[step.pieces[index]] += 1
        assert finish == "stop"
    for _ in range(20):
        ((step, index),), _ = speaker.answer(("Toss.",), greedy, 1)
        said.add(step.pieces[index])
    assert said == {"heads"}
    share = math.exp(step.logprobs[0])
    assert counts["heads"] / 10_000 == pytest.approx(share, abs=0.02)
    assert counts["heads"] + counts["tails"] == pytest.approx(9000, abs=120)


def test_the_shipped_choices_are_known(language: Language) -> None:
    """Every border prompt has at least two answers within reach of each other, every peaked
    one an answer that takes more than 0.999 of each step."""
    answers = load_answers()
    choices = [prompt for prompt, answer in answers.items() if not isinstance(answer, str)]
    assert len(choices) == 20
    for model in ("m-large", "m-small"):
        speaker = Speaker(model, language, answers)
        for prompt, answer in answers.items():
            script = speaker._script(prompt)
            if prompt in choices:
                gap = script[0].logprobs[0] - script[0].logprobs[1]
                assert GAP[0] - 1e-9 <= gap <= GAP[1] + 1e-9
                assert script[0].pieces[1] in answer
            else:
                assert all(step.first > 0.999 for step in script)
