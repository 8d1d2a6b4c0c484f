"""Worse, partly different or only different: kinds, their severity, and ranked causes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import pytest
from fold_kit import FLEET, Run, Traffic, bad, faulty, good, make_rules, proven, slot
from novelty_kit import Choices, choice_rules, elsewhere, everyone, normal, referred, sticky

from qualmon import incidents as rulebook
from qualmon.folding.assess import SYMPTOM_ANSWERS
from qualmon.folding.state import dump, load
from qualmon.incidents import ALL_USERS, CHANGE_REASON, CLUSTERED, MIN_USERS, causes, kind_of
from qualmon.types import ClosedRound, Incident, Member, ScoredMember

RULES = choice_rules()
AWS = tuple(target.key for target in FLEET if target.platform == "aws")
ONSET = 4


def _first(ranked: Sequence[tuple[str, float]]) -> str:
    return ranked[0][0]


def _only(run: Run) -> Incident:
    assert len(run.ids) == 1
    (incident,) = run.open
    return incident


# ---- the rulebook --------------------------------------------------------------------------


@pytest.mark.parametrize("family", ["script", "token", "code", "copy", "answer", "repetition"])
def test_any_quality_family_makes_a_regression(family: str) -> None:
    """Whatever else differs and whomever it touches."""
    for bad_users in (0, 2, 100):
        assert kind_of([family], bad_users, 100) == "regression"
        assert kind_of(["novelty", family, "draw"], bad_users, 100) == "regression"


@pytest.mark.parametrize("family", sorted(rulebook.DIFFERENCE_FAMILIES))
def test_different_answers_are_partial_or_a_change_by_the_users_touched(family: str) -> None:
    """Below three quarters of at least eight users it is a part of them."""
    assert kind_of([family], 3, MIN_USERS) == "partial"
    assert kind_of([family], int(ALL_USERS * 100) - 1, 100) == "partial"
    assert kind_of([family], int(ALL_USERS * 100), 100) == "change"
    assert kind_of([family], 0, MIN_USERS - 1) == "change"


@pytest.mark.parametrize(
    ("fired", "clustered", "cause"),
    [
        ({"script": 1, "token": 1, "code": 0, "novelty": 0}, False, "output_corruption"),
        ({"script": 1, "copy": 1, "code": 1}, False, "output_corruption"),
        ({"script": 1, "token": 1, "novelty": 1}, False, "output_corruption"),
        ({"script": 0, "token": 1, "code": 1}, False, "sampler_drops_top_token"),
        ({"script": 0, "token": 1, "novelty": 1}, False, "sampler_drops_top_token"),
        ({"script": 0, "code": 1, "copy": 1, "answer": 1}, False, "sampler_drops_top_token"),
        ({"script": 0, "copy": 1, "code": 1, "novelty": 1}, False, "sampler_drops_top_token"),
        ({"novelty": 1, "script": 0}, True, "misrouting"),
        ({"novelty": 1, "script": 0, "token": 0, "code": 0, "copy": 0}, True, "misrouting"),
        ({"novelty": 1}, True, "misrouting"),
        ({"novelty": 1, "script": 0, "copy": 0, "code": 0}, False, "serving_change"),
        ({"novelty": 1}, False, "serving_change"),
        ({"code": 1, "script": 0, "copy": 0, "token": 0}, False, "broken_code_answers"),
        ({"logprob": 1, "token": 0, "script": 0}, False, "logprob_reporting"),
        ({"repetition": 1, "script": 0}, False, "repetition_loop"),
    ],
)
def test_each_pattern_ranks_its_cause_first(
    fired: dict[str, int], clustered: bool, cause: str
) -> None:
    """The published fault that shows these families, and is quiet on those."""
    ranked = causes({family: bool(is_bad) for family, is_bad in fired.items()}, clustered=clustered)
    assert _first(ranked) == cause
    assert sum(probability for _, probability in ranked) == pytest.approx(1.0, abs=1e-3)
    assert [name for name, _ in ranked if name == CLUSTERED] == []


def test_a_family_that_was_not_judged_says_nothing() -> None:
    """Leaving a family out is not the same as finding it quiet."""
    silent = dict(causes({"copy": True, "code": True}))
    quiet = dict(causes({"copy": True, "code": True, "token": False}))
    assert silent["sampler_drops_top_token"] > quiet["sampler_drops_top_token"]


def test_clustered_users_matter_only_where_answers_differ() -> None:
    """Without a family of differences, whom it touched is not part of the signature."""
    fired = {"script": True, "token": True}
    assert causes(fired, clustered=True) == causes(fired, clustered=False)


# ---- kinds in the fold ---------------------------------------------------------------------


def _changed(*, page_on_change: bool = False) -> Run:
    chosen = choice_rules(page_on_change=page_on_change)
    rounds = Choices(11).rounds(16, elsewhere(everyone(*AWS), ONSET))
    return Run(chosen, referred(chosen)).feed(rounds)


def test_a_complete_change_is_a_ticket_that_says_why() -> None:
    """Every user of a platform gets new answers to half of the prompts: to be accepted."""
    run = _changed()
    incident = _only(run)
    assert (incident.kind, incident.scope, incident.family) == ("change", "platform=aws", "novelty")
    assert incident.severity == "ticket"
    assert incident.reasons == (CHANGE_REASON,)
    assert incident.identities_bad == incident.identities_observed >= MIN_USERS
    assert _first(incident.causes) == "serving_change"
    assert run.paged == []


def test_page_on_change_makes_it_a_page() -> None:
    """The kind stays, the reason is no reason any more."""
    incident = _only(_changed(page_on_change=True))
    assert (incident.kind, incident.severity, incident.reasons) == ("change", "page", ())


def test_part_of_the_users_is_partial_and_a_page() -> None:
    """16 % of the users, each with all that it asks: the signature of misrouting."""
    rounds = Choices(12).rounds(24, elsewhere(sticky(12, 0.16, "aws"), ONSET))
    incident = _only(Run(RULES, referred(RULES)).feed(rounds))
    assert (incident.kind, incident.severity) == ("partial", "page")
    assert 0 < incident.identities_bad < ALL_USERS * incident.identities_observed
    assert _first(incident.causes) == "misrouting"


def test_a_quality_family_beside_it_makes_it_a_regression_and_a_page() -> None:
    """The same change with wrong scripts in the answers: worse, not only different."""
    moved = elsewhere(everyone(*AWS), ONSET)
    choices = Choices(13)

    def worse(rnd: ClosedRound) -> ClosedRound:
        active = rnd.slot.index >= ONSET
        return replace(
            rnd,
            members=tuple(
                replace(m, scores={**m.scores, "script.char": bad("script.char")})
                if active and m.member.target in AWS and choices.rng.random() < 0.3
                else m
                for m in rnd.members
            ),
        )

    run = Run(RULES, referred(RULES)).feed(map(worse, choices.rounds(16, moved)))
    incident = _only(run)
    assert (incident.kind, incident.severity) == ("regression", "page")
    assert incident.families == ("novelty", "script")
    assert incident.reasons == ()
    assert _first(incident.causes) == "output_corruption"


def test_a_change_that_ends_stays_a_change_and_a_ticket() -> None:
    """Users who get the old answers again are no users that were spared: while it heals, and
    in the round before that is known, nobody is added to those observed."""
    rounds = Choices(14).rounds(20, elsewhere(everyone(*AWS), ONSET, until=ONSET + 3))
    run = Run(RULES, referred(RULES)).feed(rounds)
    incident = _only(run)
    assert (incident.level, incident.kind) == ("recovering", "change")
    assert incident.identities_bad == incident.identities_observed > 0
    assert run.paged == []
    assert {t["doc"]["kind"] for t in run.transitions} == {"change"}


def test_a_return_to_known_answers_raises_nothing() -> None:
    """A reference that holds two states hears no news when the other one serves."""
    run = Run(RULES, referred(RULES))
    rounds = Choices(15).rounds(24, lambda m, _rng: ("heads", "tails")[m.slot.index // 8 % 2])
    run.feed(rounds)
    assert run.transitions == []
    assert not run.state.hits


def test_users_are_bad_on_the_incidents_own_families_only() -> None:
    """A channel that can open no incident (answers cut off, say) makes no user bad."""
    traffic = Traffic(3, identities=4)

    def cut_off(rnd: ClosedRound) -> ClosedRound:
        return replace(
            rnd,
            members=tuple(
                replace(m, scores={**m.scores, "finish.length": bad("finish.length")})
                for m in rnd.members
            ),
        )

    rules = make_rules()
    rounds = traffic.rounds(6, faulty(AWS, 0.05, onset=1))
    incident = _only(Run(rules, proven(rules)).feed(map(cut_off, rounds)))
    assert incident.kind == "regression"
    assert 0 < incident.identities_bad < 0.9 * incident.identities_observed


def test_spared_users_enter_with_the_next_bad_one_and_are_kept_in_the_row() -> None:
    """Users of rounds without a bad one wait; the state remembers how many."""
    sick = elsewhere(everyone(*AWS), ONSET, until=ONSET + 1)
    run = Run(RULES, referred(RULES)).feed(Choices(16).rounds(ONSET + 1, sick))
    before = _only(run)
    # One clean prompt each: too little to speak of healing.
    for user in ("x", "y"):
        run.step(_asked(ONSET + 1 + (user == "y"), user, "heads"))
    (waiting,) = run.state.incidents.values()
    assert waiting.spared == 2
    assert load(dump(run.state, RULES), RULES).incidents == run.state.incidents
    assert _only(run).identities_observed == before.identities_observed
    run.step(_asked(ONSET + 3, "z", "edge"))
    assert _only(run).identities_observed == before.identities_observed + 3
    assert _only(run).identities_bad == before.identities_bad + 1


def _asked(index: int, user: str, answer: str) -> ClosedRound:
    one = Choices(0, targets=[t for t in FLEET if t.key == AWS[0]], per_round=1, users=1)
    rnd = one.round(slot(index), lambda _m, _rng: answer)
    (member,) = rnd.members
    known = replace(member.member, identity=user, probe="p0")
    return ClosedRound(rnd.slot, (replace(member, member=known),))


# ---- causes in the fold --------------------------------------------------------------------

FAMILIES = ("answer.wrong", "code.fail", "copy.exact", "script.char", "token.argmax")
WIDE = dict.fromkeys(FAMILIES, 1e-2)


def _caused(fired: Iterable[str], judged: Iterable[str] = FAMILIES) -> Incident:
    """The incident of a platform on which 20 % of the answers are bad on `fired` alone."""
    channels, loud = sorted(judged), set(fired)
    rules = make_rules(events=tuple(channels), bounds={c: WIDE[c] for c in channels})
    rate = faulty(AWS, 0.2, onset=1)
    rounds = Traffic(21, channels=channels, identities=2).rounds(
        8, lambda member, channel: rate(member, channel) * (channel in loud)
    )
    return _only(Run(rules, proven(rules)).feed(rounds))


@pytest.mark.parametrize(
    ("fired", "judged", "cause"),
    [
        (("script.char", "token.argmax", "copy.exact"), FAMILIES, "output_corruption"),
        (("token.argmax", "copy.exact", "code.fail"), FAMILIES, "sampler_drops_top_token"),
        (
            ("copy.exact", "code.fail", "answer.wrong"),
            tuple(channel for channel in FAMILIES if channel != "token.argmax"),
            "sampler_drops_top_token",
        ),
        (("code.fail",), FAMILIES, "broken_code_answers"),
    ],
)
def test_the_fold_names_the_cause_of_a_pattern(
    fired: tuple[str, ...], judged: tuple[str, ...], cause: str
) -> None:
    """Corruption, a dropped top token with and without token evidence, broken code."""
    incident = _caused(fired, judged)
    assert _first(incident.causes) == cause
    assert incident.kind == "regression"


def _two_families(code_answers: int) -> Incident:
    """A copy fault; `code_answers` answers of the place were also judged as code, all good."""
    rules = make_rules(
        events=("code.fail", "copy.exact", "script.char"), bounds=dict.fromkeys(FAMILIES, 0.01)
    )
    run, left = Run(rules, proven(rules)), code_answers
    here = FLEET[2].key
    for index in range(12):
        of = slot(index)
        members = []
        for i in range(12):
            scores = {"copy.exact": bad("copy.exact"), "script.char": good("script.char")}
            if left > 0:
                scores["code.fail"], left = good("code.fail"), left - 1
            members.append(ScoredMember(Member(of, here, f"p{i}", "u"), "ok", scores))
        run.step(ClosedRound(of, tuple(members)))
    return _only(run)


def test_a_quiet_family_counts_only_after_enough_answers() -> None:
    """29 good answers are no proof that code is well, 30 are: the ranking changes there."""
    few, enough = _two_families(SYMPTOM_ANSWERS - 1), _two_families(SYMPTOM_ANSWERS)
    none = _two_families(0)
    assert few.causes == none.causes
    assert enough.causes != few.causes
    assert (
        dict(enough.causes)["sampler_drops_top_token"] < dict(few.causes)["sampler_drops_top_token"]
    )


def test_healthy_choices_open_nothing() -> None:
    """Both words at random, references frozen: no incident, no hit."""
    run = Run(RULES, referred(RULES)).feed(Choices(17).rounds(24, normal))
    assert run.transitions == []
