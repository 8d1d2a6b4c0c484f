"""Answers for scorers, lawful and hostile, drawn from a seed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from random import Random
from typing import Any, Final

from qualmon.types import Completion, Expect, Message, Probe, TokenLogprob, TopToken

#: Texts that have broken something somewhere.
TEXTS: Final = (
    "",
    " \t\r\n\f\v\x85\u2028\ufeff",
    "A clean answer.\n" * 50,
    "```python\nprint('hello')\n```",
    "```python\nprint(",
    "~~~\n" * 40,
    "- > 1. ```py\n" * 40,
    "\x00\x07\x1b[31m\x7f\x9f",
    "\ud800 \udfff\udc00",
    "\U0010ffff\ufffe\ufdd0\ue000\U000e0001",
    "\ufffd\ufffd half a token",
    "e" + "\u0301" * 300,
    "สวัสดี 你好 こんにちは Привет γεια שלום مرحبا नमस्ते",
    "раураl ｆｕｌｌ　ｗｉｄｔｈ。 2πr µs Ω",
    "👩‍👩‍👧‍👦🏳️‍🌈⠿ᚠ",
    "x" * 20_000 + "я" * 20_000,
    "(" * 5_000 + "[" * 5_000,
)

#: Sampler settings, right and wrong.
SAMPLERS: Final[tuple[Mapping[str, Any], ...]] = (
    {},
    {"temperature": 0, "neutral": True},
    {"temperature": 1, "neutral": True},
    {"temperature": 1.0, "top_p": 0.9, "neutral": True},
    {"temperature": 1.0, "top_k": 3, "neutral": True},
    {"temperature": 1.0, "min_p": 0.05, "neutral": True},
    {"temperature": "hot", "top_k": None, "top_p": math.nan, "logit_bias": {"50256": -100}},
    {"temperature": -1, "top_k": 10**400, "top_p": -math.inf, "min_p": 7, "neutral": "yes"},
)

_LOGPROBS: Final = (0.0, -0.1, -1e-9, -5.0, -9999.0, -math.inf, math.inf, math.nan, 0.5, 1e308)
_SPELLINGS: Final = ("a", " a", "", "\ufffd", "译", "\ud800", "b")


def sample_probe(channels: Sequence[str], **expect: Any) -> Probe:
    """A probe that feeds `channels`. Unless told otherwise, it states every expectation:
    English, Python, a text to copy (one of TEXTS) and several right answers."""
    stated = {
        "scripts": ("Latn",),
        "code": "python",
        "copy_of": TEXTS[2],
        "answer": {"any": ["yes", 42, {"regex": r"(\(+)+\[+$"}]},
        **expect,
    }
    question = Message("user", "Write a function that adds two numbers.")
    return Probe("sample", "samples", "1", (question,), tuple(channels), expect=Expect(**stated))


def hostile_completions(seed: int) -> Iterator[Completion]:
    """Each of TEXTS with drawn log-probabilities and finish reasons, right and wrong."""
    draw = Random(seed)
    for text in TEXTS:
        for reason in ("stop", "length", None, "\ud800"):
            logprobs = draw.choice((None, (), hostile_tokens(draw)))
            yield Completion(text, reason, logprobs, "present")


def hostile_tokens(draw: Random) -> tuple[TokenLogprob, ...]:
    """Up to 30 positions that no honest server would send."""
    return tuple(_hostile_token(draw) for _ in range(draw.randrange(30)))


def _hostile_token(draw: Random) -> TokenLogprob:
    top = tuple(TopToken(*_entry(draw)) for _ in range(draw.randrange(6)))
    return TokenLogprob(*_entry(draw), top)


def _entry(draw: Random) -> tuple[str, float, bytes | None, int | None]:
    text = draw.choice(_SPELLINGS)
    spelt = draw.choice((None, b"", text.encode("utf-8", "surrogatepass"), b"\xff\xfe"))
    return text, draw.choice(_LOGPROBS), spelt, draw.choice((None, 0, -1, 10**30))
