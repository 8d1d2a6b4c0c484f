"""The ledger of the false-alarm budget: weights, headstarts, epochs and pages, as a pure fold.

A part is one (node, family) with its own mass S. With weights that sum to at most 1 at all
times and a page wherever S reaches the budget A, the sum of the masses less what the ledger
has granted is a supermartingale that loses A at each page, so

    expected false pages <= (weighted monitored hours + headstarts) / A <= (T + sum H) / A.

That holds only if nothing is granted outside the ledger: not at a restart, which restores this
state (`ledger_document`) and earns nothing, and not at a new version. `step` therefore refuses
every entry that would grant twice. Entries are values; `folded` rebuilds a ledger from its log.

An epoch declares all parts anew. A part whose null is unchanged keeps its epoch number and with
it its evidence; a part that is new or has another null starts at 0. A new version of one probe
leaves a null such as "every probe of the suite is bad at rate p0 at most" as it was: to drop
evidence at every version is to lose small faults (`benchmarks detection --only ledger`).

Source: optional stopping of the e-SR supermartingale; Shin, Ramdas, Rinaldo, "E-detectors"
(NEJSDS 2023, 10.51387/23-NEJSDS51).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from functools import reduce
from typing import NamedTuple

from qualmon.errors import StatisticsError
from qualmon.stats.ledger_entries import (
    Account,
    Added,
    Entry,
    Epoch,
    Headstart,
    Key,
    Lowered,
    Monitored,
    Paged,
    Part,
    Started,
    check_parts,
    check_sum,
    check_weight,
)


class Ledger(NamedTuple):
    """budget: hours per false page, A. hours: monitored so far. weighted: the same times the
    weights then in force. headstarts: hours. pages: of all parts, former ones too. epochs:
    declared so far, 0 before the first start."""

    budget: float
    hours: float = 0.0
    weighted: float = 0.0
    headstarts: float = 0.0
    pages: int = 0
    epochs: int = 0
    accounts: Mapping[Key, Account] = {}


def init(budget: float) -> Ledger:
    """An empty ledger with `budget` hours per false page; StatisticsError unless positive."""
    if not (math.isfinite(budget) and budget > 0.0):
        raise StatisticsError(f"budget {budget!r} hours", remedy="Give a positive number")
    return Ledger(budget)


def folded(budget: float, entries: Iterable[Entry]) -> Ledger:
    """The ledger after `entries`."""
    return reduce(step, entries, init(budget))


def total_weight(ledger: Ledger) -> float:
    """Sum of the weights in force, at most 1."""
    return math.fsum(account.weight for account in ledger.accounts.values())


def expected_pages(ledger: Ledger) -> float:
    """Upper bound on the expected number of false pages so far."""
    return (ledger.weighted + ledger.headstarts) / ledger.budget


def survivors(before: Ledger, after: Ledger) -> frozenset[Key]:
    """Parts whose evidence stays: the same epoch number, and no page between."""
    return frozenset(
        key
        for key, account in after.accounts.items()
        if key in before.accounts
        and (before.accounts[key].epoch, before.accounts[key].pages)
        == (account.epoch, account.pages)
    )


def step(ledger: Ledger, entry: Entry) -> Ledger:
    """The ledger after one entry.

    Raises StatisticsError, and changes nothing, for an entry that cannot be: a second first
    start, weights above what is left or rising inside an epoch, a headstart without credit or
    as high as the budget, unknown parts, numbers out of range.
    """
    match entry:
        case Started(parts):
            return _started(ledger, parts)
        case Epoch(parts):
            return _renewed(ledger, parts)
        case Added(key, part):
            return _added(ledger, key, part)
        case Lowered(key, weight):
            return _lowered(ledger, key, weight)
        case Monitored(hours):
            return _monitored(ledger, hours)
        case Paged(key):
            account = _account(ledger, key)
            paid = account._replace(pages=account.pages + 1, credit=ledger.hours)
            return _with(ledger, key, paid)._replace(pages=ledger.pages + 1)
        case Headstart(key, hours):
            return _headstart(ledger, key, hours)


def _started(ledger: Ledger, parts: Mapping[Key, Part]) -> Ledger:
    if ledger.epochs:
        raise StatisticsError(
            "a first start of a ledger that is in use",
            remedy="Restore its state; a restart earns nothing",
        )
    check_parts(parts)
    accounts = {key: Account(part.weight, part.null, 1, 0, 0.0) for key, part in parts.items()}
    return ledger._replace(epochs=1, accounts=accounts)


def _renewed(ledger: Ledger, parts: Mapping[Key, Part]) -> Ledger:
    _require_start(ledger)
    check_parts(parts)
    number = ledger.epochs + 1

    def account(key: Key, part: Part) -> Account:
        was = ledger.accounts.get(key)
        if was is not None and was.null == part.null:
            return was._replace(weight=part.weight)
        return Account(part.weight, part.null, number, was.pages if was else 0, None)

    accounts = {key: account(key, part) for key, part in parts.items()}
    return ledger._replace(epochs=number, accounts=accounts)


def _added(ledger: Ledger, key: Key, part: Part) -> Ledger:
    _require_start(ledger)
    if key in ledger.accounts:
        raise StatisticsError(f"part {key!r} is there already", remedy="Declare an epoch")
    check_weight(key, part.weight)
    check_sum(total_weight(ledger) + part.weight, 1.0)
    number = ledger.epochs + 1
    new = Account(part.weight, part.null, number, 0, None)
    return _with(ledger, key, new)._replace(epochs=number)


def _lowered(ledger: Ledger, key: Key, weight: float) -> Ledger:
    account = _account(ledger, key)
    check_weight(key, weight)
    if weight > account.weight:
        raise StatisticsError(
            f"weight of {key!r} from {account.weight!r} to {weight!r}",
            remedy="Inside an epoch weights only fall; declare an epoch",
        )
    return _with(ledger, key, account._replace(weight=weight))


def _monitored(ledger: Ledger, hours: float) -> Ledger:
    _require_start(ledger)
    if not (math.isfinite(hours) and hours >= 0.0):
        raise StatisticsError(f"{hours!r} monitored hours", remedy="Time does not go back")
    return ledger._replace(
        hours=ledger.hours + hours, weighted=ledger.weighted + total_weight(ledger) * hours
    )


def _headstart(ledger: Ledger, key: Key, hours: float) -> Ledger:
    account = _account(ledger, key)
    if account.credit != ledger.hours:
        raise StatisticsError(
            f"a headstart of {key!r} that no page and no first start has just earned",
            remedy="Take it once, before the next monitored hour",
        )
    if not 0.0 <= hours < ledger.budget:
        raise StatisticsError(
            f"a headstart of {hours!r} hours", remedy=f"Stay in [0, {ledger.budget!r})"
        )
    spent = _with(ledger, key, account._replace(credit=None))
    return spent._replace(headstarts=ledger.headstarts + hours)


def _with(ledger: Ledger, key: Key, account: Account) -> Ledger:
    return ledger._replace(accounts={**ledger.accounts, key: account})


def _account(ledger: Ledger, key: Key) -> Account:
    if key not in ledger.accounts:
        raise StatisticsError(f"no part {key!r}", remedy="Declare it by an epoch or add it")
    return ledger.accounts[key]


def _require_start(ledger: Ledger) -> None:
    if not ledger.epochs:
        raise StatisticsError("a ledger before its first start", remedy="Enter Started first")
