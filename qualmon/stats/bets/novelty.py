"""Novelty: an answer that the reference of a target has never held.

A prompt with forced support (one of a few tokens) has few answers as long as one set of serving
states answers it. Its reference counts sessions (identity x minute) and *looks*: all sessions that
may share a hidden state are one look. Draws a minute apart did share one on a measured route, and
where a factor moves whole days, the day is the look, whatever number of sessions it holds.

What a reference of n exchangeable looks says about the unseen:

- The chance that the next look holds an unseen answer is exactly E[U]/(n + 1), where U counts,
  among n + 1 looks, those with an answer that no other look holds (Good-Turing by looks). So
  singletons estimate it, and a reference with an answer that one look alone held is not settled.
- A state that serves a share s of the looks is missed with probability (1 - s)**n: for s = .26
  that is .05 at n = 10 and 1.2e-4 at n = 30; for s = .03 it is .4 at n = 30. With confidence .95
  thirty looks rule out no single state below s = .095.
- So a settled reference makes a bound of 1e-3 plausible and does not prove it. The proof is the
  audit's (`qualmon.stats.audit`): 3,000 clean answers afterwards, before which nothing pages.

Catches: another model, pool or precision behind the same name, for some sessions or all of them.
Blind to: states whose answers the reference holds, faults there from the start, prompts with a
free tail (never admitted).
Source: Good, Biometrika 40 (1953), with sessions in place of draws; the identity for E[U] is
checked by exact sums in tests/unit/test_stats_novelty.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from qualmon.errors import StatisticsError
from qualmon.stats.bets.events import event_ratio

#: Healthy rate of an unseen answer, per draw, that is declared for admitted prompts.
NOVELTY_BOUND: Final = 1e-3
#: A reference needs so many sessions, spread over so many looks.
MIN_SESSIONS: Final = 30
MIN_LOOKS: Final = 10
#: More distinct answers than this are a free tail.
MAX_ANSWERS: Final = 8


class Reference(NamedTuple):
    """sessions, looks: seen so far. answers: the number of looks that held each answer."""

    sessions: int = 0
    looks: int = 0
    answers: Mapping[str, int] = MappingProxyType({})


def learn(reference: Reference, look: Iterable[Iterable[str]]) -> Reference:
    """The reference after one look, given as its sessions' answers.

    Raises StatisticsError for a look without sessions, or a session without answers.
    """
    sessions = [frozenset(session) for session in look]
    if not sessions or not all(sessions):
        raise StatisticsError("a look or a session without answers; leave it out")
    answers = dict(reference.answers)
    for answer in frozenset.union(*sessions):
        answers[answer] = answers.get(answer, 0) + 1
    count = reference.sessions + len(sessions)
    return Reference(count, reference.looks + 1, MappingProxyType(answers))


def singletons(reference: Reference) -> int:
    """Answers that one look alone held."""
    return sum(1 for held in reference.answers.values() if held == 1)


def unseen_chance(reference: Reference) -> float:
    """Good-Turing: estimated chance in [0, 1] that the next look holds an unseen answer.

    Singleton answers over looks, an upper end of U/n (a look may hold several). 1.0 for an empty
    reference.
    """
    if reference.looks == 0:
        return 1.0
    return min(1.0, singletons(reference) / reference.looks)


def missed(share: float, looks: int) -> float:
    """Chance that a state serving `share` of the looks is in none of `looks`.

    Raises StatisticsError for a share outside [0, 1] or a negative count.
    """
    if not (0.0 <= share <= 1.0 and looks >= 0):
        raise StatisticsError(f"share {share!r} of {looks!r} looks")
    return float((1.0 - share) ** looks)


def hidden_share(looks: int, confidence: float = 0.95) -> float:
    """Largest share of looks that one unseen state may serve, at this confidence: about 3/n.

    1.0 without looks. Raises StatisticsError for confidence outside (0, 1) or a negative count.
    """
    if not (0.0 < confidence < 1.0 and looks >= 0):
        raise StatisticsError(f"confidence {confidence!r} over {looks!r} looks")
    return float(1.0 - (1.0 - confidence) ** (1.0 / looks)) if looks else 1.0


def refusals(reference: Reference) -> tuple[str, ...]:
    """Why a prompt is not admitted to novelty; empty when it is."""
    found = []
    if reference.sessions < MIN_SESSIONS:
        found.append(f"{reference.sessions} of {MIN_SESSIONS} sessions")
    if reference.looks < MIN_LOOKS:
        found.append(f"{reference.looks} of {MIN_LOOKS} looks")
    if len(reference.answers) > MAX_ANSWERS:
        found.append(f"free tail: {len(reference.answers)} answers, at most {MAX_ANSWERS}")
    if once := singletons(reference):
        found.append(f"{once} answers seen in one look only")
    return tuple(found)


def novelty_ratio(
    reference: Reference, session: Iterable[str], bound: float = NOVELTY_BOUND
) -> float:
    """e-value of one session: its share of unseen answers over the bound (averaged, one cluster).

    Valid where the chance of an unseen answer is at most `bound` given the past: E[r | past] <= 1
    for any dependence between the draws of the session, whose number is fixed beforehand. A
    session without answers is r = 0. Raises StatisticsError for a reference that is not admitted
    (it never bets) or a bound outside (0, 1].
    """
    if reasons := refusals(reference):
        raise StatisticsError(f"reference not admitted: {'; '.join(reasons)}")
    answers = tuple(session)
    novel = sum(1 for answer in answers if answer not in reference.answers)
    return event_ratio(novel / len(answers) if answers else 0.0, bound)
