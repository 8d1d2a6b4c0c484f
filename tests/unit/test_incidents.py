"""Levels, causes and severity as data."""

from __future__ import annotations

import itertools
import math
from typing import Any, get_args

import pytest

from qualmon import incidents
from qualmon.errors import QualmonError
from qualmon.incidents import LEVELS, SIGNATURES, Signal
from qualmon.types import Level

#: Written out a second time on purpose: a changed transition must be changed here as well.
EXPECTED = {
    ("ok", "evidence"): "suspect",
    ("ok", "alarm"): "firing",
    ("ok", "quiet"): "ok",
    ("suspect", "alarm"): "firing",
    ("suspect", "quiet"): "ok",
    ("suspect", "evidence"): "suspect",
    ("firing", "alarm"): "firing",
    ("firing", "evidence"): "firing",
    ("firing", "quiet"): "firing",
    ("firing", "recovering"): "recovering",
    ("firing", "recovered"): "ok",
    ("recovering", "recovering"): "recovering",
    ("recovering", "relapse"): "firing",
    ("recovering", "alarm"): "firing",
    ("recovering", "recovered"): "ok",
}
MAY_PAGE: dict[str, Any] = {
    "burning_in": False,
    "unproven": (),
    "support": 3,
    "prompts": 2,
    "share_low": 0.002,
    "min_share": 0.001,
}


@pytest.mark.parametrize(
    ("level", "signal"), list(itertools.product(get_args(Level), get_args(Signal)))
)
def test_every_pair_of_level_and_signal(level: Level, signal: Signal) -> None:
    """Each pair leads where the table says, and a pair that is not in it is an error."""
    if (level, signal) in EXPECTED:
        assert incidents.advance(level, signal) == EXPECTED[level, signal]
    else:
        with pytest.raises(QualmonError, match=f"{level}.*{signal}"):
            incidents.advance(level, signal)


def test_unknown_words_are_errors() -> None:
    """Neither an unknown level nor an unknown signal passes silently."""
    with pytest.raises(QualmonError, match="nonsense"):
        incidents.advance("nonsense", "alarm")  # type: ignore[arg-type]
    with pytest.raises(QualmonError, match="nonsense"):
        incidents.advance("ok", "nonsense")  # type: ignore[arg-type]


def test_the_table_holds_every_level_and_leads_nowhere_else() -> None:
    """All levels have a row, and all rows lead to levels."""
    assert set(LEVELS) == set(get_args(Level))
    assert {to for row in LEVELS.values() for to in row.values()} <= set(get_args(Level))


def test_causes_are_a_distribution() -> None:
    """Probabilities of all causes, best first, adding up to one but for rounding."""
    families = sorted({family for pattern in SIGNATURES.values() for family in pattern})
    for fired in itertools.product((True, False), repeat=4):
        ranked = incidents.causes(dict(zip(families, fired, strict=False)))
        assert {cause for cause, _ in ranked} == set(SIGNATURES)
        assert math.isclose(sum(p for _, p in ranked), 1.0, abs_tol=1e-3)
        assert [p for _, p in ranked] == sorted((p for _, p in ranked), reverse=True)


@pytest.mark.parametrize(
    ("fired", "cause"),
    [
        ({"script": True, "token": True, "code": False}, "output_corruption"),
        ({"script": True, "token": True, "code": True}, "output_corruption"),
        ({"script": True}, "output_corruption"),
        ({"script": False, "token": True, "code": False}, "sampler_drops_top_token"),
        ({"script": False, "token": False, "code": True}, "broken_code_answers"),
        ({"script": False, "token": False, "logprob": True}, "logprob_reporting"),
    ],
)
def test_the_likeliest_cause_of_plain_signatures(fired: dict[str, bool], cause: str) -> None:
    """Foreign script with wrong tokens is corruption; each fault leads its own signature."""
    assert incidents.causes(fired)[0][0] == cause


def test_a_family_that_cannot_be_judged_says_nothing() -> None:
    """Left out is not the same as quiet: tokens unseen leave corruption likelier than tokens
    seen to be right."""
    unseen = dict(incidents.causes({"script": True}))["output_corruption"]
    quiet = dict(incidents.causes({"script": True, "token": False}))["output_corruption"]
    assert unseen > quiet


def test_a_page_has_no_reason_against_it() -> None:
    """All conditions met: no reasons, and that is a page."""
    reasons = incidents.ticket_reasons(**MAY_PAGE)
    assert reasons == ()
    assert incidents.severity(reasons) == "page"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"burning_in": True}, "burn-in"),
        ({"unproven": ["script.run"]}, "script.run is declared but not yet proven"),
        ({"refuted": ["script.run"]}, "script.run is too low here: bound refuted"),
        ({"support": 2}, "2 prompt-rounds of 2 prompts"),
        ({"prompts": 1}, "3 prompt-rounds of 1 prompts"),
        ({"share_low": 0.001}, "not above the tolerated"),
    ],
)
def test_each_condition_alone_makes_a_ticket(change: dict[str, Any], words: str) -> None:
    """One reason each, in words that name the value."""
    (reason,) = incidents.ticket_reasons(**{**MAY_PAGE, **change})
    assert words in reason
    assert incidents.severity((reason,)) == "ticket"


def test_all_reasons_are_told_at_once() -> None:
    """A person should not find the next reason after removing the first."""
    reasons = incidents.ticket_reasons(
        burning_in=True,
        unproven=["a.b"],
        refuted=["c.d"],
        support=0,
        prompts=0,
        share_low=0.0,
        min_share=0.001,
    )
    assert len(reasons) == 5


def test_incident_ids_are_stable_and_distinct() -> None:
    """The same opening has the same id wherever it is folded; another place has another."""
    one = incidents.incident_id("platform=aws", "script", 1.7e9)
    assert one == incidents.incident_id("platform=aws", "script", 1.7e9)
    assert one.startswith("inc-20231114-")
    others = {
        incidents.incident_id("platform=gcp", "script", 1.7e9),
        incidents.incident_id("platform=aws", "token", 1.7e9),
        incidents.incident_id("platform=aws", "script", 1.7e9 + 1e-6),
    }
    assert len(others | {one}) == 4
