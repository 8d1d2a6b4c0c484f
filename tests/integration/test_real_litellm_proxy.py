"""qualmon against the litellm proxy with mock answers: a server that knows no logprobs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from real_servers import capability, litellm_proxy, watching, write_config

from qualmon.storage.rows import StoredObservation

pytestmark = pytest.mark.integration

TEXT = "The harbour master counts the boats in the evening and writes their names in a book."
ROUTES = ("streamed", "whole")
ROUNDS = 5
PROBES = """
suite: foreign
version: "1"
probes:
  - id: drawn
    why: &why real input
    catches: &catches false alarms
    source: &source this test
    messages: &ask [{role: user, content: "What does the harbour master do?"}]
    params: {temperature: 1, max_tokens: 40, logprobs: true, top_logprobs: 5}
    expect: &latin {scripts: [Latn]}
    channels: [script.run, script.char, script.corrupt, token.drop, logprob.order, logprob.mass]
    expected_tokens: &size {input: 10, output: 20}
  - id: forced
    why: *why
    catches: *catches
    source: *source
    messages: *ask
    params: {temperature: 0, max_tokens: 40, logprobs: true, top_logprobs: 5}
    expect: *latin
    channels: [script.run, script.char, token.rank, token.argmax, logprob.own, finish.empty]
    expected_tokens: *size
"""


@dataclass(frozen=True)
class Seen:
    """What the service stored and exposed."""

    stored: list[StoredObservation]
    metrics: str
    incidents: list[dict[str, object]]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    """A service that has watched the proxy, streamed and not, and ended."""
    folder = tmp_path_factory.mktemp("proxy")
    suite = folder / "foreign.yaml"
    suite.write_text(PROBES)
    with litellm_proxy({"mock": TEXT}, folder / "litellm") as proxy:
        targets = [
            {"model": "mock", "platform": "litellm", "route": route, "url": proxy.url,
             "api_key": {"env": "PROXY_KEY"}, "stream": route == "streamed"}
            for route in ROUTES
        ]  # fmt: skip
        config = write_config(folder / "watch", targets, suite)
        key = {"PROXY_KEY": proxy.key}
        with watching(config, key) as watch:
            watch.await_answers(2 * ROUNDS, 60)
            metrics = watch.metrics()
            watch.stop()
        listed = watch.ask("incidents", "list", "--all", env=key)
        yield Seen(watch.observations(), metrics, listed["incidents"])
        for path in Path(config.parent).iterdir():
            assert proxy.key.encode() not in path.read_bytes()


def test_logprobs_are_reported_as_not_offered(seen: Seen) -> None:
    """Asked for, answered without: the capability says so for both routes."""
    assert {capability(seen.metrics, route) for route in ROUTES} == {"absent_ignored"}


def test_channels_of_logprobs_are_never_scored(seen: Seen) -> None:
    """Neither good nor bad: no score, no sample, no evidence; scripts are judged."""
    counts = Counter(score.channel for found in seen.stored for score in found.scores)
    assert not [channel for channel in counts if channel.startswith(("token.", "logprob."))]
    assert counts["script.run"] == counts["script.char"] == len(seen.stored) >= 4 * ROUNDS
    exposed = {
        sample.labels["channel"]
        for family in text_string_to_metric_families(seen.metrics)
        for sample in family.samples
        if "channel" in sample.labels
    }
    assert "script.char" in exposed
    assert not [channel for channel in exposed if channel.startswith(("token.", "logprob."))]


def test_answers_are_whole_and_good(seen: Seen) -> None:
    """Streamed and not, the text arrives as it was configured, and nothing is wrong with it."""
    answers = [found.observation.result for found in seen.stored]
    assert {getattr(answer, "text", answer) for answer in answers} == {TEXT}
    assert not any(score.value for found in seen.stored for score in found.scores)
    assert seen.incidents == []
