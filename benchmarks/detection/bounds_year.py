"""Years of one stream under a declared bound: day by day, with the shipped audit or without."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.detection import bounds_kernels as kernels
from qualmon.stats import audit
from qualmon.stats.bets.events import event_ratio
from qualmon.stats.detector import EVENTS, Design, factors

PROBES: Final = 60
ROUNDS: Final = 288
WEIGHT: Final = 0.004
BUDGET_HOURS: Final = 90.0 * 24.0
#: From this part of the budget on, a proven bound's answers are suspect.
SUSPECT: Final = 0.01
#: More hits in a round than this count as this many.
MOST_HITS: Final = 20
LIMITS: Final = np.array([SUSPECT * BUDGET_HOURS, BUDGET_HOURS])


class Truth(NamedTuple):
    """rate of all probes but one, whose rate is `odd`; from day `onset` on, `fault` of the answers
    are bad besides."""

    rate: float
    odd: float
    onset: int = 10**6
    fault: float = 0.0


@dataclass
class Life:
    """pages, tickets: times in days. proven: day of the proof. status: at the end. unusable: part
    of days in which the bound could not page."""

    pages: list[float]
    tickets: list[float]
    proven: float | None = None
    status: str = "declared"
    unusable: float = 0.0


def life(
    truth: Truth,
    bound: float,
    days: int,
    seed: int,
    *,
    audited: bool,
    first: bool = False,
    design: Design = EVENTS,
) -> Life:
    """One stream for `days` days, or until its first page after the onset if `first`."""
    kernels.seeded(seed)
    mass = np.zeros(len(design.shares))
    drift = np.asarray(design.weights) * (WEIGHT * 24.0 / ROUNDS)
    state = audit.Audit()
    found = Life([], [])
    hits = np.zeros(PROBES, dtype=np.int64)
    number = 0
    for day in range(days):
        table = round_factors(audit.bound_in_effect(state, bound) if audited else bound, design)
        pages = not audited or state.status == "proven"
        found.unusable += (not pages) / days
        extra = truth.fault if day >= truth.onset else 0.0
        rates = [rate + extra * (1.0 - rate) for rate in (truth.rate, truth.odd)]
        calm, suspect = np.zeros((2, PROBES + 1), dtype=np.int64)
        done = 0
        while done < ROUNDS:
            before = calm[:PROBES] + suspect[:PROBES]
            asked, alarmed = kernels.rounds(
                mass, drift, table, rates[0], rates[1], LIMITS, ROUNDS - done, calm, suspect
            )
            done += asked
            hits += calm[:PROBES] + suspect[:PROBES] - before
            if alarmed:
                number += 1
                loud = pages and (not audited or _is_supported(hits))
                (found.pages if loud else found.tickets).append(day + done / ROUNDS)
                mass[:] = 0.0
                hits[:] = 0
        if audited:
            state = _audited(state, calm, suspect, bound, day + 1)
            if state.status == "proven" and found.proven is None:
                found.proven = float(day + 1)
            found.status = state.status
        if first and found.pages and found.pages[-1] >= truth.onset:
            break
    return found


@lru_cache(maxsize=64)
def round_factors(bound: float, design: Design = EVENTS) -> NDArray[np.float64]:
    """Factors of a round by its hits, shape (MOST_HITS + 1, K)."""
    hit = factors(design, event_ratio(1.0, bound))
    good = factors(design, event_ratio(0.0, bound))
    number = np.arange(MOST_HITS + 1)[:, None]
    return np.asarray(hit**number * good ** (PROBES - number))


def _is_supported(hits: NDArray[np.int64]) -> bool:
    """Hits of one prompt came in rounds of their own, as each is asked once a round."""
    pairs = [
        (str(probe), number) for probe in np.flatnonzero(hits) for number in range(hits[probe])
    ]
    return audit.is_supported(pairs)


def _audited(
    state: audit.Audit,
    calm: NDArray[np.int64],
    suspect: NDArray[np.int64],
    bound: float,
    day: int,
) -> audit.Audit:
    for counts, doubtful in ((calm, False), (suspect, True)):
        asked = int(counts[PROBES])
        if asked:
            probes = {str(i): (asked, int(counts[i])) for i in range(PROBES)}
            state = audit.step(
                state, probes, bound=bound, at=24.0 * day, rounds=asked, suspect=doubtful
            )
    return state
