"""Runbooks: the Markdown of docs/runbooks as blocks that a template can escape and lay out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from qualmon.resources import data_path

_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Block:
    """A part of a runbook. kind: h1, h2, h3, p, ul, ol or pre; `items` has one text except for
    lists. In all but pre, every second piece of a text split at "`" is code."""

    kind: str
    items: tuple[str, ...]


def runbook_names() -> tuple[str, ...]:
    """Names of all runbooks, which are the alerts' names."""
    return tuple(sorted(path.stem for path in data_path("docs/runbooks").glob("*.md")))


def runbook(name: str) -> list[Block] | None:
    """The blocks of one runbook; None when there is none of that name."""
    if name not in runbook_names():
        return None
    text = (data_path("docs/runbooks") / f"{name}.md").read_text(encoding="utf-8")
    return list(blocks(text))


def blocks(text: str) -> Iterator[Block]:
    """The Markdown that runbooks use: headings, paragraphs, flat lists, fenced code."""
    position = 0
    for fence in _FENCE.finditer(text):
        yield from _prose(text[position : fence.start()])
        yield Block("pre", ("\n".join(fence[0].splitlines()[1:-1]),))
        position = fence.end()
    yield from _prose(text[position:])


def _prose(text: str) -> Iterator[Block]:
    for paragraph in re.split(r"\n\s*\n", text.strip()):
        lines = [line for line in paragraph.splitlines() if line.strip()]
        for kind, group in groupby(_joined(lines), key=_kind):
            items = tuple(re.sub(r"^(#+|-|\d+\.)\s+", "", line) for line in group)
            yield from [Block(kind, items)] if kind in ("ul", "ol") else _single(kind, items)


def _single(kind: str, items: tuple[str, ...]) -> list[Block]:
    return [Block(kind, (item,)) for item in items]


def _joined(lines: list[str]) -> list[str]:
    """Lines with those that continue a list item or a paragraph appended to it."""
    whole: list[str] = []
    for line in lines:
        if whole and _kind(line) == "p" and not whole[-1].startswith("#"):
            whole[-1] += f" {line.strip()}"
        else:
            whole.append(line.strip())
    return whole


def _kind(line: str) -> str:
    if match := re.match(r"(#{1,3})\s", line):
        return f"h{len(match[1])}"
    if re.match(r"-\s", line):
        return "ul"
    return "ol" if re.match(r"\d+\.\s", line) else "p"
