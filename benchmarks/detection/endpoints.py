"""Real endpoints: hidden states, steps once a month, misrouting of a share; who alarms falsely.

First the channels that were measured before (nominal one alarm a year on a healthy endpoint), on
four models of an endpoint; then the shipped novelty channel with audit and partial test, over
simulated years with a complete step a month, and with a share of the sessions in another state.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.random import Generator

from benchmarks.detection import endpoint_channels as channels
from benchmarks.detection.endpoint_models import MODELS, Draws, Model, drawn, states
from benchmarks.detection.endpoint_year import (
    ALPHA,
    FAULT_DAY,
    KINDS,
    MONTH,
    Case,
    Found,
    Year,
    decided,
    simulate,
)
from benchmarks.report import Row, Section, Setting, Table
from qualmon.stats import partial
from qualmon.stats.bets.novelty import NOVELTY_BOUND, missed
from qualmon.stats.bounds import stands_out, upper_limit
from qualmon.stats.esr import Floats
from qualmon.stats.partial import Sessions

DRAWS: Final = 200
REFERENCE: Final = 30
YEAR: Final = 365
SCREENED: Final = "novelty, 30 days, five sessions a day, screened"
#: False alarms a year as published for the four models, in their order.
PUBLISHED: Final = {
    "naive: averaged, plug-in rate of 5 sessions": (0.0, 0.0, 8.0, 18.0),
    "controlled, fixed offset": (1.4, 17.0, 100.0, 59.0),
    "controlled, random effect .01": (0.5, 11.0, 67.0, 37.0),
    "novelty, reference of 30 sessions": (0.0, 0.0, 0.0, 0.0),
    "novelty, reference of 10 sessions": (0.0, 0.0, 4.8, 3.3),
    SCREENED: (0.01, 0.01, 0.01, 0.01),
}
#: A published figure counts as reproduced within this part of it, or this many a year.
WITHIN_PART, WITHIN = 0.3, 1.5
SCHEDULES: Final = ((5, 40), (20, 10))
SHARES: Final = (0.02, 0.16)


def run(setting: Setting) -> Section:
    """False pages, change tickets and partial incidents."""
    _agrees_with_the_library(setting.seed)
    rates = _channel_rates(setting)
    years = {
        case: simulate(
            case, *_size(case, setting), np.random.default_rng((setting.seed, 41, number))
        )
        for number, case in enumerate(_cases())
    }
    tables = (_channel_table(rates), _year_table(years, setting), _confusion(years))
    return Section("endpoints", (*_channel_rows(rates), *_year_rows(years, setting)), tables)


def _cases() -> list[Case]:
    return [
        Case(model, sessions, draws, share, steps=share == 0.0)
        for sessions, draws in SCHEDULES
        for model in MODELS
        for share in (0.0, *SHARES)
    ]


def _size(case: Case, setting: Setting) -> tuple[int, int]:
    """(endpoints, days)"""
    if case.steps:
        return (240 if setting.full else 40), YEAR
    return (240 if setting.full else 60), FAULT_DAY + 160


# --- channels as published ---


def _channel_rates(setting: Setting) -> dict[str, list[tuple[float, float]]]:
    """By channel: (mean, standard error) of false alarms a year for each model."""
    found: dict[str, list[tuple[float, float]]] = {}
    for number, model in enumerate(MODELS):
        rng = np.random.default_rng((setting.seed, 40, number))
        for name, value in _channels(model, 2000 if setting.full else 300, rng).items():
            error = float(value.std() / np.sqrt(len(value)))
            found.setdefault(name, []).append((float(value.mean()), error))
    return found


def _channels(model: Model, endpoints: int, rng: Generator) -> dict[str, Floats]:
    days = REFERENCE + YEAR
    ours, theirs = states(model, endpoints, days, 1, rng)
    target = drawn(model, ours, DRAWS, rng)
    partner = drawn("stable" if model == "two states" else model, theirs, DRAWS, rng)
    year = range(REFERENCE, days)
    one, other = channels.discordant(target, partner, DRAWS, rng)
    chance = channels.plug_in(one, other, REFERENCE)
    hits = target.events[..., 0].astype(np.float64)

    def count(factors: channels.Factors) -> Floats:
        return channels.alarms(factors, year, endpoints)

    return {
        "naive: averaged, plug-in rate of 5 sessions": count(
            channels.averaged(target.events / DRAWS, _plug_in(hits, 5))
        ),
        "naive: every draw multiplies, 30 sessions": count(
            channels.multiplied(hits, DRAWS, _plug_in(hits, REFERENCE))
        ),
        "controlled, fixed offset": count(channels.paired(one, other, chance)),
        "controlled, random effect .01": count(channels.random_effect(one, other, chance, 0.01)),
        "controlled, random effect .02": count(channels.random_effect(one, other, chance, 0.02)),
        "novelty, reference of 30 sessions": count(_novelty(target, DRAWS, REFERENCE)),
        "novelty, reference of 10 sessions": count(_novelty(target, DRAWS, 10)),
        SCREENED: _screened(model, endpoints, rng),
    }


def _plug_in(hits: Floats, sessions: int) -> Floats:
    return np.asarray((hits[:, :sessions].sum(axis=1) + 0.5) / (sessions * DRAWS + 1.0))


def _novelty(found: Draws, draws: int, reference: int) -> channels.Factors:
    """Every draw multiplies against the bound, as published."""
    shares = channels.novel_share(found, draws, reference)
    null = np.full(len(shares), NOVELTY_BOUND)
    return channels.multiplied(draws * shares.sum(axis=2), draws * shares.shape[2], null)


def _screened(model: Model, endpoints: int, rng: Generator) -> Floats:
    """Five sessions a day; a prompt leaves where a session of its reference stands out.

    A day is a look, as its sessions share their state under a common factor."""
    sessions, draws = 5, DRAWS // 5
    days, reference = REFERENCE + YEAR, REFERENCE * sessions
    rarer, _ = states(model, endpoints, days, sessions, rng)
    found = drawn(model, rarer, draws, rng)
    seen = found.events.reshape(endpoints, -1)[:, :reference]
    kept = np.array([not _dispersed(row, draws) for row in seen])
    year = range(REFERENCE, days)
    alarms = channels.alarms(_novelty(found, draws, reference), year, endpoints)
    return np.where(kept, alarms, 0.0)


def _dispersed(events: np.ndarray[tuple[int], np.dtype[np.int64]], draws: int) -> bool:
    rate = (events.sum() + 0.5) / (draws * len(events) + 1.0)
    return any(stands_out(draws, int(x), float(rate), len(events)) for x in events)


def _is_reproduced(value: float, error: float, published: float) -> bool:
    return abs(value - published) <= max(WITHIN, WITHIN_PART * published, 2.0 * error)


def _channel_rows(rates: dict[str, list[tuple[float, float]]]) -> tuple[Row, ...]:
    off = [
        f"{name}, {model}: {value:.2g} for {published:g}"
        for name, figures in PUBLISHED.items()
        for model, (value, error), published in zip(MODELS, rates[name], figures, strict=True)
        if not _is_reproduced(value, error, published)
    ]
    cells = sum(len(figures) for figures in PUBLISHED.values())
    return (
        Row(
            "7",
            "published false alarms a year that are reproduced",
            float(cells - len(off)),
            f"all {cells}",
            not off,
            note="; ".join(off) or f"within {WITHIN_PART:.0%} or {WITHIN} a year",
        ),
    )


def _channel_table(rates: dict[str, list[tuple[float, float]]]) -> Table:
    rows: list[tuple[float | str | None, ...]] = []
    for name, figures in rates.items():
        rows.append((name, *(value for value, _ in figures)))
        if name in PUBLISHED:
            rows.append(("   as published", *PUBLISHED[name]))
    return Table(
        "False alarms per healthy endpoint-year, nominal one, one session of 200 draws a day",
        ("channel", *MODELS),
        tuple(rows),
        note="Left open by the description and chosen here: event rates by state, the shared part "
        "of the common factor (.4), the naive reference (5 sessions), rho below its bound (.01), "
        "a partner with one state beside the endpoint with two. A stretch of days in one state "
        "would raise the naive channel under a common factor, and novelty at 10 with it.",
    )


# --- the shipped channel ---


def _is_page(found: Found) -> bool:
    return KINDS[found.kind] == "partial" and found.proven


def _year_rows(years: dict[Case, Year], setting: Setting) -> list[Row]:
    rows = []
    for sessions, draws in SCHEDULES:
        name = f"{sessions} x {draws}"
        healthy = {case: y for case, y in years.items() if case.steps and case.sessions == sessions}
        for case, year in healthy.items():
            rows.append(_false_pages(case, year, _size(case, setting)[0], name))
        rows.append(_changes(list(healthy.values()), name))
        for share in SHARES:
            faulty = [y for c, y in years.items() if c.share == share and c.sessions == sessions]
            rows.append(_parts(faulty, share, name))
    return rows


def _false_pages(case: Case, year: Year, endpoints: int, name: str) -> Row:
    pages = sum(1 for one in year.found if _is_page(one) and not one.real)
    low, high = _poisson(pages)
    return Row(
        "7",
        f"{case.model}, {name}: false pages besides steps",
        pages / endpoints,
        "<= 1",
        pages <= endpoints,
        low / endpoints,
        high / endpoints,
        unit="a year",
    )


def _poisson(count: int) -> tuple[float, float]:
    """95 % interval of a Poisson mean, by the binomial limits of a rare event."""
    many = 10**6
    low = 0.0 if count == 0 else many * (1.0 - upper_limit(many, many - count, 0.975))
    return low, many * upper_limit(many, count, 0.975)


def _changes(years: list[Year], name: str) -> Row:
    kinds = [KINDS[one.kind] for year in years for one in year.found if one.real]
    good = kinds.count("change")
    return _proportion(f"complete steps become change tickets, {name}", good, len(kinds), 0.95)


def _parts(years: list[Year], share: float, name: str) -> Row:
    kinds = [KINDS[one.kind] for year in years for one in _firsts(year)]
    good = kinds.count("partial")
    case = f"{share:.0%} of sessions become partial incidents, {name}"
    return _proportion(case, good, len(kinds), 0.95)


def _proportion(case: str, good: int, of: int, target: float) -> Row:
    low = 1.0 - upper_limit(of, of - good, 0.975)
    high = upper_limit(of, good, 0.975)
    value = good / of if of else 0.0
    return Row("7", case, value, f">= {target}", value >= target, low, high, note=f"of {of}")


def _firsts(year: Year) -> list[Found]:
    """The first incident of each endpoint after its fault began."""
    found: dict[int, Found] = {}
    for one in year.found:
        if one.real:
            found.setdefault(one.endpoint, one)
    return list(found.values())


def _year_table(years: dict[Case, Year], setting: Setting) -> Table:
    rows = []
    for case, year in years.items():
        if not case.steps:
            continue
        endpoints = _size(case, setting)[0]
        real = [one for one in year.found if one.real]
        other = [one for one in year.found if not one.real]
        rows.append(
            (
                f"{case.model}, {case.sessions} x {case.draws}",
                sum(map(_is_page, other)) / endpoints,
                (len(other) - sum(map(_is_page, other))) / endpoints,
                sum(map(_is_page, real)) / endpoints,
                year.steps / endpoints,
                1.0 - len(real) / year.steps,
                year.watching,
            )
        )
    return Table(
        f"The shipped channel over a year with a complete step every {MONTH} days",
        (
            "model, sessions x draws a day",
            "false pages",
            "false tickets",
            "steps paged",
            "steps",
            "part of them unseen",
            "part of time watched",
        ),
        tuple(rows),
        note="Per endpoint-year. Steps are unseen while a reference is being learned (30 sessions "
        "over 10 days, from the accepted alarm on) or another step is being judged. One of 30 "
        f"sessions misses a state of 26 % with chance {missed(0.26, 30):.1e}, 10 days of one "
        f"shared state with {missed(0.26, 10):.2f}: those open tickets, as the bound is unproven.",
    )


def _confusion(years: dict[Case, Year]) -> Table:
    rows = []
    for sessions, draws in SCHEDULES:
        for share in (0.0, *SHARES):
            group = [y for c, y in years.items() if c.share == share and c.sessions == sessions]
            found = [
                one
                for year in group
                for one in (_firsts(year) if share else [f for f in year.found if f.real])
            ]
            rows.append((f"{_truth(share)}, {sessions} x {draws}", *_line(found)))
    return Table(
        "Told apart: verdict by truth, all four models together",
        (
            "truth, sessions x draws a day",
            "partial",
            "change",
            "undecided",
            "incidents",
            "paged",
            "alarm after days (median)",
            "90 %",
            "verdict after days more",
            "90 %",
        ),
        tuple(rows),
        note=f"alpha {ALPHA} for each wrong verdict. Partial faults from day {FAULT_DAY} on. "
        "Paged: partial, and the bound proven by the endpoint's own answers when the alarm came.",
    )


def _truth(share: float) -> str:
    return f"{share:.0%} of sessions moved" if share else "complete step"


def _line(found: list[Found]) -> tuple[float | None, ...]:
    if not found:
        return (None,) * 9
    kinds = [KINDS[one.kind] for one in found]
    alarm = [one.since for one in found]
    verdict = [one.day - one.alarm for one in found]
    return (
        *(kinds.count(kind) / len(kinds) for kind in ("partial", "change", "undecided")),
        float(len(found)),
        sum(map(_is_page, found)) / len(found),
        *(float(np.quantile(alarm, q)) for q in (0.5, 0.9)),
        *(float(np.quantile(verdict, q)) for q in (0.5, 0.9)),
    )


def _agrees_with_the_library(seed: int) -> None:
    """The batch verdict on a few paths is the library's, session by session."""
    rng = np.random.default_rng((seed, 42))
    moved = rng.random((6, 20)) < np.array([[1.0], [1.0], [0.5], [0.2], [0.02], [0.0]])
    novel = rng.binomial(40, np.where(moved, 0.4, 0.001))
    kinds = decided(Sessions(np.full_like(novel, 40), novel))
    for row, kind in zip(novel, kinds, strict=True):
        state = partial.init()
        for count in row:
            state = partial.step(state, 40, int(count))
        assert partial.verdict(state, alpha=ALPHA).kind == KINDS[kind]
