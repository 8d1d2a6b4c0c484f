"""The figures and names in docs/howto/identities.md are computed here, and the code agrees."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest

from qualmon.prober.requests import request_of
from qualmon.providers.anthropic import request_body as anthropic_body
from qualmon.providers.openai_chat import request_body as openai_body
from qualmon.types import Endpoint, Member, Message, Probe, Slot, Target

PAGE = (Path(__file__).parents[2] / "docs/howto/identities.md").read_text("utf-8")
FLAT = " ".join(PAGE.split())


def chance(share: float, identities: int) -> float:
    """That `identities` distinct users hold at least one of an affected share of them."""
    return 1 - (1 - share) ** identities


def needed(share: float, confidence: float = 0.95) -> int:
    """Distinct identities for that chance to reach `confidence`."""
    return math.ceil(math.log(1 - confidence) / math.log(1 - share))


@pytest.mark.parametrize(
    ("share", "seen_by_four", "for_95"),
    [("16 %", "50 %", "18"), ("0.8 %", "3 %", "373"), ("0.18 %", "0.7 %", "1,663")],
)
def test_the_table(share: str, seen_by_four: str, for_95: str) -> None:
    """Each row follows from 1 - (1 - p)^n, and the count is the least that does it."""
    p, n = float(share[:-2]) / 100, int(for_95.replace(",", ""))
    assert f"| {share} | {seen_by_four} | {for_95} |" in PAGE
    digits = len(seen_by_four[:-2].partition(".")[2])
    assert f"{100 * chance(p, 4):.{digits}f} %" == seen_by_four
    assert n == needed(p)
    assert chance(p, n) >= 0.95 > chance(p, n - 1)


def test_the_times() -> None:
    """Whole rounds of five minutes until that many fresh identities were asked."""

    def hours(identities: int, per_round: int) -> float:
        return math.ceil(identities / per_round) * 300 / 3600

    assert f"{hours(373, 4):.1f} hours" == "7.8 hours"
    assert f"{hours(18, 4) * 60:.0f} minutes" == "25 minutes"
    assert f"{hours(1663, 4):.1f} hours" == "34.7 hours"
    assert f"{hours(373, 16):.0f} hours" == "2 hours"
    for words in ("373 in 7.8 hours", "18 in 25 minutes", "1,663 in 34.7 hours",
                  "373 identities in 2 hours", "97 of 100 deployments"):  # fmt: skip
        assert words in FLAT
    assert round(100 * (1 - chance(0.008, 4))) == 97


@pytest.mark.parametrize(
    ("provider", "path"), [("openai_chat", ("user",)), ("anthropic", ("metadata", "user_id"))]
)
def test_the_identity_travels_where_the_page_says(provider: str, path: tuple[str, ...]) -> None:
    """On every wire, as an opaque name, and nothing else of the body changes with it."""
    body_of = {"openai_chat": openai_body, "anthropic": anthropic_body}[provider]
    endpoint = Endpoint(Target("m", "p", "r", provider=provider), "https://x.example.com")
    probe = Probe("p", "core", "v", (Message("user", "say"),), (), params={"max_tokens": 5})
    slot = Slot(0.0, "core", "m", 7, 60.0)
    bodies = []
    for identity in ("alice", "bob"):
        member = Member(slot, endpoint.target.key, "p", identity)
        bodies.append(body_of(endpoint, request_of(member, member.id, probe, 1)))
    names = [_at(body, path) for body in bodies]
    assert names[0] != names[1]
    assert all(re.fullmatch("qm-[0-9a-f]{12}", name) for name in names)
    rest = [{k: v for k, v in body.items() if k != path[0]} for body in bodies]
    assert rest[0] == rest[1]
    assert f"| `{provider}` | `{'.'.join(path)}` |" in PAGE


def _at(body: object, path: tuple[str, ...]) -> str:
    for step in path:
        assert isinstance(body, dict)
        body = body[step]
    assert isinstance(body, str)
    return body
