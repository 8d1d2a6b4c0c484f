"""Answers never seen before: a frozen reference of sessions per target and probe.

A one-token choice prompt has few answers as long as one serving state answers it. Its answers
are collected over at least 30 sessions (an identity in a round is one) spread over at least
five rounds, until every answer has come back at least once; then the reference is frozen, and
an answer outside it is an event of healthy rate at most 1e-3. A prompt whose tail stays open
never becomes ready and never speaks.

Catches: another model, pool or precision behind the same name, for a share of the sessions
or all. Blind to: states whose answers the reference holds, and faults there from the start.
Source: docs/statistics.md, "Novelty"; Good, Biometrika 40 (1953) for the chance of an unseen
answer.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from qualmon.scorers.channels import CHANNELS
from qualmon.types import ClosedRound, Score, ScoredMember

#: Category channel -> the event channel that is derived from it.
DERIVED: Mapping[str, str] = MappingProxyType(
    {info.derived_from: info.name for info in CHANNELS.values() if info.derived_from}
)

MIN_SESSIONS = 30
MIN_ROUNDS = 5
#: More distinct answers than this are a free tail.
MAX_ANSWERS = 8
#: Sessions after which an unsettled reference is given up.
MAX_SESSIONS = 400


@dataclass(frozen=True, slots=True)
class Reference:
    """Answers of one target to one probe: sessions by answer. ready: frozen and in use."""

    version: str = ""
    answers: Mapping[str, int] = field(default_factory=dict)
    sessions: int = 0
    rounds: int = 0
    ready: bool = False


#: By target, then by ``suite/probe/channel``.
References = Mapping[str, Mapping[str, Reference]]


def key_of(suite: str, probe: str, channel: str) -> str:
    """Name of a reference inside its target."""
    return f"{suite}/{probe}/{channel}"


def unready(references: References, suite: str, target: str, probe: str) -> frozenset[str]:
    """Derived channels that cannot yet judge a probe's answers on a target."""
    found = references.get(target, {})
    return frozenset(
        channel
        for source, channel in DERIVED.items()
        if not found.get(key_of(suite, probe, source), Reference()).ready
    )


def judged(rnd: ClosedRound, references: References) -> ClosedRound:
    """The round with an event for every category score that a reference can judge."""
    members = tuple(_judged(member, rnd.slot.suite, references) for member in rnd.members)
    return ClosedRound(rnd.slot, members)


def _judged(member: ScoredMember, suite: str, references: References) -> ScoredMember:
    found = references.get(member.member.target, {})
    extra = {}
    for source, channel in DERIVED.items():
        score = member.scores.get(source)
        reference = found.get(key_of(suite, member.member.probe, source))
        if reference is None or not reference.ready or not _is_answer(score):
            continue
        novel = score is not None and score.value not in reference.answers
        extra[channel] = Score(channel, "event", 1.0 if novel else 0.0)
    return replace(member, scores={**member.scores, **extra}) if extra else member


def _is_answer(score: Score | None) -> bool:
    return score is not None and isinstance(score.value, str)


def learned(
    rnd: ClosedRound,
    references: References,
    versions: Mapping[str, str],
    suspect: Container[str],
) -> References:
    """The references after a round; answers of `suspect` targets teach nothing."""
    result = {target: dict(found) for target, found in references.items()}
    for (target, probe, source), answers in sorted(_answers(rnd.members, suspect).items()):
        key = key_of(rnd.slot.suite, probe, source)
        version = versions.get(f"{rnd.slot.suite}/{probe}", "")
        known = result.setdefault(target, {}).get(key, Reference(version))
        if known.version != version:
            known = Reference(version)
        if not known.ready and known.sessions < MAX_SESSIONS:
            result[target][key] = _extended(known, answers)
    return result


def _answers(
    members: Iterable[ScoredMember], suspect: Container[str]
) -> dict[tuple[str, str, str], list[str]]:
    found: dict[tuple[str, str, str], list[str]] = {}
    for member in members:
        who = member.member
        for source in DERIVED:
            score = member.scores.get(source)
            if who.target not in suspect and score is not None and isinstance(score.value, str):
                found.setdefault((who.target, who.probe, source), []).append(score.value)
    return found


def _extended(known: Reference, answers: Iterable[str]) -> Reference:
    counts = dict(known.answers)
    sessions = known.sessions
    for answer in sorted(answers):
        sessions += 1
        if answer in counts or len(counts) <= MAX_ANSWERS:
            counts[answer] = counts.get(answer, 0) + 1
    grown = replace(known, answers=counts, sessions=sessions, rounds=known.rounds + 1)
    return replace(grown, ready=is_settled(grown))


def is_settled(reference: Reference) -> bool:
    """True when an unseen answer is unlikely: enough sessions, and no answer seen just once."""
    return (
        reference.sessions >= MIN_SESSIONS
        and reference.rounds >= MIN_ROUNDS
        and len(reference.answers) <= MAX_ANSWERS
        and min(reference.answers.values(), default=0) > 1
    )
