"""A year of healthy or partly moved endpoints under the shipped novelty channel and partial test.

Each endpoint learns a reference (a day is a look), watches by the novelty bet (session by
session), and after an alarm judges fresh sessions once a day until the partial test decides. A
`change` is accepted at once and the judged days begin the next reference. A `partial` verdict is
a page where the audit has proven the novelty bound since that reference, else a ticket.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from benchmarks.detection.endpoint_models import ICC, STRAY, Model, states
from qualmon.stats import audit, detector, esr, partial
from qualmon.stats.bets import novelty
from qualmon.stats.detector import EVENTS
from qualmon.stats.partial import Sessions

Flags = NDArray[np.bool_]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

BUDGET_HOURS: Final = 365.0 * 24.0
ALPHA: Final = 0.05
#: Sessions that are judged before an incident stays undecided (a ticket).
MOST: Final = 160
#: Novel answers per draw in a state that nobody has seen: at least the measured rate.
OWN_RATES: Final = (0.137, 0.9)
MONTH: Final = 30
#: From this part of the budget on, a proven bound's answers are suspect.
SUSPECT: Final = 0.01
LEARNING, WATCHING, JUDGING = 0, 1, 2
KINDS: Final = ("undecided", "partial", "change")


class Case(NamedTuple):
    """share: of sessions in another state from day FAULT_DAY on; steps: one complete a month."""

    model: Model
    sessions: int
    draws: int
    share: float = 0.0
    steps: bool = False


#: First day of a partial fault; references are settled by then.
FAULT_DAY: Final = 60


class Found(NamedTuple):
    """One verdict: its endpoint, day of alarm and of verdict, index into KINDS, days since the
    last step (or the fault) at the alarm, whether it came after one, and whether the bound was
    proven at the alarm."""

    endpoint: int
    alarm: float
    day: float
    kind: int
    since: float
    real: bool
    proven: bool


@dataclass
class Year:
    """What happened: verdicts, complete steps, and the share of time in which novelty watched."""

    found: list[Found] = field(default_factory=list)
    steps: int = 0
    absorbed: int = 0
    watching: float = 0.0


@dataclass
class _Endpoints:
    """Arrays over E endpoints. rates, known, held: of the common and rarer states' own answers;
    held counts days, today tells whether this one counts already."""

    rates: Floats
    known: Flags
    held: Ints
    today: Flags
    days: Ints
    learned: Ints
    phase: Ints
    draws: Ints
    novel: Ints
    judged: Ints
    alarm: Floats
    clean: Ints
    suspect: Flags
    audits: list[audit.Audit]
    stepped: Floats
    pending: Flags


def simulate(case: Case, endpoints: int, days: int, rng: Generator) -> Year:
    """`endpoints` endpoints for `days` days."""
    now = _start(endpoints, case, rng)
    masses = detector.init(EVENTS, (endpoints,))
    year = Year()
    rarer, _ = states(case.model, endpoints, days, case.sessions, rng)
    when = _step_days(endpoints, days, rng) if case.steps else np.zeros((endpoints, days), bool)
    intruder = rng.uniform(*OWN_RATES, endpoints)
    for day in range(days):
        _take_steps(now, when[:, day], float(day), case, year, rng)
        for slot in range(case.sessions):
            at = day + slot / case.sessions
            away = rng.random(endpoints) < (case.share if day >= FAULT_DAY else 0.0)
            novel, own = _asked(now, rarer[:, day, slot], away, intruder, case, rng)
            _learn(now, rarer[:, day, slot], own & ~away)
            watching = now.phase == WATCHING
            now.clean[watching] += np.stack((np.full_like(novel, case.draws), novel), 1)[watching]
            year.watching += float(watching.mean())
            ratio = np.where(watching, novel / case.draws / novelty.NOVELTY_BOUND, 1.0)
            drift = np.where(watching, 24.0 / case.sessions, 0.0)[:, None]
            masses = _folded(masses, ratio, drift, at)
            _collect(now, novel, case.draws)
            now.suspect |= detector.evidence(masses) >= SUSPECT * BUDGET_HOURS
            _alarm(now, masses, watching, at)
        _judge(now, float(day + 1), case, year)
        _settle(now)
        _audit(now, day + 1, case)
    year.watching /= days * case.sessions
    return year


def _start(endpoints: int, case: Case, rng: Generator) -> _Endpoints:
    count = np.zeros(endpoints, dtype=np.int64)
    return _Endpoints(
        rates=_new_rates(endpoints, case, rng),
        known=np.zeros((endpoints, 2), dtype=bool),
        held=np.zeros((endpoints, 2), dtype=np.int64),
        today=np.zeros((endpoints, 2), dtype=bool),
        days=count.copy(),
        learned=count.copy(),
        phase=count.copy(),
        draws=np.zeros((endpoints, MOST), dtype=np.int64),
        novel=np.zeros((endpoints, MOST), dtype=np.int64),
        judged=count.copy(),
        alarm=np.zeros(endpoints),
        clean=np.zeros((endpoints, 2), dtype=np.int64),
        suspect=np.zeros(endpoints, dtype=bool),
        audits=[audit.Audit()] * endpoints,
        stepped=np.full(endpoints, -np.inf if case.share == 0.0 else float(FAULT_DAY)),
        pending=np.zeros(endpoints, dtype=bool),
    )


def _new_rates(endpoints: int, case: Case, rng: Generator) -> Floats:
    """Rates of the answers that only this version's states hold, one per hidden state."""
    rates = rng.uniform(*OWN_RATES, (endpoints, 2))
    if case.model in ("stable", "ICC .02"):
        rates[:, 1] = rates[:, 0]
    return rates


def _step_days(endpoints: int, days: int, rng: Generator) -> Flags:
    """One day in every month, at random."""
    found = np.zeros((endpoints, days), dtype=bool)
    for first in range(MONTH, days - MONTH + 1, MONTH):
        found[np.arange(endpoints), first + rng.integers(0, MONTH, endpoints)] = True
    return found


def _take_steps(
    now: _Endpoints, moved: Flags, at: float, case: Case, year: Year, rng: Generator
) -> None:
    if not moved.any():
        return
    year.steps += int(moved.sum())
    year.absorbed += int((moved & (now.phase != WATCHING)).sum())
    now.rates[moved] = _new_rates(int(moved.sum()), case, rng)
    now.known[moved] = False
    now.held[moved] = 0
    now.stepped[moved] = at
    now.pending[moved] = True


def _asked(
    now: _Endpoints, rarer: Flags, away: Flags, intruder: Floats, case: Case, rng: Generator
) -> tuple[Ints, Flags]:
    """One session each: draws that no reference holds, and whether the state's own answer came."""
    state = rarer.astype(np.int64)
    index = np.arange(len(state))
    rate = np.where(away, intruder, now.rates[index, state])
    if case.model == "ICC .02":
        size = 1.0 / ICC - 1.0
        rate = rng.beta(rate * size, (1.0 - rate) * size)
    own = rng.binomial(case.draws, rate)
    new = away | ~now.known[index, state]
    unseen = np.where(new, own, 0)
    return unseen + rng.binomial(case.draws - unseen, STRAY), own > 0


def _learn(now: _Endpoints, rarer: Flags, own: Flags) -> None:
    """Counts a session outside WATCHING; an answer counts once a day."""
    taught = now.phase != WATCHING
    now.learned += taught
    now.today[np.arange(len(own)), rarer.astype(np.int64)] |= taught & own


def _settle(now: _Endpoints) -> None:
    """Ends a look; freezes the references that the library would admit."""
    taught = now.phase != WATCHING
    now.days += taught
    now.held += now.today
    now.today[:] = False
    once = (now.held == 1).any(axis=1)
    enough = (now.learned >= novelty.MIN_SESSIONS) & (now.days >= novelty.MIN_LOOKS)
    ready = (now.phase == LEARNING) & enough & ~once
    now.known[ready] |= now.held[ready] > 0
    now.phase[ready] = WATCHING
    # A step that fell into the learning is part of this reference.
    now.pending[ready] = False


def _audit(now: _Endpoints, day: int, case: Case) -> None:
    for one in np.flatnonzero(now.clean[:, 0]):
        now.audits[one] = audit.step(
            now.audits[one],
            {"prompts": (int(now.clean[one, 0]), int(now.clean[one, 1]))},
            bound=novelty.NOVELTY_BOUND,
            at=24.0 * day,
            rounds=case.sessions,
            suspect=bool(now.suspect[one]),
        )
    now.clean[:] = 0
    now.suspect[:] = False


def _folded(masses: esr.Masses, ratio: Floats, drift: Floats, at: float) -> esr.Masses:
    return esr.step(
        masses, drift * np.asarray(EVENTS.weights), at * 24.0, detector.factors(EVENTS, ratio)
    )


def _collect(now: _Endpoints, novel: Ints, draws: int) -> None:
    index = np.flatnonzero((now.phase == JUDGING) & (now.judged < MOST))
    now.draws[index, now.judged[index]] = draws
    now.novel[index, now.judged[index]] = novel[index]
    now.judged[index] += 1


def _alarm(now: _Endpoints, masses: esr.Masses, watching: Flags, at: float) -> None:
    fired = watching & (detector.evidence(masses) >= BUDGET_HOURS)
    masses.mass[fired] = 0.0
    masses.moment[fired] = 0.0
    now.phase[fired] = JUDGING
    now.alarm[fired] = at
    now.judged[fired] = 0
    now.draws[fired] = 0
    now.novel[fired] = 0
    now.learned[fired] = 0
    now.days[fired] = 0
    now.held[fired] = 0


def _judge(now: _Endpoints, day: float, case: Case, year: Year) -> None:
    index = np.flatnonzero((now.phase == JUDGING) & (now.judged >= partial.MIN_SESSIONS))
    if len(index) == 0:
        return
    width = int(now.judged[index].max())
    kinds = decided(Sessions(now.draws[index, :width], now.novel[index, :width]))
    for endpoint, kind in zip(index, kinds, strict=True):
        if kind or now.judged[endpoint] >= MOST:
            _close(now, int(endpoint), int(kind), day, case, year)


def decided(sessions: Sessions) -> Ints:
    """`partial.verdict` for a batch: indices into KINDS."""
    parted, changed, _ = partial.evidence(sessions)
    limit = -np.log(ALPHA)
    kinds = np.where(parted >= changed, KINDS.index("partial"), KINDS.index("change"))
    return np.asarray(np.where(np.maximum(parted, changed) >= limit, kinds, 0))


def _close(now: _Endpoints, one: int, kind: int, day: float, case: Case, year: Year) -> None:
    alarm = float(now.alarm[one])
    since = alarm - float(now.stepped[one])
    real = bool(now.pending[one]) if case.share == 0.0 else since >= 0.0
    proven = now.audits[one].status == "proven"
    year.found.append(Found(one, alarm, day, kind, since, real, proven))
    now.audits[one] = audit.Audit(opened=24.0 * day)
    # A partial verdict's sessions held two states; only a change's begin the next reference.
    if KINDS[kind] != "change":
        now.learned[one] = 0
        now.days[one] = 0
        now.held[one] = 0
        now.today[one] = False
    now.phase[one] = LEARNING
    now.pending[one] = False
