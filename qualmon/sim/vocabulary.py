"""How text falls into tokens, and the foreign pieces that only a fault ever says."""

from __future__ import annotations

import re

#: A word or number with its leading space, a run of signs, or white space. Every character
#: belongs to exactly one of these, so the tokens of a text concatenate to the text.
_TOKEN = re.compile(r" ?[^\W\d_]+| ?\d{1,3}|_+| ?[^\s\w]+|\s+(?!\S)|\s+")

#: Pieces of scripts that no English answer or program holds.
FOREIGN = (
    "ครับ", "สวัสดี", "และ", " ที่",  # Thai
    "的", "我们", "进行", "問題",  # Han
    "입니다", "하는", " 그리고",  # Hangul
    "です", "という", "スト",  # Kana
    " في", "التي", " على",  # Arabic
    " है", "और", " में",  # Devanagari
    " что", "ного", " для",  # Cyrillic
    " של", "את",  # Hebrew
    "ების", "ություն", "கள்", "ያለው",  # Georgian, Armenian, Tamil, Ethiopic
)  # fmt: skip


def split(text: str) -> list[str]:
    """The tokens of `text`, in order; joined they are `text` again."""
    return _TOKEN.findall(text)


def is_word(token: str) -> bool:
    """Whether a token is one plain Latin word, with or without its leading space."""
    word = token.removeprefix(" ")
    return word.isascii() and word.isalpha()
