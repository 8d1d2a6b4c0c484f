"""Prompts between two answers: how a model weighs close candidates of one token each.

A real model prefers one of them for no reason that a person could give, and another serving
of it may prefer the other: such prompts tell two pools apart.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from math import exp, log

#: Smallest and largest distance between the two best answers, nats.
GAP = (0.05, 0.6)

#: Half width of a model's deviation from the stated log-probability of the other answers.
_DEVIATION = 0.1


def weighed(choices: Mapping[str, float], model: str, prompt: str) -> list[tuple[str, float]]:
    """The answers with weights that sum to 1 and fall: the model's own, always the same.

    The answer that is stated as likeliest stays so; its distance to the second is within GAP,
    small ones more often, by a hash over model and prompt. A single answer has weight 1.
    """
    best, *others = sorted(choices, key=lambda answer: (-choices[answer], answer))
    logits = {
        answer: log(choices[answer]) + _DEVIATION * (2.0 * fraction(model, prompt, answer) - 1.0)
        for answer in others
    }
    low, high = GAP
    gap = low * (high / low) ** (fraction(model, prompt, "gap") ** 2)
    logits[best] = max(logits.values(), default=0.0) + gap
    total = sum(map(exp, logits.values()))
    weights = {answer: exp(logit) / total for answer, logit in logits.items()}
    return sorted(weights.items(), key=lambda item: -item[1])


def fraction(*names: str) -> float:
    """A number in [0, 1) that looks random and hangs on the names alone."""
    text = "\x1f".join(names).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest()) / 2.0**64
