"""The audit of a declared healthy rate, as a fold: unproven -> proven -> refuted.

A declared bound that is wrong by three pages falsely within days. So a bound pages only once the
answers of its pool (the probes of one suite and model) prove it: the upper limit of their pooled
rate is at or below it (3/bound clean answers), over MIN_ROUNDS rounds since the last burst, while
no probe stands out. A confidence sequence refutes it, which is for good: a reviewed act declares
another. Until proven, bets use the larger of the declared rate, a floor and the lagged upper
limit of what was seen, so that even tickets are not opened over and over.

Suspect answers (those under evidence of a fault) teach a proven bound nothing: a fault must not
become the new normal while it is judged. An unproven bound counts them: it cannot page, and what
is bad from the first round on is the bound's fault as far as anybody can tell.

Catches: bounds declared too low, single broken probes, bursts that make answers of a round count
as one. Blind to: a fault there from the start (it makes the bound look wrong: a ticket).
Source: docs/statistics.md, "Proof of a bound"; limits as in `qualmon.stats.bounds`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final, Literal, NamedTuple

from qualmon.errors import StatisticsError
from qualmon.stats.bounds import refuted, stands_out, upper_limit

Status = Literal["unproven", "proven", "refuted"]

#: Rounds without a burst that a proof takes; answers of a round may share their state.
MIN_ROUNDS: Final = 30
#: A true bound is ever refuted with at most this probability.
REFUTE_ALPHA: Final = 0.01
#: An unproven bound bets as if it were no smaller than this.
FLOOR: Final = 1e-4
#: Answers younger than this many hours do not move the rate that bets are made against.
LAG_HOURS: Final = 24.0
#: A page needs hits at so many distinct (prompt, round), and on so many prompts.
MIN_HITS: Final = 3
MIN_PROMPTS: Final = 2

Counts = tuple[int, int]


class Audit(NamedTuple):
    """State of one pool. All counts are (answers, hits).

    total: all counted. recent: of the current lag window, which began at `opened` (hours);
    waiting: of the window before; settled: older. burst: the round, by number, in which hits
    last came together.
    """

    status: Status = "unproven"
    rounds: int = 0
    burst: int = 0
    total: Counts = (0, 0)
    settled: Counts = (0, 0)
    waiting: Counts = (0, 0)
    recent: Counts = (0, 0)
    opened: float = 0.0
    probes: Mapping[str, Counts] = MappingProxyType({})


def step(
    state: Audit,
    counts: Mapping[str, Counts],
    *,
    bound: float,
    at: float,
    rounds: int = 1,
    suspect: bool = False,
) -> Audit:
    """Folds `rounds` rounds that ended at hour `at`: (answers, hits) of every probe in them.

    With rounds > 1 their hits are judged for a burst together, which can only delay a proof.
    Raises StatisticsError for a bound outside (0, 1), impossible counts, or time that goes back.
    """
    _check(bound, at, state.opened, rounds)
    if state.status == "refuted" or (suspect and state.status == "proven"):
        return state
    n, hits = _sum(counts.values())
    if n == 0:
        return state
    seen = _rolled(state, at, (n, hits))
    number = state.rounds + rounds
    burst = number if hits > 1 and stands_out(n, hits, bound, alternatives=number) else state.burst
    probes = dict(state.probes)
    for probe, more in counts.items():
        probes[probe] = _sum((probes.get(probe, (0, 0)), more))
    counted = seen._replace(
        rounds=number,
        burst=burst,
        total=_sum((state.total, (n, hits))),
        probes=MappingProxyType(probes),
    )
    return counted._replace(status=_judged(counted, bound))


def bound_in_effect(state: Audit, declared: float) -> float:
    """Rate that bets divide by: max(declared, lagged upper limit), floored unless proven."""
    limit = max(declared, upper_limit(*state.settled))
    return limit if state.status == "proven" else max(limit, FLOOR)


def may_page(state: Audit, hits: Iterable[tuple[str, int]]) -> bool:
    """True when the bound is proven and the hits, as (prompt, round), support a page."""
    return state.status == "proven" and is_supported(hits)


def is_supported(hits: Iterable[tuple[str, int]]) -> bool:
    """Hits at three distinct (prompt, round) or more, on two prompts or more."""
    distinct = set(hits)
    return len(distinct) >= MIN_HITS and len({prompt for prompt, _ in distinct}) >= MIN_PROMPTS


def _check(bound: float, at: float, opened: float, rounds: int) -> None:
    if not 0.0 < bound < 1.0:
        raise StatisticsError(f"bound {bound!r} is not in (0, 1)")
    if not at >= opened:
        raise StatisticsError(f"hour {at!r} is before hour {opened!r}; fold rounds in order")
    if rounds < 1:
        raise StatisticsError(f"{rounds!r} rounds; fold at least one")


def _sum(counts: Iterable[Counts]) -> Counts:
    pairs = tuple(counts)
    if bad := [pair for pair in pairs if not 0 <= pair[1] <= pair[0]]:
        raise StatisticsError(f"{bad[0][1]} hits among {bad[0][0]} answers")
    return sum(n for n, _ in pairs), sum(hits for _, hits in pairs)


def _rolled(state: Audit, at: float, fresh: Counts) -> Audit:
    """A window settles one whole window after its end, so that answers wait LAG_HOURS at least."""
    if at - state.opened < LAG_HOURS:
        return state._replace(recent=_sum((state.recent, fresh)))
    settled = _sum((state.settled, state.waiting))
    return state._replace(settled=settled, waiting=state.recent, recent=fresh, opened=at)


def _judged(state: Audit, bound: float) -> Status:
    if refuted(*state.total, bound, REFUTE_ALPHA):
        return "refuted"
    if state.status == "proven" or _is_proven(state, bound):
        return "proven"
    return "unproven"


def _is_proven(state: Audit, bound: float) -> bool:
    if upper_limit(*state.total) > bound or state.rounds - state.burst < MIN_ROUNDS:
        return False
    return not any(
        stands_out(n, hits, bound, len(state.probes)) for n, hits in state.probes.values()
    )
