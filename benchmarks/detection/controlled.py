"""Requirement 7, controlled bets: one of five targets against the others, for tickets.

False tickets come no sooner than promised for every world in WORLDS; the price are small shares,
which are missed where day effects differ between targets, and the tables show it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import stdtrit

from benchmarks.detection import controlled_kernels as kernels
from benchmarks.detection.controlled_world import (
    PROMPTS,
    TARGETS,
    WORLDS,
    Knowledge,
    World,
    learn,
    logits,
)
from benchmarks.detection.dependence_report import proportion
from benchmarks.detection.kernels import Floats
from benchmarks.report import Row, Section, Setting, Table
from qualmon.stats.bets.odds import ODDS_GRID, log_normaliser
from qualmon.stats.bets.odds_audit import parallel
from qualmon.stats.bets.odds_days import EARLY, day_law

NOMINAL = 10_000
#: Runs without a false ticket end here and count this much: run lengths are understated.
_LIMIT = 25_000
#: Healthy days before a fault; a false alarm in them starts the evidence again.
_BEFORE = 5
_SHARES = (0.008, 0.02, 0.05, 0.16)

Line = tuple[float | str | None, ...]


class Way(NamedTuple):
    """How to bet: offsets (C, k), the day deviation provided for."""

    name: str
    offset: Floats
    deviation: float


def run(setting: Setting) -> Section:
    """Item 7: one target against the others, in worlds where targets differ."""
    rng = np.random.default_rng(setting.seed)
    known = {world: [learn(world, rng) for _ in range(_references(setting))] for world in WORLDS}
    rows, alarms = false_tickets(known, setting)
    return Section("controlled", (*rows, *(found := faults(known, setting))[0]), (alarms, found[1]))


def _references(setting: Setting) -> int:
    return 24 if setting.full else 8


def ways(known: Knowledge) -> tuple[Way, ...]:
    """Ours first."""
    return (
        Way("day as the cluster", known.upper, known.days.limit),
        Way("exchangeable (naive)", np.zeros_like(known.offset), 0.0),
        Way("fitted offsets, product", known.offset, 0.0),
    )


def false_tickets(
    known: dict[World, list[Knowledge]], setting: Setting
) -> tuple[tuple[Row, ...], Table]:
    """Run length in rounds by world and way."""
    rows: list[Row] = []
    lines: list[Line] = []
    for world, references in known.items():
        found = [
            _run_lengths(world, knowledge, i, setting) for i, knowledge in enumerate(references)
        ]
        by_way = np.array(found)  # (references, ways, runs)
        lines.append((world.name, *by_way.mean(axis=(0, 2)).tolist(), _passed(references)))
        rows.append(_long(world, by_way[:, 0]))
    names = (way.name for way in ways(known[WORLDS[0]][0]))
    title = f"False tickets: rounds to one, nominal {NOMINAL:,}, {PROMPTS} prompts a round"
    note = (
        f"Means over references of 30 days; runs end at {_LIMIT:,}. Audit: share of "
        "references that show parallel trends; elsewhere these tickets confirm nothing."
    )
    return tuple(rows), Table(title, ("world", *names, "audit passed"), tuple(lines), note)


def _run_lengths(world: World, known: Knowledge, index: int, setting: Setting) -> list[Floats]:
    runs = 8 if setting.full else 4
    return [_alarms(world, way, 0.0, _LIMIT, runs, setting.seed + index) for way in ways(known)]


def _passed(references: list[Knowledge]) -> float:
    return sum(parallel(known.slopes[:1], known.days) for known in references) / len(references)


def _long(world: World, found: Floats) -> Row:
    """The interval is over references, the unit that a user has one of."""
    means = found.mean(axis=1)
    mean, error = float(means.mean()), float(means.std(ddof=1)) / len(means) ** 0.5
    student = float(stdtrit(len(means) - 1, 0.975))
    low, high = mean - student * error, mean + student * error
    case = f"controlled, {world.name}: run length"
    return Row("7", case, mean, f">= {NOMINAL}", low >= NOMINAL, low, high, "rounds",
               f"cut off at {_LIMIT:,}")  # fmt: skip


def faults(known: dict[World, list[Knowledge]], setting: Setting) -> tuple[tuple[Row, ...], Table]:
    """Median delay and share missed within the nominal, by world and share."""
    rows: list[Row] = []
    lines: list[Line] = []
    for world, references in known.items():
        line: list[str] = []
        for share in _SHARES:
            found = _delays(world, references, share, setting)
            missed = float((found >= NOMINAL).mean())
            line.append(_told(found, missed))
            rows += [_missed(world, share, missed, found.size)] if share in (0.008, 0.02) else []
        lines.append((world.name, *line))
    free = _free(setting)
    title = "Rounds to the ticket, median (share of faults missed within 10,000 rounds)"
    note = (
        "A product that knows equal targets with no day effects needs "
        + ", ".join(free)
        + " rounds. 288 rounds are a day. Evidence is read every 12 rounds."
    )
    return tuple(rows), Table(title, ("world", *(f"{s:.1%}" for s in _SHARES)), tuple(lines), note)


def _delays(world: World, references: list[Knowledge], share: float, setting: Setting) -> Floats:
    runs = 8 if setting.full else 4
    return np.concatenate(
        [
            _alarms(world, ways(knowledge)[0], share, NOMINAL, runs, setting.seed + 100 + i)
            for i, knowledge in enumerate(references)
        ]
    )


def _free(setting: Setting) -> list[str]:
    """The price's reference: exchangeability is true and known."""
    way = Way("known", np.zeros((5, TARGETS)), 0.0)
    runs = 200 if setting.full else 40
    found = [_alarms(WORLDS[0], way, share, NOMINAL, runs, setting.seed) for share in _SHARES]
    return [_told(times, float((times >= NOMINAL).mean())) for times in found]


def _told(found: Floats, missed: float) -> str:
    return f"{np.median(found):,.0f}" + (f" ({missed:.0%} missed)" if missed else "")


def _missed(world: World, share: float, missed: float, runs: int) -> Row:
    case = f"controlled, {world.name}: {share:.1%} faults missed within {NOMINAL:,} rounds"
    return proportion("7", case, missed, runs, "shown")


def _alarms(world: World, way: Way, share: float, limit: int, runs: int, seed: int) -> Floats:
    """Rounds to the alarm on the first target, (runs,)."""
    law = day_law(way.deviation)
    normaliser = np.stack([log_normaliser(row, [0], law.u).T for row in way.offset])
    found = kernels.alarms(
        logits(world), world.deviation, share, law.u, np.exp(law.healthy), np.exp(law.raised),
        np.ascontiguousarray(normaliser), EARLY if way.deviation else 1.0, PROMPTS,
        _BEFORE if share else 0, float(NOMINAL), runs, limit, seed,
    )  # fmt: skip
    assert law.raised.shape[0] == len(ODDS_GRID)
    return np.asarray(found, dtype=np.float64)
