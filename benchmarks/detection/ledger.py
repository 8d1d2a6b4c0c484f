"""The ledger: pages over fleet-years of restarts, reloads and versions of probes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np
import orjson
from scipy.special import gammaincinv

from benchmarks.detection import ledger_versions
from benchmarks.detection.ledger_kernels import Floats, seeded, until
from benchmarks.report import Row, Section, Setting, Table
from qualmon.stats import escalation, esr, hierarchy
from qualmon.stats import ledger as books
from qualmon.stats.detector import EVENTS
from qualmon.stats.ledger import Ledger
from qualmon.stats.ledger_document import document, restored
from qualmon.stats.ledger_entries import (
    Epoch,
    Headstart,
    Key,
    Monitored,
    Paged,
    Part,
    Started,
)

BUDGET: Final = 2160.0
EVERY: Final = 1.0 / 12.0
BOUND: Final = 1e-3
ANSWERS: Final = 2
#: Rounds of a day and of a year, 5 minutes each.
DAY: Final = 288
YEAR: Final = 365 * DAY
#: A headstart is this part of the budget.
HEADSTART: Final = 0.02
#: Configuration changes a year that alter one part's null, restarts and versions.
RELOADS: Final = 12
RESTARTS: Final = 365
VERSIONS: Final = 52

CELLS: Final = {
    f"p{p}/m{m}": {"platform": f"p{p}", "model": f"m{m}"} for p in range(3) for m in range(2)
}
NODES: Final = hierarchy.nodes(CELLS, [(), ("platform",), ("model",), ("platform", "model")])
KEYS: Final[tuple[Key, ...]] = tuple((node.scope, "script") for node in NODES)
PARTS: Final = {
    key: Part(node.weight, f"{BOUND} of {','.join(node.members)}")
    for key, node in zip(KEYS, NODES, strict=True)
}
MEMBER: Final = np.array([[cell in node.members for cell in CELLS] for node in NODES])
DRIFT: Final = np.outer([node.weight * EVERY for node in NODES], EVENTS.weights)
GOOD: Final = escalation.product(EVENTS, MEMBER.sum(axis=1) * ANSWERS, 0, BOUND)
BAD: Final = escalation.product(EVENTS, 1, 1, BOUND) / escalation.product(EVENTS, 1, 0, BOUND)


def run(setting: Setting) -> Section:
    """The ledger's part of item 9."""
    _check()
    pages, first = _pages(setting)
    found, second = ledger_versions.measured(setting)
    return Section("ledger", (*pages, *found), (first, second))


def _check() -> None:
    """The compiled rounds are the library's: clean ones in closed form, and those with hits."""
    state, quick = esr.step(esr.init(DRIFT.shape), 50.0 * DRIFT, 0.0, np.ones(1)), 50.0 * DRIFT
    for _ in range(100):
        state = esr.step(state, DRIFT, 0.0, GOOD)
    until(quick, DRIFT, GOOD, BAD, MEMBER, ANSWERS, 1e-12, BUDGET, 100)
    assert np.allclose(quick, state.mass, rtol=1e-12)
    n = MEMBER.sum(axis=1) * ANSWERS
    assert np.allclose(GOOD * BAD**2, escalation.product(EVENTS, n, 2, BOUND), rtol=1e-12)


class Year(NamedTuple):
    """Pages; what the ledger expects at most; headstarts, hours, that it never saw."""

    pages: int
    expected: float
    unseen: float


def year(rule: str, rng: np.random.Generator) -> Year:
    """A healthy fleet-year. rule: "ledger"; "restart", a headstart at every restart besides;
    "version", one at every new version, as at a first start."""
    ledger, mass, unseen = *_first_start(), 0.0
    for at, kind in _calendar(rng):
        ledger, mass = _monitored(ledger, mass, at)
        before = ledger
        if kind == "restart":
            ledger = restored(orjson.loads(orjson.dumps(document(ledger))))
        elif kind == "version":
            ledger = books.step(ledger, Epoch(_now(ledger)))
        elif kind == "reload":
            ledger = books.step(ledger, Epoch(_reloaded(ledger, rng)))
        kept = books.survivors(before, ledger)
        mass = np.where(np.array([key in kept for key in KEYS])[:, None], mass, 0.0)
        if kind == rule:
            mass, unseen = mass + _headstarts(), unseen + float(_headstarts().sum())
    return Year(ledger.pages, books.expected_pages(ledger), unseen)


def _calendar(rng: np.random.Generator) -> list[tuple[int, str]]:
    """(round, kind) of what happens in a year, and its end."""
    restarts = rng.integers(1, YEAR, RESTARTS).tolist()
    reloads = rng.integers(1, YEAR, RELOADS).tolist()
    versions = [round(k * YEAR / VERSIONS) for k in range(1, VERSIONS)]
    found = [(t, "restart") for t in restarts] + [(t, "reload") for t in reloads]
    return sorted([*found, *((t, "version") for t in versions), (YEAR, "end")])


def _headstarts() -> Floats:
    """HEADSTART of the budget, divided by the weights: masses (V, K)."""
    weights = np.array([node.weight for node in NODES])
    return np.outer(HEADSTART * BUDGET * weights, EVENTS.weights)


def _first_start() -> tuple[Ledger, Floats]:
    ledger = books.step(books.init(BUDGET), Started(PARTS))
    for key, hours in zip(KEYS, _headstarts().sum(axis=1).tolist(), strict=True):
        ledger = books.step(ledger, Headstart(key, hours))
    return ledger, _headstarts()


def _monitored(ledger: Ledger, mass: Floats, at: int) -> tuple[Ledger, Floats]:
    """Ledger and masses at round `at`, pages on the way entered."""
    now = round(ledger.hours / EVERY)
    while now < at:
        rounds, loud = until(mass, DRIFT, GOOD, BAD, MEMBER, ANSWERS, BOUND, BUDGET, at - now)
        now += rounds
        ledger = books.step(ledger, Monitored(now * EVERY - ledger.hours))
        if loud >= 0:
            hours = HEADSTART * BUDGET
            ledger = books.step(books.step(ledger, Paged(KEYS[loud])), Headstart(KEYS[loud], hours))
            mass[loud] = hours * np.asarray(EVENTS.weights)
    return ledger, mass


def _now(ledger: Ledger) -> dict[Key, Part]:
    return {key: Part(a.weight, a.null) for key, a in ledger.accounts.items()}


def _reloaded(ledger: Ledger, rng: np.random.Generator) -> dict[Key, Part]:
    """Another null for one part, by chance."""
    key = KEYS[int(rng.integers(len(KEYS)))]
    part = ledger.accounts[key]
    return _now(ledger) | {key: Part(part.weight, f"{part.null} anew")}


def _pages(setting: Setting) -> tuple[list[Row], Table]:
    years = 400 if setting.full else 40
    rows, lines = [], []
    for rule in ("ledger", "restart", "version"):
        rng = np.random.default_rng(setting.seed)
        seeded(setting.seed)
        done = [year(rule, rng) for _ in range(years)]
        pages, mean = sum(y.pages for y in done), sum(y.expected for y in done)
        unseen = sum(y.unseen for y in done) / BUDGET
        lines.append((_RULES[rule], pages / years, mean / years, unseen / years, pages / mean))
        if rule == "ledger":
            most = mean + 1.65 * math.sqrt(mean)
            rows.append(Row("9", f"false pages in {years} fleet-years, ledger", pages,
                            f"<= {most:.0f}", pages <= most, *_poisson(pages)))  # fmt: skip
    header = ("rule", "pages a year", "ledger's bound", "bound of headstarts unseen", "ratio")
    note = (
        f"12 nodes, bounds met exactly; a year has {RESTARTS} restarts, {VERSIONS} versions, "
        f"{RELOADS} reloads that change a null; headstarts of {HEADSTART:g} A in all. "
        "ratio: pages over the ledger's bound, part of which overshoot leaves unused."
    )
    return rows, Table("Pages of healthy fleets", header, tuple(lines), note)


_RULES: Final[Mapping[str, str]] = {
    "ledger": "ledger",
    "restart": "headstart at every restart",
    "version": "headstart at every version",
}


def _poisson(count: int) -> tuple[float, float]:
    """95 % interval of a mean count (Garwood 1936)."""
    low = 0.0 if count == 0 else float(gammaincinv(count, 0.025))
    return low, float(gammaincinv(count + 1, 0.975))
