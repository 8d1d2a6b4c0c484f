"""Fenced code blocks of a Markdown answer, by the CommonMark block rules."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.token import Token

_LABEL: Final = re.compile(r"[A-Za-z0-9+#_-]+")


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block: first word of its label in lower case, its text, whether it ends."""

    label: str
    source: str
    closed: bool


@cache
def _parser() -> MarkdownIt:
    """CommonMark's blocks but HTML: a line ``<answer>`` would swallow the fence below it."""
    return MarkdownIt("commonmark").disable(["html_block", "reference", "lheading"])


def fenced_blocks(text: str) -> tuple[Block, ...]:
    """Every fenced block of the answer, in order; CRLF counts as a line break.

    Handles longer and nested fences, ``~~~``, fences in lists and quotes, and attributes in
    the label. Time is linear in the text for a bounded nesting (20).
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n") + "\n"
    tokens: list[Token] = []
    parser = _parser()
    parser.block.parse(lines, parser, {}, tokens)
    return tuple(_block(token) for token in tokens if token.type == "fence")


def _block(token: Token) -> Block:
    label = _LABEL.search(token.info)
    first, after = token.map or [0, 0]
    closed = after - first - 1 > token.content.count("\n")
    return Block(label.group().lower() if label else "", token.content, closed)
