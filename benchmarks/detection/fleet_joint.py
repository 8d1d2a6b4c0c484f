"""The fleet with rates by prompt and, in every fifth cell, a token bet."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from benchmarks.detection.fleet_joint_kernels import Answers, Place, Rule, joint_passages
from benchmarks.detection.fleet_kernels import Floats
from benchmarks.detection.fleet_model import (
    CELLS,
    MODELS,
    PLATFORMS,
    RATE,
    ROUTES,
    RUN_LENGTH,
    Estimate,
    bets,
    mean_of,
    run_length,
    weights,
)
from benchmarks.report import Part, Row, Setting, Table
from qualmon.stats.baselines import empirical_bayes
from qualmon.stats.bets.tokens import drop_products, drop_ratio
from qualmon.stats.grids import DROP_GRID

#: Prompts, and the Beta law of their healthy rates: mean 2 %, median .2 %.
_PROMPTS: Final = 200
_LAW: Final = (0.3, 14.7)
_FLOOR: Final = empirical_bayes.FLOOR
#: A day of rounds every five minutes: each prompt is asked five times a round.
_REFERENCE: Final = 288 * 5
_TOKENS: Final = 60
#: A faulty answer's sampler drops the most probable token with this chance.
_DROP: Final = 0.05
_BINS: Final = 96
_CHANGE: Final = 200
_SHARE: Final = 0.008
_NODE: Final = 2


#: The blame is read again an hour after the alarm.
_LATER: Final = 12


class _Tokens(NamedTuple):
    """Law of an answer's token e-value in bins: e-values, and cumulative laws."""

    ratios: Floats
    healthy: Floats
    faulty: Floats


class _Case(NamedTuple):
    name: str
    answers: Answers
    families: tuple[float, float]


class _Measured(NamedTuple):
    delay: Estimate
    right: Estimate
    later: Estimate
    healthy: Estimate | None


def run(setting: Setting) -> Part:
    """Every source of evidence alone and joined, at ICC 0 and with shocks."""
    table: list[tuple[float | str | None, ...]] = []
    rows: list[Row] = []
    for case in _cases(np.random.default_rng(setting.seed), setting):
        found = _measured(case, setting)
        healthy = (None, None, None) if found.healthy is None else found.healthy
        table.append((case.name, *found.delay, found.right.value, found.later.value, *healthy))
        rows += _rows(case, found)
    title = "Platform .8 % with rates by prompt (Beta(.3, 14.7)) and token bets in a fifth of cells"
    header = (
        *("evidence", "delay", "low", "high", "node right", "an hour later"),
        *("healthy run length", "low", "high"),
    )
    note = (
        f"A token answer has {_TOKENS} tokens; a faulty one drops the top token with {_DROP:.0%}."
        f" Learned: {_REFERENCE:,} reference answers a prompt, frozen. Half the weight to each of"
        " two families; an hour later the place is ranked by both at once. Events multiply at ICC"
        " 0 and are counted, at the pooled rate, with shocks."
    )
    return Part(tuple(rows), (Table(title, header, tuple(table), note),))


def _rows(case: _Case, found: _Measured) -> list[Row]:
    if found.healthy is None or case.families != _BOTH:
        return []
    name, healthy = f"platform .8 %, {case.name}", found.healthy
    met = found.delay.value <= 45.0
    return [
        Row("6", f"{name}: delay", found.delay.value, "<= 45", met, *found.delay[1:], "rounds"),
        Row(
            "6",
            f"{name}: node right an hour later",
            found.later.value,
            ">= .95",
            found.later.value >= 0.95,
            found.later.low,
            min(1.0, found.later.high),
            note=f"{found.right.value:.2f} at the alarm: one answer's tokens can set it off",
        ),
        Row(
            "6",
            f"{name}: run length",
            healthy.value,
            ">= 10,000",
            healthy.value >= RUN_LENGTH,
            *healthy[1:],
            "rounds",
        ),
    ]


_BOTH: Final = (0.5, 0.5)


def _cases(rng: np.random.Generator, setting: Setting) -> list[_Case]:
    rates = rng.beta(*_LAW, _PROMPTS)
    rates *= RATE / rates.mean()
    known = np.maximum(rates, _FLOOR)
    hits = rng.binomial(_REFERENCE, rates).astype(np.float64)
    n = np.full(_PROMPTS, float(_REFERENCE))
    prior = empirical_bayes.inflated(empirical_bayes.fit(hits, n), hits, n)
    learned = empirical_bayes.rate(prior, hits, n)
    tokens = _tokens(rng, 40_000 if setting.full else 10_000)
    pooled = np.full(_PROMPTS, RATE)
    by_event, by_token = (1.0, 0.0), (0.0, 1.0)
    return [
        _Case("pooled rate", Answers(rates, pooled, *tokens, 0.0, False), by_event),
        _Case("rates by prompt", Answers(rates, known, *tokens, 0.0, False), by_event),
        _Case("learned rates by prompt", Answers(rates, learned, *tokens, 0.0, False), by_event),
        _Case("tokens", Answers(rates, known, *tokens, 0.0, False), by_token),
        _Case("learned rates + tokens", Answers(rates, learned, *tokens, 0.0, False), _BOTH),
        *(
            _Case(
                f"counts + tokens, shocks of ICC {icc:g}",
                Answers(rates, pooled, *tokens, icc, True),
                _BOTH,
            )
            for icc in (0.001, 0.005)
        ),
    ]


def _measured(case: _Case, setting: Setting) -> _Measured:
    """Healthy run lengths are the dear part: by default of the joined evidence alone."""
    there = Place(PLATFORMS, MODELS, ROUTES, 1, _SHARE, _CHANGE)
    runs, controls, limit = (300, 12, 20_000) if setting.full else (40, 4, 10_000)
    if case.families == _BOTH:
        runs = max(runs, 200)
    rule = Rule(bets(case.answers.icc), _node_weights(), np.array(case.families), RUN_LENGTH)
    found, blamed, later = joint_passages(
        there, case.answers, rule, _LATER, runs, 3000, setting.seed
    )
    healthy = None
    if setting.full or case.families == _BOTH:
        well = there._replace(share=0.0, change=0)
        times, _, _ = joint_passages(well, case.answers, rule, 0, controls, limit, setting.seed + 1)
        healthy = run_length(times, limit)
    right, after = (mean_of((nodes == _NODE).astype(np.float64)) for nodes in (blamed, later))
    return _Measured(mean_of(found), right, after, healthy)


def _node_weights() -> Floats:
    return np.repeat(weights(), (1, PLATFORMS, MODELS, PLATFORMS * MODELS, CELLS))


def _tokens(rng: np.random.Generator, size: int) -> _Tokens:
    """Answers are drawn from the mixture over drop chances that the bet is, so that reweighting by
    its exact likelihood ratio gives the healthy law far into the tail; the shipped bet (floor and
    deflation) is evaluated on them, and its healthy mean kept in each bin."""
    drops = rng.choice(np.array(DROP_GRID), size)
    shipped, exact = _e_values(rng, drops)
    faulty, _ = _e_values(rng, np.full(size, _DROP))
    edges = np.unique(np.quantile(shipped, np.linspace(0.0, 1.0, _BINS + 1)[1:-1]))
    place, struck = np.searchsorted(edges, shipped), np.searchsorted(edges, faulty)
    mass = np.bincount(place, 1.0 / exact, len(edges) + 1)
    ratios = np.bincount(place, shipped / exact, len(edges) + 1) / mass
    law = np.bincount(struck, minlength=len(edges) + 1)
    return _Tokens(ratios, np.cumsum(mass / mass.sum()), np.cumsum(law / law.sum()))


def _e_values(rng: np.random.Generator, drops: Floats) -> tuple[Floats, Floats]:
    """(shipped, exact) e-values of chat answers, whose top tokens are dropped with `drops`."""
    shape = (len(drops), _TOKENS)
    peaked = rng.random(shape) < 0.6
    low, high = np.where(peaked, -6.0, -2.0), np.where(peaked, -2.0, np.log10(0.9))
    tail = 10.0 ** (low + (high - low) * rng.random(shape))
    hit = (rng.random(shape) < tail) | (rng.random(shape) < drops[:, None])
    both = (drop_ratio(hit, tail), drop_ratio(hit, tail, floor=0.0, deflation=1.0))
    shipped, exact = (
        np.array([drop_products(r[h], _TOKENS).mean() for r, h in zip(ratios, hit, strict=True)])
        for ratios in both
    )
    return shipped, exact
