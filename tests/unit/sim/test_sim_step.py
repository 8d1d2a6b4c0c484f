"""Steps and samplers: what is drawn follows what is reported, under every setting."""

import math
from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import chdtrc

from qualmon.sim.language import Language
from qualmon.sim.sampler import Asked, sampler
from qualmon.sim.speaker import DELTA, Speaker
from qualmon.sim.step import FOREIGN_MASS, Sampling, Step
from qualmon.sim.vocabulary import FOREIGN, split
from qualmon.types import Target

STEP = Step([("a", 0.5), ("b", 0.3), ("c", 0.15), ("d", 0.05 - FOREIGN_MASS)])
TARGET = Target("m", "p", "r")
ANSWERS = {"Count.": "One two three four five six seven."}


def _p_value(step: Step, sampling: Sampling, expected: list[float], draws: int) -> float:
    """Chi-square p-value of `draws` seeded draws against expected probabilities; pieces with
    less than five expected draws are pooled, and must not be drawn where expected is 0."""
    draw = sampler(sampling, Random(20240905))
    counts = Counter(draw(step)[1] for _ in range(draws))
    assert not [index for index in counts if expected[index] == 0.0]
    cells, rest_seen, rest_expected = [], 0, 0.0
    for index, probability in enumerate(expected):
        if probability * draws >= 5:
            cells.append((counts[index], probability * draws))
        else:
            rest_seen, rest_expected = (
                rest_seen + counts[index],
                rest_expected + probability * draws,
            )
    if rest_expected >= 5:
        cells.append((rest_seen, rest_expected))
    statistic = sum((seen - mean) ** 2 / mean for seen, mean in cells)
    return float(chdtrc(len(cells) - 1, statistic)) if len(cells) > 1 else 1.0


def _babble_step(language: Language) -> Step:
    found: list[Step] = []

    def keep(step: Step) -> tuple[Step, int]:
        found.append(step)
        return step, 0

    Speaker("m", language, {}).answer(("part of the",), keep, 1)
    return found[0]


def test_draws_follow_the_reported_probabilities(language: Language) -> None:
    """Neutral sampler, real step, 40,000 draws: chi-square test at level 1e-3, fixed seed."""
    step = _babble_step(language)
    expected = [math.exp(logprob) for logprob in step.logprobs]
    assert _p_value(step, Sampling(), expected, 40_000) > 1e-3


@pytest.mark.parametrize(
    ("sampling", "weights"),
    [
        (Sampling(0.5), [0.25, 0.09, 0.0225, 0.0025]),
        (Sampling(2.0), [math.sqrt(p) for p in (0.5, 0.3, 0.15, 0.05)]),
        (Sampling(1.0, top_k=2), [0.5, 0.3]),
        (Sampling(1.0, top_p=0.8), [0.5, 0.3]),
        (Sampling(1.0, top_p=0.81), [0.5, 0.3, 0.15]),
        (Sampling(1.0, top_p=0.01), [0.5]),
        (Sampling(0.5, top_k=3, top_p=0.7), [0.25, 0.09]),
    ],
)
def test_settings_renormalise(sampling: Sampling, weights: list[float]) -> None:
    """Temperature, then top_k, then top_p: 20,000 draws each, chi-square at level 1e-3.

    The foreign pieces' share at temperature 2 (about 2 in 10,000) is within the test's noise
    and is taken from the step itself.
    """
    tail = [math.exp(lp / sampling.temperature) for lp in STEP.logprobs[4:]]
    keeps_tail = sampling.top_k == 0 and sampling.top_p == 1.0
    padded = weights + [0.0] * (4 - len(weights)) + (tail if keeps_tail else [0.0] * len(tail))
    total = sum(padded)
    assert _p_value(STEP, sampling, [weight / total for weight in padded], 20_000) > 1e-3


def test_temperature_zero_is_the_argmax() -> None:
    """No randomness is left at T = 0."""
    draw = sampler(Sampling(0.0), Random(1))
    assert {draw(STEP)[1] for _ in range(100)} == {0}


@given(st.floats(0.0, 1.0, exclude_max=True), st.floats(0.01, 2.0), st.integers(0, 50))
def test_every_draw_is_a_piece(uniform: float, temperature: float, top_k: int) -> None:
    """Rounding never leads past the last piece, nor past the cut."""
    index = STEP.locate_cut(uniform, Sampling(temperature, top_k, 1.0))
    assert 0 <= index < (min(top_k, len(STEP.pieces)) or len(STEP.pieces))
    assert 0 <= STEP.locate(uniform) < len(STEP.pieces)


def test_a_step_forgets_old_settings() -> None:
    """A client that never repeats its settings does not grow the server."""
    step = Step([("a", 1.0 - FOREIGN_MASS)])
    for temperature in range(1, 100):
        step.locate_cut(0.5, Sampling(temperature / 50.0))
    assert len(step._cuts) <= 8


def test_reported_probabilities_sum_to_one_at_every_step(language: Language) -> None:
    """Reference steps and babble steps alike carry the whole distribution, sorted."""
    steps = [*_script(language, "Count."), _babble_step(language)]
    for step in steps:
        assert math.fsum(map(math.exp, step.logprobs)) == pytest.approx(1.0, abs=1e-12)
        assert list(step.logprobs) == sorted(step.logprobs, reverse=True)
        assert len(set(step.pieces)) == len(step.pieces)
        assert step.pieces[step.healthy :] == FOREIGN


def _script(language: Language, prompt: str) -> list[Step]:
    draw = sampler(Sampling(0.0), Random(1))
    choices, _ = Speaker("m", language, ANSWERS).answer((prompt,), draw, 1000)
    return [step for step, _ in choices]


def test_a_known_prompt_is_answered_with_its_reference(language: Language) -> None:
    """At T = 0 the answer is the reference, and ends because it is finished."""
    draw = sampler(Sampling(0.0), Random(1))
    choices, finish = Speaker("m", language, ANSWERS).answer(("Count.",), draw, 1000)
    assert "".join(step.pieces[index] for step, index in choices) == ANSWERS["Count."]
    assert finish == "stop"


def test_a_reference_is_cut_at_the_limit(language: Language) -> None:
    """One token less than needed is a cut answer; exactly enough is not."""
    draw, needed = sampler(Sampling(0.0), Random(1)), len(split(ANSWERS["Count."]))
    speaker = Speaker("m", language, ANSWERS)
    assert speaker.answer(("Count.",), draw, needed)[1] == "stop"
    choices, finish = speaker.answer(("Count.",), draw, needed - 1)
    assert (len(choices), finish) == (needed - 1, "length")


def test_delta_lies_in_its_range_and_alternatives_are_words(language: Language) -> None:
    """Leaving the reference is rare at every step, and then a Latin word is said."""
    steps = _script(language, "Count.")
    deltas = [-math.expm1(step.logprobs[0]) for step in steps]
    assert all(DELTA[0] * 0.999 <= delta <= DELTA[1] * 1.001 for delta in deltas)
    assert len(set(deltas)) == len(deltas)
    for step in steps:
        assert step.healthy > 20
        assert all(piece.strip(" ").isalpha() for piece in step.pieces[1 : step.healthy])


def test_the_model_recovers(language: Language) -> None:
    """Whatever was said at one position, the next goes on with the reference."""
    said = iter([0, 5, 0, 60])
    choices, _ = Speaker("m", language, ANSWERS).answer(
        ("Count.",), lambda step: (step, next(said, 0)), 1000
    )
    tokens = [step.pieces[index] for step, index in choices]
    reference = split(ANSWERS["Count."])
    assert [a == b for a, b in zip(tokens, reference, strict=True)].count(False) == 2
    assert tokens[2] == reference[2]
    assert tokens[4:] == reference[4:]


@pytest.mark.parametrize(
    "turns",
    [
        ("Count.",),
        ("You are a clock.", "Count."),
        ("\n Count. \n",),
        ("[salt 7f3a]\nCount.",),
        ("[salt 7f3a]\nYou are a clock.", "Count."),
    ],
)
def test_salt_and_system_prompts_do_not_hide_a_known_prompt(
    language: Language, turns: tuple[str, ...]
) -> None:
    """A salted probe is recognised; so is one after a system prompt."""
    draw = sampler(Sampling(0.0), Random(1))
    choices, _ = Speaker("m", language, ANSWERS).answer(turns, draw, 1000)
    assert "".join(step.pieces[index] for step, index in choices) == ANSWERS["Count."]


def test_several_turns_are_matched_as_a_probe_joins_them(language: Language) -> None:
    """Probe.prompt joins turns by a newline, and so does the lookup."""
    speaker = Speaker("m", language, {"Be brief.\nCount.": "No."})
    for first in ("Be brief.", "[salt 7f3a]\nBe brief."):
        choices, _ = speaker.answer((first, "Count."), sampler(Sampling(0.0), Random(1)), 9)
        assert [step.pieces[index] for step, index in choices] == ["No", "."]


def test_an_unknown_prompt_gets_babble_to_the_limit(language: Language) -> None:
    """Babble is Latin, differs between requests and never stops by itself."""
    speaker = Speaker("m", language, ANSWERS)
    texts = set()
    for seed in range(3):
        choices, finish = speaker.answer(("Why?",), sampler(Sampling(), Random(seed)), 50)
        texts.add("".join(step.pieces[index] for step, index in choices))
        assert (len(choices), finish) == (50, "length")
    assert len(texts) == 3
    assert all(text.isascii() for text in texts)


def test_models_differ(language: Language) -> None:
    """Two models leave the reference at different rates."""
    one = Speaker("m-large", language, ANSWERS)._script("Count.")
    other = Speaker("m-small", language, ANSWERS)._script("Count.")
    assert [step.first for step in one] != [step.first for step in other]


def test_randomness_hangs_on_seed_target_request_and_purpose_alone() -> None:
    """Each of the four changes the draws; nothing else can."""
    asked = [
        Asked(1, TARGET, "x"),
        Asked(2, TARGET, "x"),
        Asked(1, Target("m", "p", "q"), "x"),
        Asked(1, TARGET, "y"),
    ]
    first = [each.random("tokens").random() for each in asked]
    assert len({*first, asked[0].random("fault f").random()}) == 5
    assert [each.random("tokens").random() for each in reversed(asked)] == first[::-1]
