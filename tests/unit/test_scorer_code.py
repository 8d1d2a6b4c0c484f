"""code.* and finish.*: finding the code in an answer, and what becomes of it."""

from __future__ import annotations

import pytest

from qualmon.pipeline import code_to_check, score
from qualmon.scorers.code import MAX_TEXT, extract
from qualmon.testing.answers import sample_probe
from qualmon.types import CompileVerdict, Completion, Probe, Score

CODE = ("code.outcome", "code.fail")
PROBE = sample_probe(CODE)
OK, FAIL = CompileVerdict("python", "ok"), CompileVerdict("python", "fail", message="bad", line=3)


def answer(text: str, reason: str | None = "stop") -> Completion:
    """A completion of this text."""
    return Completion(text, reason)


def judged(
    text: str, verdict: CompileVerdict | None = OK, reason: str = "stop", probe: Probe = PROBE
) -> tuple[Score, Score]:
    """code.outcome and code.fail."""
    outcome, fail = score(probe, answer(text, reason), sampler={}, verdict=verdict)
    return outcome, fail


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("Sure:\n\n```python\nx = 1\n```\nDone.", "x = 1\n"),
        ("```py\nx = 1\n```", "x = 1\n"),
        ("```Python3 title='a.py' {1}\nx = 1\n```", "x = 1\n"),
        ("```{.python .numberLines}\nx = 1\n```", "x = 1\n"),
        ("~~~python\nx = 1\n~~~", "x = 1\n"),
        ("```python\r\nx = 1\r\ny = 2\r\n```\r\n", "x = 1\ny = 2\n"),
        ("````python\ns = '''\n```\n'''\n````", "s = '''\n```\n'''\n"),
        ("1. First:\n\n   ```python\n   if x:\n       y()\n   ```\n2. Then", "if x:\n    y()\n"),
        ("> ```python\n> x = 1\n> ```", "x = 1\n"),
        ("<answer>\n```python\nx = 1\n```\n</answer>", "x = 1\n"),
        ("```\nx = 1\n```", "x = 1\n"),
        ("```text\nhello\n```\n```python\nx = 1\n```", "x = 1\n"),
        ("```\nhello\n```\n```python\nx = 1\n```", "x = 1\n"),
        ("```python\ns = 'a ``` b'\n```", "s = 'a ``` b'\n"),
        ("x = 1\n", "x = 1\n"),
        ("x = '```'\n", "x = '```'\n"),
    ],
)
def test_source_is_found(text: str, source: str) -> None:
    """Fences by CommonMark, labels with attributes, whole texts without a fence."""
    assert code_to_check(PROBE, answer(text)) == ("python", source)
    assert [each.value for each in judged(text)] == ["ok", 0.0]


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ("```python\nx = 1\n", "truncated"),
        ("```python\nx = (", "truncated"),
        ("```python\nx = 1\n```\n```python\ny = 2\n```", "ambiguous"),
        ("```\nx = 1\n```\n```\ny = 2\n```", "ambiguous"),
        ("```bash\nls\n```", "no_code"),
        ("```python\n```", "no_code"),
        ("", "no_code"),
        (" \n", "no_code"),
        ("x" * (MAX_TEXT + 1), "resource_limit"),
    ],
)
def test_what_is_no_single_code(text: str, outcome: str) -> None:
    """Only a verdict on whole code feeds code.fail."""
    found, fail = judged(text, verdict=None)
    assert found.value == outcome
    assert fail.value is None
    assert fail.detail["reason"] == outcome
    assert code_to_check(PROBE, answer(text)) is None


def test_cut_off_answer_is_truncated() -> None:
    """A lowered token limit must not look like a syntax error."""
    found, fail = judged("```python\nx = 1\n```", FAIL, reason="length")
    assert (found.value, fail.value) == ("truncated", None)


def test_failing_code_counts() -> None:
    """The verdict's line and message are kept."""
    found, fail = judged("```python\nx = = 1\n```", FAIL)
    assert (found.value, fail.value) == ("fail", 1.0)
    assert fail.detail == {"tier": "compiler", "message": "bad", "line": 3}


def test_prose_without_a_fence_is_no_code() -> None:
    """A text counts as code only if all of it compiles."""
    found, fail = judged("I am sorry, I cannot do that.", FAIL)
    assert (found.value, fail.value) == ("no_code", None)


@pytest.mark.parametrize(
    "verdict", [None, CompileVerdict("python", "unavailable", message="no worker")]
)
def test_without_a_verdict_nothing_is_said(verdict: CompileVerdict | None) -> None:
    """No compiler, no score."""
    found, fail = judged("```python\nx = 1\n```", verdict)
    assert found.value is None
    assert fail.value is None
    assert "no compile verdict" in fail.detail["reason"]


def test_resource_limit_is_no_failure() -> None:
    """A compiler that gave up says nothing about the code."""
    found, fail = judged("```python\nx = 1\n```", CompileVerdict("python", "resource_limit"))
    assert (found.value, fail.value) == ("resource_limit", None)


@pytest.mark.parametrize("language", ["c++", "rust", "klingon"])
def test_other_languages_are_unsupported(language: str) -> None:
    """They are named as such and never sent to the Python compiler."""
    probe = sample_probe(CODE, code=language)
    found, fail = judged("```python\nx = 1\n```", probe=probe)
    assert (found.value, fail.value) == ("unsupported", None)
    assert code_to_check(probe, answer("```python\nx = 1\n```")) is None


def test_no_code_asked_no_code_judged() -> None:
    """Without expect.code both channels stay silent."""
    probe = sample_probe(CODE, code=None)
    assert [each.value for each in judged("x = 1", probe=probe)] == [None, None]
    assert code_to_check(probe, answer("x = 1")) is None
    with pytest.raises(ValueError, match=r"give it expect\.code"):
        extract(probe, answer("x = 1"))


def test_code_is_not_checked_for_other_channels() -> None:
    """A probe without a code channel costs no compilation."""
    assert code_to_check(sample_probe(["finish.length"]), answer("x = 1")) is None


@pytest.mark.parametrize(
    ("completion", "length", "empty"),
    [
        (Completion("text", "stop"), 0.0, 0.0),
        (Completion("text", "length"), 1.0, 0.0),
        (Completion("text", "MAX_TOKENS"), 1.0, 0.0),
        (Completion("text", None), None, 0.0),
        (Completion(" \n\u3000", "stop"), 0.0, 1.0),
        (Completion("", "tool_calls", tool_calls=({"name": "f"},)), 0.0, 0.0),
        (Completion("", "stop", refusal="No."), 0.0, 0.0),
    ],
)
def test_finish(completion: Completion, length: float | None, empty: float) -> None:
    """Cut-off and empty answers."""
    scores = score(sample_probe(["finish.length", "finish.empty"]), completion, sampler={})
    assert [each.value for each in scores] == [length, empty]
