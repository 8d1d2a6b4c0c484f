"""Channel draw.token: which of several answers a choice prompt drew."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Final

from qualmon.scorers.case import Case, unjudged
from qualmon.scorers.channels import CHANNELS
from qualmon.scorers.finish import is_cut_off
from qualmon.types import Score

_TOKEN: Final = CHANNELS["draw.token"]
#: Longest answer that is its own category, in characters.
MAX_ANSWER: Final = 64
MAX_HASHED: Final = 4096
EMPTY: Final = "(empty)"


def judge(case: Case) -> Iterator[Score]:
    """draw.token: the answer as a category, by `category`.

    Cut-off answers are draws too: the token limit of a choice prompt is part of its version,
    and at ``max_tokens: 1`` it ends every answer. Only one cut off before its first character
    (by thoughts that are not shown, say) is not judged.
    Catches: another sampler, precision, model or pool behind an unchanged name.
    Blind to: changes that keep the probability of every answer. Source: scorers 3.4.
    """
    text = case.completion.text.strip()
    if not text and is_cut_off(case.completion):
        yield unjudged(_TOKEN, "the token limit cut the answer off before its first character")
    else:
        yield Score(_TOKEN.name, _TOKEN.kind, category(text))


def category(text: str) -> str:
    """A printable name of at most 64 characters for a trimmed answer.

    Blanks and line breaks inside become one space. Case and punctuation are kept: they are
    other tokens, and their share is evidence. What is longer or not printable becomes
    ``long:`` or ``odd:`` and 8 hex digits of SHA-256 over its first 4,096 characters.
    """
    if not text:
        return EMPTY
    if len(text) > MAX_ANSWER:
        return f"long:{_digest(text)}"
    joined = " ".join(text.split())
    return joined if joined.isprintable() else f"odd:{_digest(text)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text[:MAX_HASHED].encode("utf-8", "surrogatepass")).hexdigest()[:8]
