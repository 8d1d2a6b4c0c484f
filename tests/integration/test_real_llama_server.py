"""qualmon against llama-cpp-python's own server: real wire, real sampler, real logprobs.

The model has random weights and babbles in mixed scripts, so scripts are a permanent positive
here, and everything that is said of the sampler must come out healthy.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from make_tiny_model import make_tiny_model
from real_servers import (
    ROOT,
    Watch,
    capability,
    llama_server,
    need_modules,
    qualmon_json,
    tiny_model,
    watching,
    write_config,
)

from qualmon.config import load
from qualmon.pipeline import score
from qualmon.prober.judge import sampler_params
from qualmon.providers.openai_chat import OpenAIChat
from qualmon.scorers.samplers import Truncation, truncation_of
from qualmon.stats.grids import DROP_GRID
from qualmon.types import (
    Completion,
    Endpoint,
    Expect,
    Message,
    Probe,
    Request,
    Target,
    TokenLogprob,
)

pytestmark = pytest.mark.integration

#: Every setting that token.drop must know, each neutral (docs/howto/real-server.md).
NEUTRAL = {
    "top_k": 0, "top_p": 1.0, "min_p": 0.0, "typical_p": 1.0, "presence_penalty": 0.0,
    "frequency_penalty": 0.0, "repeat_penalty": 1.0, "logit_bias": {},
}  # fmt: skip
#: What llama-cpp-python does unless told otherwise.
DEFAULTS = NEUTRAL | {"top_k": 40, "top_p": 0.95, "min_p": 0.05, "repeat_penalty": 1.1}
REPORT = ["logprob.order", "logprob.mass", "logprob.own", "logprob.sign"]
SCRIPTS = ["script.run", "script.char", "script.word", "script.width", "script.corrupt"]
SOUND = {"token", "logprob"}

TOKENS = 20_000
ANSWER_TOKENS = 100
ROUNDS = 10


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model."""
    return tiny_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def servers(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Base URLs of two servers: each answers one request at a time."""
    folder = tmp_path_factory.mktemp("llama")
    with llama_server(model, folder / "a") as one, llama_server(model, folder / "b") as other:
        yield one, other


# --- 20,000 tokens, straight through the provider -----------------------------------------


@dataclass
class Tally:
    """What the answers of one collection came to."""

    tokens: int = 0
    skipped: int = 0
    nameless: int = 0
    grids: list[tuple[float, ...]] = field(default_factory=list)
    judged: Counter[str] = field(default_factory=Counter)
    bad: Counter[str] = field(default_factory=Counter)

    def mean_r(self) -> float:
        """Mean of r over tokens: the smallest bet of the grid is linear in it."""
        logs = [math.log(grid[0]) for grid in self.grids]
        return 1 + math.fsum(logs) / DROP_GRID[0] / (self.tokens - self.skipped)


async def collect(urls: tuple[str, str], tokens: int, extra: dict[str, object]) -> Tally:
    """Answers at temperature 1 with seeds 1, 2, ..., scored as the service scores them.

    Each server in turn streams or does not; the drawn tokens are the same.
    """
    tally, seeds = Tally(), iter(range(1, tokens))
    probe = Probe(
        "babble", "real", "1", (Message("user", "Tell me anything."),),
        ("token.drop", "token.rank", *REPORT),
        {"temperature": 1, "max_tokens": ANSWER_TOKENS, "logprobs": True, "top_logprobs": 5},
        Expect(scripts=("Latn",)),
    )  # fmt: skip

    async def ask(url: str, stream: bool) -> None:
        target = Target("tiny", "llama-cpp", "default")
        endpoint = Endpoint(target, url, extra_body=extra, stream=stream)
        provider = OpenAIChat(endpoint)
        while tally.tokens < tokens:
            params = {**probe.params, "seed": (seed := next(seeds))}
            answer = await provider.complete(Request(probe.messages, params, f"seed-{seed}"))
            assert isinstance(answer, Completion), answer
            assert answer.logprobs_state == "present"
            add(tally, probe, endpoint, answer)
        await provider.aclose()

    await asyncio.gather(*(ask(url, number % 2 == 0) for number, url in enumerate(urls)))
    return tally


def add(tally: Tally, probe: Probe, endpoint: Endpoint, answer: Completion) -> None:
    """One more answer."""
    assert answer.logprobs is not None
    tally.tokens += len(answer.logprobs)
    tally.nameless += sum(nameless(token) for token in answer.logprobs)
    for judged in score(probe, answer, sampler=sampler_params(probe, endpoint)):
        if judged.value is not None:
            tally.judged[judged.channel] += 1
            tally.bad[judged.channel] += judged.kind == "event" and judged.value == 1
        if judged.grid is not None:
            tally.grids.append(judged.grid)
            assert judged.detail["tokens"] + judged.detail["skipped"] == len(answer.logprobs)
            tally.skipped += judged.detail["skipped"]


def nameless(token: TokenLogprob) -> bool:
    """Whether a text at this position is empty: parts of a character, without bytes or id."""
    assert token.bytes is None
    return "" in {token.token, *(entry.token for entry in token.top)}


def check_null(tally: Tally) -> None:
    """The e-values of a sound sampler: mean at most 1, and their product never large.

    Means: a fault of three standard errors, one-sided, is a chance of 1.3e-3 for each of 13
    rates, at most 1.8 % together; the seeds are fixed, so one build always gives one result.
    Product: exceeds 1e6 at any time with probability at most 1e-6 (Ville), no approximation.
    """
    grids = np.array(tally.grids)
    error = grids.std(axis=0, ddof=1) / math.sqrt(len(grids))
    assert (grids.mean(axis=0) <= 1 + 3 * error).all()
    assert np.cumsum(np.log10(grids), axis=0).max() < 6
    assert tally.mean_r() <= 1
    for column in (0, 4, 8, 12):
        mean, wide = grids[:, column].mean(), error[column]
        print(f"q={DROP_GRID[column]:.4g}: mean e-value {mean:.5f} +- {wide:.5f}")
    judged = tally.tokens - tally.skipped
    print(f"{tally.tokens} tokens, {judged} judged, mean r {tally.mean_r():.4f}")


async def test_neutral_sampler_over_twenty_thousand_tokens(servers: tuple[str, str]) -> None:
    """Mean e-value at most 1; ambiguous texts skipped and counted; honest reports are honest."""
    tally = await collect(servers, TOKENS, NEUTRAL)
    assert tally.tokens >= TOKENS
    check_null(tally)
    assert 0 < tally.nameless <= tally.skipped < tally.tokens / 2
    assert len(tally.grids) == tally.judged["token.drop"] >= TOKENS / ANSWER_TOKENS
    assert tally.judged["logprob.order"] == len(tally.grids)
    assert not tally.bad.total()


async def test_one_cut_is_renormalised(servers: tuple[str, str]) -> None:
    """top_k 5 beside neutral settings: undone from the five listed alternatives."""
    tally = await collect(servers, 2_000, NEUTRAL | {"top_k": 5})
    check_null(tally)
    assert tally.judged["token.rank"] == tally.judged["token.drop"] == len(tally.grids)
    assert not tally.bad.total()


# --- the service --------------------------------------------------------------------------


def suite(folder: Path) -> Path:
    """Short questions: two drawn at temperature 1, two forced at temperature 0."""
    ask = {"logprobs": True, "top_logprobs": 5}
    drawn = {"temperature": 1, "max_tokens": 20, **ask}
    forced = {"temperature": 0, "max_tokens": 60, **ask}  # long enough to repeat itself
    kinds = {
        "drawn": (drawn, ["token.drop"]),
        "forced": (forced, ["token.rank", "token.argmax"]),
    }
    probes = [
        {
            "id": f"{kind}-{number}",
            "why": "real input",
            "catches": "false alarms",
            "source": "this test",
            "messages": [{"role": "user", "content": f"Say what you like, {number}."}],
            "params": params,
            "expect": {"scripts": ["Latn"]},
            "channels": [*SCRIPTS, *REPORT, *channels, "finish.length"],
            "expected_tokens": {"input": 10, "output": 20},
        }
        for kind, (params, channels) in kinds.items()
        for number in (1, 2)
    ]
    path = folder / "babble.yaml"
    path.write_text(yaml.safe_dump({"suite": "babble", "version": "1", "probes": probes}))
    return path


@pytest.fixture(scope="module")
def watched(
    servers: tuple[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Watch, str]]:
    """A service that has watched three routes for ROUNDS rounds and ended; its last metrics."""
    folder = tmp_path_factory.mktemp("watch")
    routes = {"neutral": NEUTRAL, "default": {}, "stated": DEFAULTS}
    targets = [
        {
            "model": "tiny", "platform": "llama-cpp", "route": route, "extra_body": extra,
            "url": servers[number % 2], "labels": {"hardware": "cpu"},
        }
        for number, (route, extra) in enumerate(routes.items())
    ]  # fmt: skip
    config = write_config(folder, targets, suite(folder), probes_per_round=2)
    with watching(config) as watch:
        watch.await_answers(2 * ROUNDS, 90)
        metrics = watch.metrics()
        watch.stop()
        yield watch, metrics


def test_answers_are_stored_with_their_logprobs(watched: tuple[Watch, str]) -> None:
    """Every answer came whole, its logprobs were seen, and the bad ones kept them."""
    stored = watched[0].observations()
    assert len(stored) >= 3 * 2 * ROUNDS
    assert {found.observation.outcome for found in stored} == {"ok"}
    answers = [found.observation.result for found in stored]
    assert {a.logprobs_state for a in answers if isinstance(a, Completion)} == {"present"}
    kept = [a.logprobs for a in answers if isinstance(a, Completion) and a.logprobs]
    assert len(kept) > len(stored) / 2
    assert all(token.logprob <= 0 and token.top for tokens in kept for token in tokens)
    for route in ("neutral", "default", "stated"):
        assert capability(watched[1], route) == "present"


def test_the_sampler_is_judged_where_it_is_known_and_nowhere_else(
    watched: tuple[Watch, str],
) -> None:
    """Neutral settings are judged; the server's defaults, told or not, are refused."""
    judged: Counter[tuple[str, str]] = Counter()
    bad: Counter[tuple[str, str]] = Counter()
    for found in watched[0].observations():
        route = found.observation.member.target.rsplit("/", 1)[1]
        for one in found.scores:
            judged[route, one.channel] += 1
            bad[route, one.channel] += one.kind == "event" and one.value == 1
    assert judged["neutral", "token.drop"] > 0
    assert judged["neutral", "token.argmax"] > 0
    for route in ("default", "stated"):
        assert judged[route, "token.drop"] == judged[route, "token.argmax"] == 0
    assert not bad["neutral", "token.rank"] + bad["neutral", "token.argmax"]
    assert not any(count for (_, name), count in bad.items() if name.startswith("logprob."))


def test_nothing_said_of_the_sampler_is_an_incident_and_scripts_never_page(
    watched: tuple[Watch, str],
) -> None:
    """Permanent babble: the bound is refuted, no page, at most one ticket, tokens are silent."""
    incidents = watched[0].ask("incidents", "list", "--all")["incidents"]
    assert not [i for i in incidents if SOUND & set(i["families"])]
    assert not [i for i in incidents if i["severity"] == "page"]
    assert len(incidents) <= 1
    assert watched[0].bound("babble", "tiny", "script.char") == "refuted"
    share = [line for line in watched[1].splitlines() if 'channel="script.char"' in line]
    ratios = [float(s.rsplit(" ", 1)[1]) for s in share if s.startswith("qualmon_badness_ratio")]
    assert len(ratios) == 3
    assert min(ratios) > 0.5


def test_probe_says_why_the_default_sampler_is_refused(watched: tuple[Watch, str]) -> None:
    """One round by hand: the reason names the settings."""
    config = str(watched[0].config)
    command = ["probe", "-c", config, "--no-store", "--probe", "drawn-1"]
    answer = qualmon_json(command, code=1)  # scripts are bad here
    told = {
        found["target"].rsplit("/", 1)[1]: one
        for found in answer["observations"]
        for one in found["scores"]
        if one["channel"] == "token.drop"
    }
    assert told["neutral"]["value"] is not None
    assert told["default"]["value"] is told["stated"]["value"] is None
    assert "repeat_penalty" in told["default"]["detail"]["reason"]
    assert "cannot be undone: min_p, repeat_penalty" in told["stated"]["detail"]["reason"]


def documented(name: str) -> dict[str, Any]:
    """The configuration in docs/howto/real-server.md that begins with `# name`."""
    page = (ROOT / "docs" / "howto" / "real-server.md").read_text()
    blocks = page.split(f"```yaml\n# {name}\n")
    assert len(blocks) == 2
    document: dict[str, Any] = yaml.safe_load(blocks[1].split("```")[0])
    return document


@pytest.mark.parametrize("name", ["llama-cpp-python", "vLLM"])
def test_documented_configuration_is_valid_and_states_all(name: str, tmp_path: Path) -> None:
    """`qualmon check` takes it, and no sampler setting is left unknown."""
    path = tmp_path / "qualmon.yaml"
    path.write_text(yaml.safe_dump(documented(name)))
    endpoint = load(path, {}).endpoints[0]
    probe = Probe("p", "s", "1", (), (), {"temperature": 1, "max_tokens": 9})
    assert truncation_of(sampler_params(probe, endpoint)) == Truncation()


def test_documented_configuration_judges_the_sampler(
    servers: tuple[str, str], tmp_path: Path
) -> None:
    """The page's own words, on a real server: token.drop has a value."""
    document = documented("llama-cpp-python")
    document["targets"][0]["url"] = servers[0]
    path = tmp_path / "qualmon.yaml"
    path.write_text(yaml.safe_dump(document))
    command = ["probe", "-c", str(path), "--no-store", "--probe", "open-*"]
    answer = qualmon_json(command, code=1)
    scores = [one for found in answer["observations"] for one in found["scores"]]
    drops = [one for one in scores if one["channel"] == "token.drop"]
    assert len(drops) == 8
    assert sum(one["value"] is not None for one in drops) >= 4  # some answers are very short


async def test_a_model_made_on_the_spot_serves(tmp_path: Path) -> None:
    """make_tiny_model.py gives a model that the server loads, and that babbles as it should."""
    need_modules("gguf")
    make_tiny_model(tmp_path / "own.gguf")
    with llama_server(tmp_path / "own.gguf", tmp_path / "server") as url:
        tally = await collect((url, url), 300, NEUTRAL)
    check_null(tally)
    assert tally.nameless > 0
