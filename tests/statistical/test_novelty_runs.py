"""Answers never seen before, over many runs: misrouting found, health silent."""

from __future__ import annotations

import random

from fold_kit import FLEET, START, Run, proven
from novelty_kit import STRANGE, Choices, choice_rules, elsewhere, normal, referred, sticky

from qualmon.types import Member

RULES = choice_rules()
ONSET = 4
ROUND_HOURS = 0.25


def test_users_misrouted_on_one_platform_are_found_placed_and_told_from_a_change() -> None:
    """16 % of the users of a platform, sticky, other answers to half of the prompts; twelve
    targets, four prompts as four new users every 15 minutes: in 20 seeds one incident each,
    at the right platform, partial, a page with misrouting first, opened within 3 h, in at
    least 18. A fold that is right in .7 of cases would pass with .035; 60 of 60 other seeds
    were right, the slowest after 2.0 h."""
    right, delays = 0, []
    for seed in range(20):
        place = random.Random(seed).choice(["aws", "gcp", "first-party"])
        rounds = Choices(seed).rounds(16, elsewhere(sticky(seed, 0.16, place), ONSET))
        run = Run(RULES, referred(RULES)).feed(rounds)
        assert len(run.ids) == 1, (seed, run.ids)
        (incident,) = run.open
        delays.append((incident.opened_at - START) / 3600.0 - ONSET * ROUND_HOURS)
        right += (
            (incident.scope, incident.kind, incident.severity)
            == (f"platform={place}", "partial", "page")
            and incident.causes[0][0] == "misrouting"
            and delays[-1] <= 3.0
        )
    assert right >= 18
    assert min(delays) >= 0.0


def _mostly(_member: Member, rng: random.Random) -> str:
    """A rare answer besides the two words, at a fifth of the bound."""
    return STRANGE if rng.random() < 2e-4 else normal(_member, rng)


def test_health_opens_no_incident_while_references_settle_nor_after() -> None:
    """40 runs of half of the fleet from the first answer on: references settle in the eighth
    round, a rare answer comes at a fifth of the declared rate, and quality channels are bad at
    a tenth of theirs. No incident in any; every run gets to judge."""
    half = [target for target in FLEET if target.model == "m-large"]
    rules = choice_rules(half)
    wrong = {"code.fail": 1e-3, "script.char": 1e-4}
    for seed in range(40):
        choices = Choices(1000 + seed, targets=half, prompts=4, wrong=wrong)
        run = Run(rules, proven(rules)).feed(choices.rounds(18, _mostly))
        assert run.transitions == [], seed
        judged = [state.blocks.get("novelty.token", ()) for state in run.state.targets.values()]
        assert sum(block.n for blocks in judged for block in blocks) > 500
