"""docs/channels.md from the table of channels: ``python -m qualmon.scorers.channel_page``."""

from __future__ import annotations

from qualmon.scorers.channels import CHANNELS
from qualmon.types import ChannelInfo

_HEAD = """# Channels

Generated from `qualmon/scorers/channels.py` by `python -m qualmon.scorers.channel_page`; a test
keeps it equal. A channel is one question put to an answer; `family.what` is its name.

**kind**: `event` is 0 or 1 (1 = bad), `bounded` lies in [0, 1], `category` is a word, `e_value` is
a number >= 0 whose mean on a healthy target is at most 1. A channel that cannot judge an answer
gives no value and the reason; that is never counted as good.

**null**, what healthy means: `invariant`: hardly ever, at most the declared **bound**, which has to
be proven on your own answers before the channel may page; `self`: the answer carries its own null;
`baselined`, `controlled` and `covariate`: recorded and shown. A channel `from` another is given by
no scorer and listed by no probe: it comes by itself where the other is fed, out of its history.
Only `invariant` and `self` channels open incidents today (see [statistics](statistics.md)).

| channel | kind | null | bound | catches | blind to |
|---|---|---|---|---|---|
"""
_SOURCES = """
## Sources

| channel | source |
|---|---|
"""


def as_markdown() -> str:
    """The page: one line per channel in the table's order, then the sources."""
    sources = "".join(f"| `{c.name}` | {c.source} |\n" for c in CHANNELS.values())
    return _HEAD + "".join(map(_row, CHANNELS.values())) + _SOURCES + sources


def _row(info: ChannelInfo) -> str:
    bound = "-" if info.bound is None else f"{info.bound:g}"
    kind = f"{info.kind}, from `{info.derived_from}`" if info.derived_from else info.kind
    cells = (f"`{info.name}`", kind, info.null, bound, info.catches, info.blind_to)
    return f"| {' | '.join(cells)} |\n"


if __name__ == "__main__":
    print(as_markdown(), end="")
