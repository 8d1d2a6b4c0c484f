"""Reads suites of probes: shipped ones by name, others by path. A mistake refuses the file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from qualmon.config.report import FILE, Report, Step, suggest
from qualmon.config.settings import Suite
from qualmon.config.suite_models import ProbeModel, SuiteFileModel
from qualmon.config.wording import checked
from qualmon.config.yamlfile import read_yaml
from qualmon.errors import ConfigError, Problem, UsageError
from qualmon.resources import data_path
from qualmon.scorers import CHANNELS, derived, resolve_scripts
from qualmon.scorers.answers import reading
from qualmon.scorers.code import LANGUAGES, SUPPORTED
from qualmon.types import Expect, Message, Probe

#: What a channel's family needs of a probe, as (section, key, what to write).
_NEEDS: Final[Mapping[str, tuple[str, str, str]]] = {
    "script": ("expect", "scripts", "scripts: [Latn]"),
    "code": ("expect", "code", "code: python"),
    "token": ("params", "logprobs", "logprobs: true"),
    "logprob": ("params", "logprobs", "logprobs: true"),
    "copy": ("expect", "copy_of", "copy_of: .."),
    "answer": ("expect", "answer", "answer: .."),
}


def suite_names() -> tuple[str, ...]:
    """Names of the suites that are shipped."""
    return tuple(sorted(path.stem for path in data_path("probes").glob("*.yaml")))


def is_path(name: str) -> bool:
    """Whether `name` means a file rather than a shipped suite."""
    return "/" in name or name.endswith((".yaml", ".yml"))


def load_suite(name_or_path: str | Path) -> Suite:
    """A shipped suite by name (``core``), or the suite in a YAML file.

    Raises ConfigError with every mistake of the file, each with line, path and remedy.
    """
    text = str(name_or_path)
    if isinstance(name_or_path, str) and not is_path(text):
        if text not in suite_names():
            message = f"there is no suite {text!r}; {suggest(text, suite_names())}"
            raise ConfigError((Problem(text, 1, FILE, message),))
        name_or_path = data_path("probes") / f"{text}.yaml"
    return _read(Path(name_or_path))


def _read(path: Path) -> Suite:
    data, report = read_yaml(path)
    head = checked(SuiteFileModel, data, report)
    items = data.get("probes")
    items = items if isinstance(items, list) else []
    models = [checked(ProbeModel, item, report, ("probes", at)) for at, item in enumerate(items)]
    _check_unique(models, report)
    for at, model in enumerate(models):
        if model is not None:
            _check_probe(model, report, ("probes", at))
    report.raise_if_any()
    assert head is not None  # noqa: S101 - a None has raised just above
    probes = tuple(_probe(model, head.suite) for model in models if model is not None)
    return Suite(head.suite, head.version, probes)


def _check_unique(models: Sequence[ProbeModel | None], report: Report) -> None:
    first: dict[str, int] = {}
    for at, model in enumerate(models):
        if model is not None and first.setdefault(model.id, at) != at:
            report.add(
                ("probes", at, "id"),
                f"{model.id!r} is also the id of probes[{first[model.id]}]; ids are unique, "
                "rename one",
            )


def _check_probe(model: ProbeModel, report: Report, where: tuple[Step, ...]) -> None:
    for at, channel in enumerate(model.channels):
        if channel not in CHANNELS:
            known = suggest(channel, sorted(CHANNELS))
            report.add((*where, "channels", at), f"there is no channel {channel!r}; {known}")
        elif message := _unfed(model, channel):
            report.add((*where, "channels", at), message)
    for channel, bound in model.bounds.items():
        if channel not in (*model.channels, *derived(model.channels)):
            report.add(
                (*where, "bounds", channel),
                "the probe does not feed this channel; name it in channels",
            )
        elif not 0 < bound < 1:
            report.add((*where, "bounds", channel), f"{bound:g} is not a rate; write one in (0, 1)")
    _check_expectations(model, report, where)
    _check_choices(model, report, (*where, "choices"))


def _check_choices(model: ProbeModel, report: Report, where: tuple[Step, ...]) -> None:
    for answer, probability in model.choices.items():
        if not 0 < probability <= 1:
            message = f"{probability:g} is not a probability; write one in (0, 1]"
            report.add((*where, answer), message)
    if sum(model.choices.values()) > 1 + 1e-9:
        message = f"they add up to {sum(model.choices.values()):g}; lower them to 1 at most"
        report.add(where, message)
    if model.choices and model.reference not in model.choices:
        report.add(
            where,
            f"the reference, {model.reference!r}, is none of them; make it one of "
            f"{', '.join(map(repr, model.choices))}",
        )


def _unfed(model: ProbeModel, channel: str) -> str | None:
    """Why this probe can never feed `channel`, if so."""
    if origin := CHANNELS[channel].derived_from:
        return f"{channel} comes by itself with {origin}; list that instead"
    section, key, remedy = _NEEDS.get(channel.split(".", 1)[0], ("", "", ""))
    given = getattr(getattr(model, section), key) if section else True
    if given is None or given is False:  # an expected answer of 0 is one
        return f"{channel} cannot judge this probe; add `{remedy}` under {section}"
    if channel == "token.argmax" and model.params.temperature != 0:
        return "token.argmax needs temperature 0; set it or take the channel out"
    if channel == "token.drop" and model.params.temperature == 0:
        return "token.drop needs a temperature above 0; set it or take the channel out"
    return None


def _check_expectations(model: ProbeModel, report: Report, where: tuple[Step, ...]) -> None:
    code = model.expect.code
    if code is not None and LANGUAGES.get(code.lower()) not in SUPPORTED:
        message = f"code in {code!r} cannot be judged; {suggest(code, sorted(SUPPORTED))}"
        report.add((*where, "expect", "code"), message)
    if model.expect.answer is not None:
        try:
            reading(model.expect.answer)
        except ValueError as error:
            report.add((*where, "expect", "answer"), str(error))
    for at, script in enumerate(model.expect.scripts or ()):
        try:
            resolve_scripts([script])
        except UsageError:
            report.add(
                (*where, "expect", "scripts", at),
                f"{script!r} is no script; write an ISO 15924 code such as Latn, or a name such "
                "as Latin",
            )


def _probe(model: ProbeModel, suite: str) -> Probe:
    expect = model.expect
    return Probe(
        id=model.id,
        suite=suite,
        version=_digest(model),
        messages=tuple(Message(turn.role, turn.content) for turn in model.messages),
        channels=tuple(model.channels),
        params=model.params.model_dump(exclude_none=True),
        expect=Expect(
            scripts=tuple(expect.scripts) if expect.scripts else None,
            code=expect.code,
            answer=expect.answer,
            copy_of=expect.copy_of,
            json_schema=expect.json_schema,
            tools=expect.tools,
        ),
        bounds=dict(model.bounds),
        expected_input_tokens=model.expected_tokens.input,
        expected_output_tokens=model.expected_tokens.output,
        freshness=model.freshness,
        why=model.why.strip(),
        catches=model.catches.strip(),
        source=model.source.strip(),
        reference=model.reference,
        choices=dict(model.choices),
    )


def _digest(model: ProbeModel) -> str:
    """16 hex digits over what is sent and how the answer is judged; words about it are left out."""
    kept: Any = model.model_dump(
        include={"messages", "params", "expect", "channels", "bounds", "freshness"},
        exclude_none=True,
    )
    kept["channels"] = sorted(kept["channels"])
    text = json.dumps(kept, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()[:16]
