"""The shipped suite keeps its promises: original, forced where it says so, without false hits."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from qualmon.config import load_suite
from qualmon.resources import data_path
from qualmon.scorers import SCORERS, Case
from qualmon.types import Completion, Probe

PROBES = {probe.id: probe for probe in load_suite("core").probes}
CODE = [probe for probe in PROBES.values() if probe.expect.code]
DRAWN = [probe for probe in PROBES.values() if probe.params["temperature"] == 1]
FORCED = [probe for probe in PROBES.values() if probe not in CODE and probe not in DRAWN]


def by_id(probe: Probe) -> str:
    """Names a test case."""
    return probe.id


def reference(name: str) -> str:
    """The right answer of a probe."""
    text = PROBES[name].reference
    assert text is not None
    return text


def test_there_are_eight_of_each_kind() -> None:
    """Forced copies, code and open texts."""
    assert (len(FORCED), len(CODE), len(DRAWN)) == (8, 8, 8)


@pytest.mark.parametrize("probe", PROBES.values(), ids=by_id)
def test_every_probe_is_complete(probe: Probe) -> None:
    """Settings are stated and neutral, logprobs are asked for, the answer has room."""
    assert probe.expect.scripts == ("Latn",)
    assert probe.params["logprobs"] is True
    assert probe.params["top_logprobs"] == 5
    assert (probe.params["top_p"], probe.params["presence_penalty"]) == (1, 0)
    assert probe.params["max_tokens"] >= 2.5 * probe.expected_output_tokens
    assert {"script.run", "script.corrupt", "logprob.mass", "finish.length"} <= set(probe.channels)


@pytest.mark.parametrize("probe", PROBES.values(), ids=by_id)
def test_references_are_plain_text(probe: Probe) -> None:
    """A reference is printable ASCII, so that no script channel can speak on it."""
    text = reference(probe.id)
    assert text.isascii()
    assert text.replace("\n", "").isprintable()
    assert text == text.strip()


@pytest.mark.parametrize("probe", PROBES.values(), ids=by_id)
def test_no_scorer_finds_fault_with_a_reference(probe: Probe) -> None:
    """Every channel that can judge text alone calls the right answer good."""
    case = Case(probe, Completion(reference(probe.id), "stop"), {}, None)
    scores = [score for scorer in SCORERS.values() for score in scorer.judge(case)]
    judged = {score.channel: score.value for score in scores if score.kind == "event"}
    assert judged["script.run"] == judged["script.char"] == judged["script.word"] == 0
    assert not any(judged.values())


@pytest.mark.parametrize("probe", PROBES.values(), ids=by_id)
def test_expected_tokens_are_plausible(probe: Probe) -> None:
    """Budgets rest on these: between one and two tokens per word or sign."""
    for text, tokens in (
        (probe.prompt, probe.expected_input_tokens),
        (reference(probe.id), probe.expected_output_tokens),
    ):
        pieces = len(re.findall(r"\w+|[^\w\s]|\n", text))
        assert 0.75 * pieces <= tokens <= 1.6 * pieces + 10


@pytest.mark.parametrize("probe", CODE, ids=by_id)
def test_code_references_are_one_block_of_valid_python(probe: Probe) -> None:
    """15 to 25 lines in one python fence, which parse."""
    match = re.fullmatch(r"```python\n(.*)\n```", reference(probe.id), re.DOTALL)
    assert match is not None
    assert "```" not in match[1]
    assert 15 <= len(match[1].splitlines()) <= 25
    ast.parse(match[1])
    assert {"code.fail", "code.outcome", "token.argmax"} <= set(probe.channels)


@pytest.mark.parametrize("probe", FORCED, ids=by_id)
def test_forced_probes_are_greedy_and_long_enough(probe: Probe) -> None:
    """Temperature 0, and 60 to 120 tokens to look at."""
    assert probe.params["temperature"] == 0
    assert 60 <= probe.expected_output_tokens <= 120
    assert {"token.rank", "token.argmax"} <= set(probe.channels)


@pytest.mark.parametrize("probe", DRAWN, ids=by_id)
def test_drawn_probes_let_the_draw_be_judged(probe: Probe) -> None:
    """Temperature 1 and 40 to 90 tokens feed token.drop and no greedy channel."""
    assert 40 <= probe.expected_output_tokens <= 90
    assert "token.drop" in probe.channels
    assert not {"token.rank", "token.argmax"} & set(probe.channels)


def test_copies_are_copies() -> None:
    """What is to be repeated stands in the prompt, letter by letter."""
    assert PROBES["copy-harbour"].messages[-1].content == reference("copy-harbour")
    assert PROBES["copy-harbour"].expect.copy_of == reference("copy-harbour")
    assert PROBES["copy-second"].prompt.split("\n\n")[2] == reference("copy-second")


def test_lists_are_right() -> None:
    """Sorted is sorted, backwards is backwards, counted is counted."""
    listed = PROBES["sort-words"].prompt.split("\n")[1].split(", ")
    assert reference("sort-words").split("\n") == sorted(set(listed))
    words = PROBES["reverse-words"].prompt.split("\n")[1].split(", ")
    assert reference("reverse-words").split(", ") == words[::-1]
    assert reference("count-words").split(", ") == [spelt(n) for n in range(30, 56)]
    assert reference("count-back").split("\n") == [spelt(n) for n in range(48, 25, -1)]


def spelt(number: int) -> str:
    """A number from 20 to 59 in words."""
    tens = {2: "twenty", 3: "thirty", 4: "forty", 5: "fifty"}[number // 10]
    ones = ["", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    return f"{tens}-{ones[number % 10]}".rstrip("-")


def test_forms_are_filled_from_the_prompt() -> None:
    """Each line of the two form probes holds what its row of the prompt says."""
    prompt = PROBES["table-sentences"].prompt
    rows = [row.split(", ") for row in prompt.partition("\n\n")[0].split("\n")[1:]]
    lines = [f"{n} carves one {o} from {w}, starting at {t}." for n, w, o, t in rows]
    assert reference("table-sentences").split("\n") == lines
    pairs = re.findall(r"(\w+) and (\w+)(?=,|\.\n)", PROBES["fill-verse"].prompt)
    verse = [f"The {a} sleeps in the {b}, and the night goes round again." for a, b in pairs]
    assert reference("fill-verse").split("\n") == verse


def test_prompts_differ() -> None:
    """No two probes ask the same, so that an answer belongs to one probe."""
    assert len({probe.prompt for probe in PROBES.values()}) == len(PROBES)


def test_the_table_names_every_probe() -> None:
    """README.md beside the suite lists each probe."""
    text = (data_path("probes") / "README.md").read_text("utf-8")
    assert re.findall(r"^\| `([a-z-]+)` \| [a-z]+ \| ", text, re.MULTILINE) == list(PROBES)


def test_the_example_in_the_readme_loads(tmp_path: Path) -> None:
    """What README.md shows as a probe of your own is accepted as it stands."""
    text = (data_path("probes") / "README.md").read_text("utf-8")
    (tmp_path / "mine.yaml").write_text(text.partition("```yaml\n")[2].partition("```")[0])
    assert load_suite(tmp_path / "mine.yaml").probes[0].id == "greet"
