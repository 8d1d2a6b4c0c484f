"""Suites are found by name or path, probes know their version, mistakes refuse the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from qualmon.config import load_suite, suite_names
from qualmon.errors import ConfigError
from qualmon.types import Probe

TEXT = """suite: mine
version: "3"
probes:
  - id: one
    why: because
    catches: faults
    source: here
    messages: [{role: user, content: Say yes.}]
    params: {temperature: 0, max_tokens: 5, logprobs: true, top_logprobs: 5}
    expect: {scripts: [Latn]}
    channels: [script.run, token.argmax]
    bounds: {script.run: 0.01}
    expected_tokens: {input: 5, output: 1}
    reference: yes
"""


def probe(folder: Path, *changes: tuple[str, str]) -> Probe:
    """The one probe of TEXT after `changes`."""
    text = TEXT
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = folder / "mine.yaml"
    path.write_text(text)
    return load_suite(path).probes[0]


def test_the_shipped_suite_is_found_by_name() -> None:
    """core is there, from a checkout as from a wheel."""
    assert "core" in suite_names()
    assert load_suite("core").name == "core"


def test_an_unknown_name_lists_the_known_ones() -> None:
    """A misspelt suite is answered with what there is."""
    with pytest.raises(ConfigError, match="did you mean 'core'"):
        load_suite("cores")


def test_an_unknown_channel_lists_the_known_ones(tmp_path: Path) -> None:
    """A misspelt channel is answered with the nearest and with all there are."""
    with pytest.raises(ConfigError, match=r"did you mean 'script.run'\? \(allowed: answer.wrong, "):
        probe(tmp_path, ("[script.run,", "[script.runs,"))


@pytest.mark.parametrize("language", ["rust", "klingon"])
def test_code_that_nobody_judges_is_refused(tmp_path: Path, language: str) -> None:
    """A language without a scorer is told, with those there are."""
    with pytest.raises(ConfigError, match="allowed: python"):
        probe(tmp_path, ("{scripts: [Latn]}", f"{{scripts: [Latn], code: {language}}}"))


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ("true", "True is no number; write one without quotes"),
        ("{regex: (a+}", r"a group is not closed; add"),
        ("{regex: (?=a)}", r"cannot be read from '\(\?=a\)' on"),
        (
            "{regexp: a}",
            r"cannot be read; write a text, a number, \{text\|number\|regex\|any: ..\}",
        ),
        ("{any: []}", r"any is \[\]; write a list"),
        ("' '", "' ' is no text"),
    ],
)
def test_an_answer_that_cannot_be_read_is_refused(tmp_path: Path, answer: str, told: str) -> None:
    """With its place, what it is and what may stand there."""
    with pytest.raises(ConfigError, match=f"expect.answer: .*{told}"):
        probe(tmp_path, ("{scripts: [Latn]}", f"{{scripts: [Latn], answer: {answer}}}"))


def test_an_answer_of_zero_is_an_answer(tmp_path: Path) -> None:
    """answer.wrong needs an expectation; 0 is one, none is refused."""
    fed = ("[script.run,", "[answer.wrong, script.run,")
    found = probe(tmp_path, fed, ("{scripts: [Latn]}", "{scripts: [Latn], answer: 0}"))
    assert found.expect.answer == 0
    with pytest.raises(ConfigError, match=r"answer.wrong cannot .*; add `answer: ..` under expect"):
        probe(tmp_path, fed)
    with pytest.raises(ConfigError, match=r"copy.edit cannot .*; add `copy_of: ..` under expect"):
        probe(tmp_path, ("[script.run,", "[copy.edit, script.run,"))


def test_novelty_comes_by_itself(tmp_path: Path) -> None:
    """A probe lists draw.token; of novelty.token it may declare a bound and nothing else."""
    drawn = ("[script.run,", "[draw.token, script.run,")
    bound = ("{script.run: 0.01}", "{novelty.token: 0.002}")
    assert probe(tmp_path, drawn, bound).bounds == {"novelty.token": 0.002}
    with pytest.raises(ConfigError, match=r"novelty.token: the probe does not feed this channel"):
        probe(tmp_path, bound)
    with pytest.raises(ConfigError, match=r"novelty.token comes by itself with draw.token"):
        probe(tmp_path, ("[script.run,", "[novelty.token, script.run,"))


def test_a_probe_carries_what_stands_in_the_file(tmp_path: Path) -> None:
    """Messages, settings, expectations, bounds and sizes arrive unchanged."""
    found = probe(tmp_path)
    assert found.prompt == "Say yes."
    assert found.params == {"temperature": 0, "max_tokens": 5, "logprobs": True, "top_logprobs": 5}
    assert found.expect.scripts == ("Latn",)
    assert found.bounds == {"script.run": 0.01}
    assert (found.suite, found.expected_input_tokens, found.reference) == ("mine", 5, "yes")


def test_choices_arrive(tmp_path: Path) -> None:
    """The probability of each answer, for the simulated fleet; none is the rule."""
    assert probe(tmp_path).choices == {}
    stated = probe(tmp_path, ("reference: yes", "reference: yes\n    choices: {yes: 1}"))
    assert stated.choices == {"yes": 1.0}


@pytest.mark.parametrize(
    ("old", "new"),
    [("Say yes.", "Say no."), ("role: user", "role: system"),
     ("temperature: 0", "temperature: 0.0001"), ("[Latn]", "[Grek]"),
     ("script.run, token.argmax", "script.run"),
     ("script.run: 0.01", "script.run: 0.02"), ("reference", "freshness: salted\n    reference")],
)  # fmt: skip
def test_the_version_follows_what_matters(tmp_path: Path, old: str, new: str) -> None:
    """Whatever changes answers or scoring changes the version."""
    changes = [(old, new)]
    if "token.argmax" not in new and "temperature" in old:
        changes.append((", token.argmax", ""))
    assert probe(tmp_path, *changes).version != probe(tmp_path).version


@pytest.mark.parametrize(
    ("old", "new"),
    [("because", "why not"), ("reference: yes", "reference: Yes!"), ("input: 5", "input: 6"),
     ("script.run, token.argmax", "token.argmax, script.run"), ("id: one", "id: two"),
     ("reference: yes", "reference: yes\n    choices: {yes: 0.6, nope: 0.4}")],
)  # fmt: skip
def test_the_version_ignores_words_about_the_probe(tmp_path: Path, old: str, new: str) -> None:
    """Explanations, references and the order of channels are no new version."""
    assert probe(tmp_path, (old, new)).version == probe(tmp_path).version
