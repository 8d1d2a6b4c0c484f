"""Templates: escaped by default, controls made visible, no script, no inline style."""

from __future__ import annotations

from functools import cache
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from qualmon.web import words
from qualmon.web.text import character_names, excerpt, visible

#: Longest text that a page shows of any one value, in characters.
MAX_VALUE = 300


def path_part(text: str) -> str:
    """`text` as one part of a path."""
    return quote(text, safe="", errors="replace")


def _finalize(value: Any) -> Any:
    """Runs on whatever a template prints, before it is escaped."""
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    cut = value if len(value) <= MAX_VALUE else f"{value[:MAX_VALUE]}…"
    return visible(cut, keep="\n\t")


def _whole(text: str) -> Markup:
    """All of `text`, for what is bounded already."""
    return escape(visible(text, keep="\n\t"))


@cache
def _environment() -> Environment:
    env = Environment(
        loader=PackageLoader("qualmon.web"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.filters |= {
        "clock": words.clock,
        "path_part": path_part,
        "percent": words.percent,
        "place": words.place,
        "span": words.span,
        "whole": _whole,
    }
    env.globals |= {
        "capability_words": words.capability_words,
        "character_names": character_names,
        "excerpt": excerpt,
        "fill": words.fill,
        "share_words": words.share_words,
    }
    return env


def page(template: str, **values: Any) -> bytes:
    """The rendered page in UTF-8."""
    return _environment().get_template(template).render(**values).encode()
