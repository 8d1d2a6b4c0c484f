"""Misrouting: sticky by identity, of the stated share, different by little, the same outside."""

import asyncio
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from qualmon.errors import QualmonError, UnknownNameError, UsageError
from qualmon.sim.backend import Settings
from qualmon.sim.faults import infect, parse_faults, pool_of
from qualmon.sim.fleet import demo_fleet
from qualmon.sim.language import Language
from qualmon.sim.pool import Pool
from qualmon.sim.sampler import Asked, sampler
from qualmon.sim.serving import load_answers
from qualmon.sim.speaker import Speaker
from qualmon.sim.step import FOREIGN_MASS, Sampling, Step
from qualmon.sim.vocabulary import FOREIGN, split
from qualmon.types import Target

TARGETS = demo_fleet().targets
GOOD: dict[str, Any] = {"id": "f1", "kind": "misroute", "node": "platform=aws"}
Serve = Callable[..., Any]


def struck(
    identity: str, target: Target | None = None, seed: int = 7, request: str = "r", **fault: Any
) -> bool:
    """Whether a request is sent to the second pool."""
    faults = parse_faults([{**GOOD, **fault}], TARGETS, 0.0)
    target = target or next(target for target in TARGETS if target.platform == "aws")
    return pool_of(faults, Asked(seed, target, request, identity), 1.0) is not None


@pytest.mark.parametrize("share", [0.008, 0.16, 0.5, 1.0])
def test_the_share_of_identities_is_the_stated_one(share: float) -> None:
    """5,000 identities lie within four standard errors."""
    hits = sum(struck(f"u{n}", share=share) for n in range(5000))
    assert abs(hits - 5000 * share) <= 4 * math.sqrt(5000 * share * (1 - share))


def test_an_identity_is_always_or_never_struck() -> None:
    """Whatever it asks, of whichever model, by whichever route of the platform."""
    aws = [target for target in TARGETS if target.platform == "aws"]
    for n in range(50):
        seen = {struck(f"u{n}", target, request=f"r{m}") for target in aws for m in range(5)}
        assert len(seen) == 1


def test_seed_fault_identity_and_platform_decide() -> None:
    """Each of them alone changes who is struck; another platform strikes others."""
    names = [f"u{n}" for n in range(300)]
    gcp = next(target for target in TARGETS if target.platform == "gcp")
    everywhere = {"node": "fleet", "share": 0.3}
    base = [struck(name, **everywhere) for name in names]
    for change in ({"seed": 8}, {"id": "f2"}, {"target": gcp}):
        other = [struck(name, **{**everywhere, **change}) for name in names]
        both = sum(a and b for a, b in zip(base, other, strict=True))
        assert both == pytest.approx(300 * 0.09, abs=4 * math.sqrt(300 * 0.09 * 0.91))


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        ({"share": 0}, UsageError, r"share 0.*share of identities above 0.*0\.16"),
        ({"share": 1.2}, UsageError, r"share 1\.2"),
        ({"sd": -1}, UsageError, r"sd -1\.0.*0 or more"),
        ({"window": 0}, UsageError, r"window 0.*1 or more"),
        ({"delay": "slow"}, UsageError, r"delay 'slow'.*finite"),
        ({"rate": 0.1}, UnknownNameError, r"'rate'.*Keys: .*share, sd, window, delay"),
    ],
)
def test_a_wrong_setting_is_refused(
    change: dict[str, Any], kind: type[QualmonError], message: str
) -> None:
    """Each message names the fault, the value and the remedy."""
    with pytest.raises(kind, match=message):
        parse_faults([{**GOOD, **change}], TARGETS, 0.0)


def test_a_pool_shifts_every_logit_a_little() -> None:
    """Normal shifts of the stated size, the same at one place, others elsewhere; the foreign
    pieces keep their probability, the rest sums to what it was."""
    words = [(f" w{n}", (1 - FOREIGN_MASS) / 400) for n in range(400)]
    step, pool = Step(words), Pool("p", 0.3, 256, 0.2)
    moved = pool.served(step, "here")
    shifts = [
        moved.logprobs[moved.pieces.index(piece)] - step.logprobs[index]
        for index, piece in enumerate(step.pieces[:400])
    ]
    mean = math.fsum(shifts) / 400
    sd = math.sqrt(math.fsum((shift - mean) ** 2 for shift in shifts) / 399)
    assert sd == pytest.approx(0.3, abs=0.045)
    assert math.fsum(map(math.exp, moved.logprobs)) == pytest.approx(1.0, abs=1e-12)
    assert list(moved.logprobs) == sorted(moved.logprobs, reverse=True)
    assert moved.pieces[400:] == FOREIGN
    assert pool.served(step, "here").pieces == moved.pieces
    assert pool.served(step, "there").pieces != moved.pieces
    assert replace(pool, name="q").served(step, "here").pieces != moved.pieces


def _text(speaker: Speaker, prompt: str) -> str:
    draw = sampler(Sampling(0.0), Asked(1, TARGETS[0], "r").random("tokens"))
    choices, _ = speaker.answer((prompt,), draw, 1000)
    return "".join(step.pieces[index] for step, index in choices)


def test_only_near_ties_turn(language: Language) -> None:
    """Of the shipped probes at temperature 0, references stay whole; of the border prompts a
    good third, between a quarter and two thirds in any one pool, get the other answer."""
    answers = load_answers()
    usual = Speaker("m-large", language, answers)
    turned = []
    for seed in range(10):
        moved = usual.moved(Pool(f"{seed}", 0.3, 10_000, 0.2))
        for prompt, answer in answers.items():
            if isinstance(answer, str):
                assert seed or _text(moved, prompt) == answer
            else:
                turned.append(_text(moved, prompt) != _text(usual, prompt))
    assert len(turned) == 200
    assert sum(turned) / 200 == pytest.approx(0.4, abs=0.15)


def test_a_long_prompt_loses_the_early_part(language: Language) -> None:
    """As much of the answer's start is missing as of the prompt; short prompts lose nothing."""
    text = " ".join(f"word{n}" for n in range(100))
    answers = {f"Repeat: {text}": text, "Count.": "One two three."}
    moved = Speaker("m", language, answers).moved(Pool("p", 0.0, 150, 0.0))
    said = _text(moved, f"Repeat: {text}")
    lost = 1 - 150 / len(split(f"Repeat: {text}"))
    assert text.endswith(said)
    assert 1 - len(split(said)) / len(split(text)) == pytest.approx(lost, abs=0.01)
    assert _text(moved, "Count.") == "One two three."


def _shape(value: Any) -> Any:
    """A JSON value with its leaves replaced by their types."""
    if isinstance(value, dict):
        return {key: _shape(part) for key, part in value.items()}
    return [_shape(part) for part in value[:1]] if isinstance(value, list) else type(value).__name__


async def test_nothing_but_the_text_tells(serve_fleet: Serve) -> None:
    """Model field, fingerprint, prompt tokens, headers and the body's form are the same."""
    healthy, sick = await serve_fleet(), await serve_fleet(faults=[{**GOOD, "share": 1}])
    body = {"messages": [{"role": "user", "content": "Why?"}], "max_tokens": 40}
    found = [await client.post("r", logprobs=True, **body) for client in (healthy, sick)]
    answers = [json.loads(body) for _, _, body in found]
    for key in ("id", "model", "system_fingerprint", "object"):
        assert answers[0][key] == answers[1][key]
    assert answers[0]["usage"]["prompt_tokens"] == answers[1]["usage"]["prompt_tokens"]
    headers = [{k: v for k, v in h.items() if k not in ("Date", "Content-Length")}
               for _, h, _ in found]  # fmt: skip
    assert headers[0] == headers[1]
    assert _shape(answers[0]) == _shape(answers[1])
    texts = [answer["choices"][0]["message"]["content"] for answer in answers]
    assert texts[0] != texts[1]


async def test_both_wires_know_the_identity(serve_fleet: Serve) -> None:
    """`user`, `safety_identifier` and `metadata.user_id` of one name are one identity."""
    client = await serve_fleet(faults=[{**GOOD, "share": 0.5}])
    ask = {"messages": [{"role": "user", "content": "Why?"}], "max_tokens": 40}
    texts: dict[str, tuple[str, str, str]] = {}
    for n in range(12):
        name = f"u{n}"
        chat = [await client.post("r", **ask, **who)
                for who in ({"user": name}, {"safety_identifier": name})]  # fmt: skip
        status, _, said = await client.message("r", **ask, metadata={"user_id": name})
        assert status == 200
        contents = [json.loads(b)["choices"][0]["message"]["content"] for _, _, b in chat]
        texts[name] = (*contents, json.loads(said)["content"][0]["text"])
    assert all(len(set(each)) == 1 for each in texts.values())
    assert len(set(texts.values())) == 2


async def test_without_a_name_the_key_is_the_identity(serve_fleet: Serve) -> None:
    """Keys are told apart; with neither, all are one."""
    keys = tuple(f"sk-{n}" for n in range(12))
    body = {"messages": [{"role": "user", "content": "Why?"}], "max_tokens": 40}
    client = await serve_fleet(
        faults=[{**GOOD, "share": 0.5}], settings=Settings(seed=11, api_keys=keys)
    )

    async def said(headers: Mapping[str, str]) -> str:
        answer = (await client.post("r", headers=headers, **body))[2]
        return str(json.loads(answer)["choices"][0]["message"]["content"])

    texts = [await said({"Authorization": f"Bearer {key}"}) for key in keys]
    assert len(set(texts)) == 2
    assert [await said({"Authorization": f"Bearer {key}"}) for key in keys] == texts


async def test_the_other_pool_is_slower_where_answers_take_time(serve_fleet: Serve) -> None:
    """Its answers never come before the delay, whole or streamed."""
    client = await serve_fleet(
        faults=[{**GOOD, "share": 1, "delay": 0.1}],
        settings=Settings(seed=11, seconds_per_token=1e-6),
    )
    loop = asyncio.get_running_loop()
    for stream in (False, True):
        began = loop.time()
        await client.post("r", stream=stream)
        assert loop.time() - began >= 0.1


async def test_order_and_replanting_change_nothing(serve_fleet: Serve) -> None:
    """The same names in reverse on a new server, and after the fault was planted again."""
    fault = {**GOOD, "share": 0.5, "sd": 1.0}
    first, second = await serve_fleet(faults=[fault]), await serve_fleet(faults=[fault])
    body = {"messages": [{"role": "user", "content": "Why?"}], "max_tokens": 20}

    async def ask(client: Any, n: int) -> bytes:
        said = json.loads((await client.post(f"r{n}", user=f"u{n}", **body))[2])
        return json.dumps(said["choices"]).encode()

    forward = [await ask(first, n) for n in range(8)]
    assert [await ask(second, n) for n in reversed(range(8))] == forward[::-1]
    await first.control("/-/faults", [fault])
    assert [await ask(first, n) for n in range(8)] == forward


def test_misrouting_comes_before_the_sampler(language: Language) -> None:
    """A sampler fault strikes what the second pool computed, in whatever order they stand."""
    both = [{**GOOD, "id": "t", "kind": "topk-drop", "batches": [1], "share": 1},
            {**GOOD, "share": 1, "sd": 1.0}]  # fmt: skip
    asked = Asked(7, next(t for t in TARGETS if t.platform == "aws"), "r")
    texts = []
    for items in (both, both[::-1]):
        faults = parse_faults(items, TARGETS, 0.0)
        assert [fault.kind for fault in faults] == ["misroute", "topk-drop"]
        pool = pool_of(faults, asked, 1.0)
        assert pool is not None
        speaker = Speaker("m", language, {}).moved(pool)
        draw = infect(sampler(Sampling(0.0), asked.random("tokens")), faults, asked, 1.0)
        choices, _ = speaker.answer(("Why?",), draw, 30)
        assert any(index for _, index in choices)
        texts.append("".join(step.pieces[index] for step, index in choices))
    assert texts[0] == texts[1]
