"""An incident inside the fold: opened, moved, joined, muted, made louder, ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from fold_kit import (
    BOUNDS,
    DAY,
    FLEET,
    START,
    Rate,
    Run,
    Traffic,
    faulty,
    healthy,
    make_rules,
    proven,
)

from qualmon.folding.fold import fold
from qualmon.folding.state import initial
from qualmon.types import ClosedRound, Member, ScoredMember

AWS = tuple(sorted(target.key for target in FLEET if target.platform == "aws"))
GCP = tuple(sorted(target.key for target in FLEET if target.platform == "gcp"))
LEAF = "m-large/gcp/batch"
RULES = make_rules()


def _only(channel: str, rate: Rate) -> Rate:
    return lambda member, judged: rate(member, judged) if judged == channel else 0.0


def _any(*rates: Rate) -> Rate:
    return lambda member, channel: max(rate(member, channel) for rate in rates)


def _run(hours: float, rate: Rate, seed: int = 7) -> Run:
    return Run(RULES, proven(RULES)).feed(Traffic(seed).rounds(hours, rate))


def test_a_fault_on_a_platform_is_one_page_with_place_share_and_cause() -> None:
    """7 % of the answers of one platform: one incident there, its share in the interval, the
    onset within the hour, and corruption the likeliest cause."""
    run = _run(16, faulty(AWS, 0.07, onset=4))
    (incident,) = run.open
    assert (incident.scope, incident.targets) == ("platform=aws", AWS)
    assert (incident.level, incident.severity, incident.reasons) == ("firing", "page", ())
    assert incident.share_low < 0.07 < incident.share_high
    assert incident.share is not None
    assert abs(incident.onset - (START + 4 * 3600)) < 3600
    assert incident.causes[0][0] == "output_corruption"
    assert incident.families == ("code", "script", "token")
    assert run.ids == [incident.id]
    assert incident.opened_scope in {node.scope for node in RULES.nodes}


def test_the_examples_and_support_are_bad_answers_of_the_blamed_place() -> None:
    """Every example is an answer that was bad, of a target that is blamed."""
    traffic = Traffic(7)
    wrong = {}
    run = Run(RULES, proven(RULES))
    for rnd in traffic.rounds(12, faulty(AWS, 0.07, onset=4)):
        wrong.update({m.member.id: m.member for m in rnd.members if _is_bad(m)})
        run.step(rnd)
    (item,) = run.state.incidents.values()
    assert item.incident.examples
    assert all(wrong[example].target in AWS for example in item.incident.examples)
    told = {(m.probe, m.slot.due) for m in wrong.values() if m.target in AWS}
    assert {(probe, due) for probe, due, _ in item.support} <= told
    assert len(item.support) >= 3


def _is_bad(member: ScoredMember) -> bool:
    return any(score.value == 1.0 for score in member.scores.values())


def test_the_blame_moves_and_the_incident_keeps_its_id() -> None:
    """A fault on one target that reaches its platform soon is the same incident, moved."""
    rate = _any(faulty([LEAF], 0.5, onset=4), faulty(GCP, 0.3, onset=5))
    run = _run(24, rate)
    (incident,) = run.open
    assert run.ids == [incident.id]
    assert incident.scope == "platform=gcp"
    assert incident.opened_scope == f"target={LEAF}"
    scopes = [t["doc"]["scope"] for t in run.transitions]
    assert scopes[0] == f"target={LEAF}"
    assert scopes[-1] == "platform=gcp"


def test_a_second_family_joins_the_incident() -> None:
    """Foreign script first, then broken code at the same place: one incident, two families."""
    rate = _any(
        _only("script.char", faulty(AWS, 0.1, onset=4)),
        _only("code.fail", faulty(AWS, 0.2, onset=8)),
    )
    run = _run(20, rate)
    (incident,) = run.open
    assert (incident.family, incident.families) == ("script", ("code", "script"))
    assert run.transitions[0]["doc"]["families"] == ("script",)


def test_a_symptom_days_later_is_another_incident() -> None:
    """The same place a long time after is not the same fault."""
    rate = _any(
        _only("script.char", faulty(AWS, 0.1, onset=4)),
        _only("code.fail", faulty(AWS, 0.3, onset=52)),
    )
    run = _run(60, rate)
    assert sorted(incident.family for incident in run.open) == ["code", "script"]


def test_faults_on_places_apart_are_two_incidents() -> None:
    """Two platforms twelve hours apart: two incidents with their own places."""
    rate = _any(faulty(AWS, 0.07, onset=4), faulty(GCP, 0.07, onset=16))
    run = _run(28, rate)
    assert sorted(incident.scope for incident in run.open) == ["platform=aws", "platform=gcp"]
    assert len(run.ids) == 2


def test_bad_answers_on_one_prompt_stay_a_ticket() -> None:
    """However many: a page needs two prompts, for one may simply be a bad question."""
    run = _run(24, lambda m, _c: 1.0 if m.probe == "p3" and m.target in AWS else 0.0)
    assert run.ids
    assert run.paged == []
    (incident,) = run.open
    assert any("of 1 prompts" in reason for reason in incident.reasons)


def test_a_tolerated_share_stays_a_ticket() -> None:
    """Significant is not the same as large: a share below `min_share` never pages."""
    rules = make_rules(min_share=0.5)
    run = Run(rules, proven(rules)).feed(Traffic(7).rounds(16, faulty(AWS, 0.07, onset=4)))
    (incident,) = run.open
    assert (incident.severity, len(incident.reasons)) == ("ticket", 1)
    assert "tolerated" in incident.reasons[0]


def test_burn_in_only_observes() -> None:
    """Until it ends an alarm is a ticket; what still burns then becomes a page."""
    rules = make_rules(burn_in=20 * 3600.0)
    traffic = Traffic(7)
    run = Run(rules, proven(rules)).feed(traffic.rounds(16, faulty(AWS, 0.07, onset=4)))
    assert run.open[0].reasons == ("burn-in: qualmon only observes until it ends",)
    run.feed(traffic.rounds(8, faulty(AWS, 0.07, onset=4), since=64))
    assert run.open[0].severity == "page"


def test_an_unproven_bound_opens_a_ticket() -> None:
    """A fault on the first day cannot be told from a wrong bound: it never pages."""
    run = Run(RULES, initial(RULES)).feed(Traffic(7).rounds(40, faulty(AWS, 0.3, onset=4)))
    assert run.ids
    assert run.paged == []
    assert any("not yet proven" in reason for reason in run.open[0].reasons)


def test_a_ticket_on_an_unproven_channel_hides_no_page() -> None:
    """While script.char is bad from its first round, a fault on proven channels still pages."""
    state = proven(RULES)
    pools = {
        key: {c: p for c, p in channels.items() if c != "script.char"}
        for key, channels in state.pools.items()
    }
    always = _only("script.char", faulty([LEAF], 0.3, onset=0))
    later = _only("script.run", faulty([LEAF], 0.3, onset=30))
    run = Run(RULES, replace(state, pools=pools)).feed(Traffic(7).rounds(48, _any(always, later)))
    assert run.ids
    assert run.paged
    first = [t for t in run.transitions if t["at"] < START + 30 * 3600]
    assert {t["doc"]["severity"] for t in first} == {"ticket"}
    assert all(
        "script.run" in incident.channels for incident in run.open if incident.id in run.paged
    )


def _tail(run: Run, hours: float, rate: Rate, since: float) -> Run:
    return run.feed(Traffic(99).rounds(hours, rate, since=round(since * 4)))


def test_recovery_takes_a_clean_day_and_not_less() -> None:
    """The incident recovers soon after the fault, and ends one clean day later, not before."""
    run = _run(16, faulty(AWS, 0.1, onset=4, until=16))
    last_hit = max(due for item in run.state.incidents.values() for _, due, _ in item.support)
    _tail(run, 23, healthy, since=16)
    (incident,) = run.open
    assert (incident.level, incident.resolved_at) == ("recovering", None)
    _tail(run, 4, healthy, since=39)
    assert run.open == []
    ended = run.transitions[-1]
    assert (ended["from_level"], ended["to_level"]) == ("recovering", "ok")
    assert ended["doc"]["resolved_at"] == ended["at"]
    assert ended["at"] - last_hit >= DAY
    assert len(run.ids) == 1


def test_a_fault_that_comes_back_is_a_relapse_of_the_same_incident() -> None:
    """Recovering and bad again: firing, under the same id, and the clean day starts anew."""
    run = _run(16, faulty(AWS, 0.1, onset=4))
    _tail(run, 12, healthy, since=16)
    assert run.open[0].level == "recovering"
    _tail(run, 8, faulty(AWS, 0.1, onset=28), since=28)
    assert run.open[0].level == "firing"
    assert len(run.ids) == 1
    levels = [(t["from_level"], t["to_level"]) for t in run.transitions]
    assert ("firing", "recovering") in levels
    assert ("recovering", "firing") in levels


def test_silence_is_no_recovery() -> None:
    """A day without answers after a clean hour does not end an incident."""
    run = _run(16, faulty(AWS, 0.1, onset=4))
    _tail(run, 6, healthy, since=16)
    assert run.open[0].level == "recovering"
    empty = Traffic(5)
    for rnd in empty.rounds(30, healthy, since=88):
        lost = tuple(ScoredMember(m.member, "missing", {}) for m in rnd.members)
        run.step(ClosedRound(rnd.slot, lost))
    assert run.open[0].level == "recovering"


def test_a_person_can_end_an_incident() -> None:
    """A word of resolve ends it at the next round, whatever the evidence says."""
    run = _run(16, faulty(AWS, 0.1, onset=4))
    key = run.open[0].id
    rnd = next(iter(Traffic(1).rounds(1, healthy, since=64)))
    folded = fold(run.state, rnd, RULES, resolved=frozenset({key}))
    assert folded.state.incidents == {}
    assert folded.incidents[0].resolved_at == rnd.slot.due
    assert [t["to_level"] for t in folded.transitions] == ["ok"]


def test_transitions_have_ids_that_a_repeat_reproduces() -> None:
    """Folding the same rounds again tells the world the same things under the same ids."""
    tell: Callable[[], list[str]] = lambda: [  # noqa: E731
        t["id"] for t in _run(12, faulty(AWS, 0.07, onset=4)).transitions
    ]
    first = tell()
    assert first == tell()
    assert len(first) == len(set(first))


def test_health_says_nothing() -> None:
    """Two clean days: no incident, no transition, evidence far below the line."""
    run = _run(48, healthy)
    assert run.transitions == []
    assert float(run.state.events.mass.sum()) < 0.01 * RULES.budget_hours


def test_masses_do_not_grow_where_nothing_is_watched() -> None:
    """A channel that no target offers earns no hours, so it can never alarm by waiting."""
    rules = make_rules(
        events=(*sorted(BOUNDS), "token.other"), bounds={**BOUNDS, "token.other": 1e-3}
    )
    run = Run(rules, initial(rules)).feed(Traffic(3).rounds(48, healthy))
    row = rules.events.index("token.other")
    assert float(run.state.events.mass[:, row].sum()) == 0.0
    assert float(run.state.events.mass[:, 0].sum()) > 0.0


def test_a_members_order_in_the_round_does_not_matter() -> None:
    """Rounds say who answered what, not who was first."""
    run, shuffled = Run(RULES, proven(RULES)), Run(RULES, proven(RULES))
    for rnd in Traffic(7).rounds(8, faulty(AWS, 0.2, onset=2)):
        run.step(rnd)
        shuffled.step(ClosedRound(rnd.slot, tuple(sorted(rnd.members, key=_backwards))))
    assert run.transitions == shuffled.transitions


def _backwards(member: ScoredMember) -> tuple[str, str]:
    who: Member = member.member
    return (who.probe[::-1], who.target[::-1])
