"""The two suites for routes without log-probabilities keep what their table promises."""

from __future__ import annotations

import re

import pytest

from qualmon.config import load_suite
from qualmon.resources import data_path
from qualmon.scorers import SCORERS, Case
from qualmon.types import Completion, Probe

BORDER = load_suite("border").probes
PEAKED = load_suite("peaked").probes
ALL = (*BORDER, *PEAKED)


def by_id(probe: Probe) -> str:
    """Names a test case."""
    return f"{probe.suite}-{probe.id}"


@pytest.mark.parametrize("probe", BORDER, ids=by_id)
def test_border_probes_stand_between_answers(probe: Probe) -> None:
    """Greedy, short, with two to four close answers that the prompt names; the reference is
    the likeliest; no answer is judged."""
    assert (probe.params["temperature"], probe.expect.answer) == (0, None)
    assert 4 <= probe.params["max_tokens"] <= 8
    assert "logprobs" not in probe.params
    shares = sorted(probe.choices.values(), reverse=True)
    assert 2 <= len(shares) <= 4
    assert 0.97 <= sum(shares) <= 1.0 + 1e-9
    assert shares[0] / shares[-1] <= 1.5
    assert probe.choices[probe.reference or ""] == shares[0]
    for answer in probe.choices:
        assert re.search(rf"\b{answer}\b", probe.prompt, re.IGNORECASE)
        assert re.fullmatch(r"[A-Za-z]+|\d", answer)
    assert {"draw.token", "script.run", "script.corrupt", "finish.empty"} <= set(probe.channels)


@pytest.mark.parametrize("probe", PEAKED, ids=by_id)
def test_peaked_probes_are_drawn_with_one_answer(probe: Probe) -> None:
    """Temperature 1 with neutral settings, log-probabilities where there are any, one answer."""
    params = probe.params
    assert (params["temperature"], params["top_p"], params["logprobs"]) == (1, 1, True)
    assert 4 <= params["max_tokens"] <= 8
    assert not probe.choices
    answer = probe.expect.answer
    wanted = [answer] if isinstance(answer, int) else answer["any"]
    assert probe.reference == str(wanted[0])
    assert {"answer.wrong", "token.drop", "script.run", "script.width"} <= set(probe.channels)


@pytest.mark.parametrize("probe", ALL, ids=by_id)
def test_no_scorer_finds_fault_with_a_right_answer(probe: Probe) -> None:
    """Every answer that counts as right is called good by every channel that can judge text."""
    for text in probe.choices or [probe.reference]:
        case = Case(probe, Completion(text, "stop"), {}, None)
        scores = [score for scorer in SCORERS.values() for score in scorer.judge(case)]
        judged = {score.channel: score.value for score in scores if score.kind == "event"}
        assert judged["script.run"] == judged["finish.empty"] == 0
        assert not any(judged.values())
        assert (judged["answer.wrong"] == 0) is (probe.suite == "peaked")


@pytest.mark.parametrize("probe", PEAKED, ids=by_id)
@pytest.mark.parametrize("text", ["the", "7", "", "Lyon", "yes"])
def test_any_other_word_is_wrong(probe: Probe, text: str) -> None:
    """Whatever a sampler says in the answer's place counts."""
    case = Case(probe, Completion(text, "stop"), {}, None)
    (score,) = SCORERS["answer"].judge(case)
    assert score.value == 1


def test_arithmetic_is_right() -> None:
    """What a peaked prompt computes is what it expects."""
    signs = {"+": int.__add__, "-": int.__sub__, "*": int.__mul__, "/": int.__floordiv__}
    computed = 0
    for probe in PEAKED:
        if match := re.match(r"(\d+) ([-+*/]) (\d+) = ", probe.prompt):
            left, sign, right = match.groups()
            assert probe.expect.answer == signs[sign](int(left), int(right))
            computed += 1
    assert computed == 6


def test_there_are_twenty_of_each_and_all_differ() -> None:
    """No two shipped probes ask the same, in whichever suite."""
    prompts = [probe.prompt for probe in (*ALL, *load_suite("core").probes)]
    assert (len(BORDER), len(PEAKED)) == (20, 20)
    assert len(set(prompts)) == len(prompts)


@pytest.mark.parametrize(("suite", "probes"), [("border", BORDER), ("peaked", PEAKED)])
def test_the_table_names_every_probe(suite: str, probes: tuple[Probe, ...]) -> None:
    """README.md beside the suites lists each probe under its suite, with its answers."""
    text = (data_path("probes") / "README.md").read_text("utf-8")
    section = text.partition(f"\n## {suite}\n")[2].partition("\n## ")[0]
    rows = dict(re.findall(r"^\| `([a-z-]+)` \| (.+?) \| ", section, re.MULTILINE))
    assert list(rows) == [probe.id for probe in probes]
    for probe in probes:
        for answer in probe.choices or [probe.reference or ""]:
            assert re.search(rf"\b{answer}\b", rows[probe.id])
