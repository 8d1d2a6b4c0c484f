"""What a day costs is exact arithmetic on the schedule, and never silently above a limit."""

from __future__ import annotations

from pathlib import Path

import pytest

from qualmon.config import load, per_day
from qualmon.errors import ConfigError

TWO = """
targets:
  - {{model: m, platform: a, url: "https://a.example.com/v1"{limits}}}
  - {{model: n, platform: b, url: "https://b.example.com/v1", limits: {{concurrency: 1}}}}
suites:
  - {{name: core, every: 1h, probes_per_round: 5, identities: 2}}
  - {{name: other.yaml, every: 10m, models: [m]}}
prices: {{m: {{input: 1, output: 10}}}}
"""
OTHER = """
suite: other
version: "1"
probes:
"""
PROBE = """
  - id: {id}
    why: x
    catches: x
    source: x
    messages: [{{role: user, content: Say yes.}}]
    params: {{temperature: 0, max_tokens: 5}}
    channels: [finish.empty]
    expected_tokens: {{input: {tokens}, output: 1}}
"""


def write(folder: Path, limits: str = "") -> Path:
    """Two targets, two suites, one price."""
    probes = PROBE.format(id="p", tokens=10) + PROBE.format(id="q", tokens=20)
    (folder / "other.yaml").write_text(OTHER + probes)
    path = folder / "qualmon.yaml"
    path.write_text(TWO.format(limits=limits))
    return path


def test_requests_tokens_and_usd(tmp_path: Path) -> None:
    """86400/every * probes * identities; tokens are the suite's mean; totals add up."""
    config = load(write(tmp_path), {})
    day = per_day(config)
    core, other = 24 * 5 * 2, 144 * 2
    assert day.targets["m/a/default"].requests == core + other
    assert day.targets["n/b/default"].requests == core
    assert day.suites["core"].requests == 2 * core
    assert day.suites["other"].input_tokens == pytest.approx(other * 15)
    assert day.suites["other"].usd == pytest.approx(other * (15 * 1 + 1 * 10) / 1e6)
    assert day.total.requests == 2 * core + other


def test_a_missing_price_makes_the_sum_unknown(tmp_path: Path) -> None:
    """No sum pretends that an unpriced target is free; the target is named."""
    day = per_day(load(write(tmp_path), {}))
    assert day.targets["m/a/default"].usd is not None
    assert day.targets["n/b/default"].usd is None
    assert day.total.usd is None
    assert day.unpriced == ("n/b/default",)
    assert day.unlimited == ("m/a/default",)
    assert day.as_dict()["usd"] is None
    assert day.as_dict()["targets"]["n/b/default"]["requests"] == 240


@pytest.mark.parametrize(
    "limits", ["requests_per_day: 528", "rate: 528/d", "usd_per_day: 5", "concurrency: 1"]
)
def test_a_schedule_at_its_limit_is_accepted(tmp_path: Path, limits: str) -> None:
    """Limits are inclusive."""
    load(write(tmp_path, f", limits: {{{limits}}}"), {})


@pytest.mark.parametrize(
    ("limits", "key"),
    [("requests_per_day: 527", "requests_per_day"), ("rate: 527/d", "rate"),
     ("usd_per_day: 0.01", "usd_per_day")],
)  # fmt: skip
def test_a_schedule_above_its_limit_is_refused(tmp_path: Path, limits: str, key: str) -> None:
    """The mistake stands at the target's limit and says by how much to stretch the suites."""
    with pytest.raises(ConfigError) as caught:
        load(write(tmp_path, f", limits: {{{limits}}}"), {})
    (problem,) = caught.value.problems
    assert problem.path == f"targets[0].limits.{key}"
    assert problem.line == 3
    assert "times as long" in problem.message


def test_the_remedy_is_enough(tmp_path: Path) -> None:
    """Following the advice for a single suite makes the schedule fit."""
    path = tmp_path / "qualmon.yaml"
    text = """
targets:
  - {{model: m, platform: a, url: "https://a.example.com/v1", limits: {{requests_per_day: 777}}}}
suites: [{{name: core, every: {every}}}]
"""
    path.write_text(text.format(every="7s"))
    with pytest.raises(ConfigError) as caught:
        load(path, {})
    path.write_text(text.format(every=caught.value.problems[0].message.rpartition(" ")[2]))
    assert per_day(load(path, {})).total.requests <= 777
