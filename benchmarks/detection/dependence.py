"""Requirement 5: seasons, clusters, crossed shocks and day effects, the naive way beside ours."""

from __future__ import annotations

from benchmarks.detection.dependence_counts import (
    NOMINAL,
    RATE,
    Bet,
    any_shape,
    averaged,
    delay,
    logit_normal,
    mixture,
    product,
    random_effect,
    run_length,
    two_states,
)
from benchmarks.detection.dependence_days import days, refusals
from benchmarks.detection.dependence_report import Figure, at_least, ratio, shown
from benchmarks.detection.dependence_seasons import seasons
from benchmarks.report import Row, Section, Setting, Table
from qualmon.stats.bets import beta_binomial_pmf

CELLS = 200
CLUSTER = 10
_SHARES = (0.02, 0.05, 0.16)

Line = tuple[float | str | None, ...]


def run(setting: Setting) -> Section:
    """Item 5: seasons, clusters, crossed shocks and day effects."""
    parts = [f(setting) for f in (seasons, clusters, rounds, other_shocks, days, refusals)]
    rows = tuple(row for found, _ in parts for row in found)
    return Section("dependence", rows, tuple(table for _, table in parts))


def clusters(setting: Setting) -> tuple[tuple[Row, ...], Table]:
    """Ten answers that share a rate, intraclass correlation .3."""
    ours = (averaged(CLUSTER), random_effect(CLUSTER, 0.3))
    return _compared(
        f"clusters of {CLUSTER}", CLUSTER, {0.3: ours}, NOMINAL // CLUSTER, "clusters", setting
    )


def rounds(setting: Setting) -> tuple[tuple[Row, ...], Table]:
    """A platform node of 200 cells with a shock per round; the bound is right, or .02 for all."""
    wide = random_effect(CELLS, 0.02)
    cases: dict[float, tuple[Bet, ...]] = {0.0: (random_effect(CELLS, 0.0), wide)}
    for icc in (0.001, 0.005, 0.02):
        cases[icc] = (random_effect(CELLS, icc), any_shape(CELLS, icc))
        cases[icc] += () if icc == 0.02 else (wide,)
    return _compared(f"rounds of {CELLS} cells", CELLS, cases, NOMINAL, "rounds", setting)


def _compared(
    what: str,
    n: int,
    cases: dict[float, tuple[Bet, ...]],
    nominal: int,
    unit: str,
    setting: Setting,
) -> tuple[tuple[Row, ...], Table]:
    """Run lengths of ours and of the naive product at each correlation; delays and prices.

    The price is the delay on independent answers over that of the product there.
    """
    runs = 3000 if setting.full else 500
    naive = product(n)
    calm = [delay(naive, 0.0, share, nominal, setting, runs) for share in _SHARES]
    rows: list[Row] = []
    lines: list[Line] = []
    for icc, ours in cases.items():
        law = beta_binomial_pmf(n, RATE, icc)
        lines.append(
            (icc, naive.name, run_length(naive, law, nominal, setting, runs).value, *[None] * 6)
        )
        for bet in ours:
            long = run_length(bet, law, nominal, setting, runs)
            rows.append(
                at_least("5", f"{what}, ICC {icc:g}, {bet.name}: run length", long, nominal, unit)
            )
            lines.append((icc, bet.name, long.value, *_costs(bet, icc, calm, nominal, setting)))
    shares = [f"delay at {share:.0%}" for share in _SHARES]
    header = ("ICC", "bet", "run length", *shares, *(f"price at {s:.0%}" for s in _SHARES))
    free = ", ".join(f"{figure.value:.3g}" for figure in calm)
    note = f"Delays at the true ICC; on independent answers the product needs {free} {unit}."
    title = f"Shared shocks in {what}, p0 {RATE:g}, nominal {nominal:,} {unit}"
    return tuple(rows), Table(title, header, tuple(lines), note)


def _costs(bet: Bet, icc: float, calm: list[Figure], nominal: int, setting: Setting) -> Line:
    runs = 2000 if setting.full else 400
    shaken = [delay(bet, icc, share, nominal, setting, runs) for share in _SHARES]
    free = [delay(bet, 0.0, share, nominal, setting, runs) for share in _SHARES]
    prices = [ratio(figure, base) for figure, base in zip(free, calm, strict=True)]
    return (*(figure.value for figure in shaken), *prices)


def other_shocks(setting: Setting) -> tuple[tuple[Row, ...], Table]:
    """Shocks with a heavier tail than the beta's break its bound, not the bets on moments."""
    runs = 1000 if setting.full else 300
    rows: list[Row] = []
    lines: list[Line] = []
    for icc in (0.001, 0.005, 0.02):
        beta, moments, naive = random_effect(CELLS, icc), any_shape(CELLS, icc), product(CELLS)
        laws = {"logit-normal": logit_normal(icc), "bad in 1 % of rounds": two_states(icc)}
        for name, rates in laws.items():
            law = mixture(CELLS, rates)
            found = [run_length(bet, law, NOMINAL, setting, runs) for bet in (moments, beta, naive)]
            lines.append((icc, name, *(figure.value for figure in found)))
            case = f"shocks {name}, ICC {icc:g}"
            rows.append(at_least("5", f"{case}, moments: run length", found[0], NOMINAL, "rounds"))
            note = "outside the stated null: no promise"
            rows.append(shown("5", f"{case}, beta bound: run length", found[1], "rounds", note))
    header = ("ICC", "healthy shocks", "moments", "beta-binomial", "product")
    title = f"Other shocks than beta in rounds of {CELLS} cells, nominal {NOMINAL:,} rounds"
    return tuple(rows), Table(title, header, tuple(lines))
