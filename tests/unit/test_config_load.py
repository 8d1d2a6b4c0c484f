"""A sound configuration becomes plain frozen values, with defaults as documented."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from qualmon.config import Config, load
from qualmon.errors import ConfigError
from qualmon.types import Limits, Price, Secret, Timeouts

FULL = """
store: sqlite:///data/evidence.db
listen: "[::1]:9000"
external_url: https://qualmon.example.com/
false_pages: {max: 2, per: 90d}
burn_in: 2d
nodes: [[], [platform], [hardware], [target]]
targets:
  - {model: meta/llama, platform: anthropic, route: default, provider: openai_chat,
     url: "https://llm.example.com/v1/", api_key: {env: KEY}, api_model: llama-4,
     labels: {hardware: tpu, region: us-east5}, timeout: 20s,
     limits: {rate: 300/m, concurrency: 8, requests_per_day: 20000, usd_per_day: 5}}
  - {model: meta/llama, platform: own, url: "http://127.0.0.1:8000/v1", api_key: {file: key.txt},
     timeout: {connect: 1s, first_byte: 2s, total: 3s}, stream: false, max_body: 1MiB,
     neutral_sampler: true, extra_body: {top_k: 0},
     extra_headers: {X-Team: quality, X-Token: {env: TOKEN}}}
  - {model: m-small, platform: own, url: "http://10.0.0.1/v1", api_key: {env: KEY},
     allow_insecure: true, stream: false, timeout: 50s}
suites:
  - {name: core, every: 10m, probes_per_round: 2, identities: 3, models: [meta/llama]}
  - {name: suites/mine.yaml, models: [m-small], identities: {count: 4, mode: fixed}}
prices:
  meta/llama: {input: 1, output: 2}
  meta/llama/own/default: {input: 0, output: 0}
min_share: 0.01
page_on_change: true
recovery: {clean_for: 12h, alpha: 0.01}
drain: 5s
sinks: {alertmanager: {url: "http://127.0.0.1:9093"}, webhook: {url: {env: HOOK}}}
"""
MINE = """
suite: mine
version: "7"
probes:
  - id: yes
    why: small
    catches: little
    source: written here
    messages: [{role: user, content: Say yes.}]
    params: {temperature: 0, max_tokens: 5}
    expect: {scripts: [Latn]}
    channels: [script.run, finish.empty]
    expected_tokens: {input: 5, output: 1}
"""
ENVIRON = {
    "KEY": "sk-0123456789", "TOKEN": "tok-0123456789",
    "HOOK": "https://hooks.example.com/T0/secret?sig=1",
}  # fmt: skip
SMALLEST = """
targets: [{model: m, platform: p, url: "https://x.example.com/v1"}]
suites: [{name: core}]
"""


def write(folder: Path, text: str) -> Path:
    """A config file in `folder`, with the files that it names."""
    (folder / "suites").mkdir()
    (folder / "suites/mine.yaml").write_text(MINE)
    (folder / "key.txt").write_text("sk-from-a-file\n")
    path = folder / "qualmon.yaml"
    path.write_text(text)
    return path


@pytest.fixture
def full(tmp_path: Path) -> Config:
    """The full example, loaded."""
    return load(write(tmp_path, FULL), ENVIRON)


def test_service_settings(full: Config, tmp_path: Path) -> None:
    """Scalars arrive in base units; the store's path starts at the file's folder."""
    assert full.store == f"sqlite:///{tmp_path}/data/evidence.db"
    assert (full.listen.host, full.listen.port) == ("::1", 9000)
    assert full.external_url == "https://qualmon.example.com"
    assert full.budget_hours == 45 * 24
    assert (full.burn_in, full.drain, full.min_share) == (172800.0, 5.0, 0.01)
    assert (full.recovery.clean_for, full.recovery.alpha) == (43200.0, 0.01)
    assert full.nodes == ((), ("platform",), ("hardware",), ("target",))
    assert full.page_on_change


def test_targets(full: Config) -> None:
    """Targets carry labels, limits, secrets and the price of their key or model."""
    first, second, third = full.endpoints
    assert first.target.key == "meta/llama/anthropic/default"
    assert first.target.axis("hardware") == "tpu"
    assert first.url == "https://llm.example.com/v1"
    assert first.api_key == Secret("sk-0123456789")
    assert first.limits == Limits(5.0, 8, 20000, 5.0)
    assert first.price == Price(1, 2)
    assert second.api_key == Secret("sk-from-a-file")
    assert second.price == Price(0, 0)
    assert second.extra_headers == {"X-Team": "quality"}
    assert second.secret_headers == {"X-Token": Secret("tok-0123456789")}
    assert third.price is None
    assert third.limits == Limits()


def test_timeouts(full: Config) -> None:
    """A total bounds the parts; without a stream the first byte may take all of it."""
    assert [end.timeouts for end in full.endpoints] == [
        Timeouts(10.0, 20.0, 20.0), Timeouts(1.0, 2.0, 3.0), Timeouts(10.0, 50.0, 50.0),
    ]  # fmt: skip


def test_suites_and_sinks(full: Config) -> None:
    """Suites bring their probes; a file beside the config is a suite like a shipped one."""
    core, mine = full.suites
    assert (core.every, core.probes_per_round, core.identities) == (600.0, 2, 3)
    assert core.identity_mode == "fresh"
    assert (mine.identities, mine.identity_mode) == (4, "fixed")
    assert len(core.probes) == 24
    assert (mine.name, [probe.id for probe in mine.probes]) == ("mine", ["yes"])
    assert mine.asks("m-small")
    assert not mine.asks("meta/llama")
    assert full.sinks.webhook is not None
    assert full.sinks.webhook.url == ENVIRON["HOOK"]
    assert full.sinks.alertmanager is not None


def test_defaults(tmp_path: Path) -> None:
    """A file with one target and one suite is enough; absent axes leave the node set."""
    config = load(write(tmp_path, SMALLEST), {})
    assert config.listen == ("127.0.0.1", 9464)
    assert config.budget_hours == 90 * 24
    assert config.burn_in == 7 * 86400
    assert config.nodes == ((), ("platform",), ("model",), ("platform", "model"), ("target",))
    assert config.suites[0].every == 300.0
    assert config.endpoints[0].timeouts == Timeouts()
    assert config.store == f"sqlite:///{tmp_path}/qualmon.db"


def test_secrets_show_nowhere(full: Config) -> None:
    """Neither the public dump nor any repr holds a secret."""
    dumped = json.dumps(full.public_dump())
    for secret in ("sk-0123456789", "sk-from-a-file", "tok-0123456789", "T0/secret"):
        assert secret not in dumped
        assert secret not in repr(full)
    assert json.loads(dumped)["endpoints"][0]["api_key"] == "***"


def test_values_are_frozen(full: Config) -> None:
    """A configuration does not change after it was read."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        full.min_share = 0.5  # type: ignore[misc]


def test_known_providers_are_a_parameter(tmp_path: Path) -> None:
    """The caller says which wire protocols there are."""
    path = write(tmp_path, SMALLEST.replace("platform: p", "platform: p, provider: echo"))
    assert load(path, {}, ("echo",)).endpoints[0].target.provider == "echo"
    with pytest.raises(ConfigError, match="no provider 'echo'"):
        load(path, {})


def test_mistakes_of_every_part_come_at_once(tmp_path: Path) -> None:
    """One bad key in a target hides neither its other mistakes nor those of other parts."""
    text = FULL.replace("timeout: 20s", "timeout: soon, ca_file: none.pem").replace("KEY", "NONE")
    text = text.replace("probes_per_round: 2", "probes_per_round: 99")
    path = write(tmp_path, text.replace("mine.yaml,", "mine.yaml, probes_per_round: 2,"))
    with pytest.raises(ConfigError) as caught:
        load(path, ENVIRON)
    paths = {problem.path for problem in caught.value.problems}
    assert paths == {
        "targets[0].timeout.total", "targets[0].ca_file", "targets[0].api_key",
        "targets[2].api_key", "suites[0].probes_per_round", "suites[1].probes_per_round",
    }  # fmt: skip
