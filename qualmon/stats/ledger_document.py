"""The ledger as a JSON-ready document, and back: what a restart restores."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from qualmon.errors import StatisticsError
from qualmon.stats import ledger as books
from qualmon.stats.ledger import Ledger
from qualmon.stats.ledger_entries import Account, Key

_NUMBERS = ("budget", "hours", "weighted", "headstarts", "pages", "epochs")


def document(ledger: Ledger) -> dict[str, Any]:
    """Numbers, texts and lists only; parts in the order of their keys."""
    parts = [[*key, *account] for key, account in sorted(ledger.accounts.items())]
    return {name: getattr(ledger, name) for name in _NUMBERS} | {"parts": parts}


def restored(stored: Mapping[str, Any]) -> Ledger:
    """The ledger that `document` wrote; equal to the original to the last bit.

    Raises StatisticsError for a document that no sequence of entries can have led to.
    """
    try:
        accounts = dict(_account(row) for row in stored["parts"])
        ledger = Ledger(**{name: stored[name] for name in _NUMBERS}, accounts=accounts)
        wrong = _wrong(ledger)
    except (KeyError, TypeError, ValueError) as error:
        raise _refused(repr(error)) from error
    if wrong:
        raise _refused(wrong)
    return ledger


def _account(row: list[Any]) -> tuple[Key, Account]:
    node, family, *rest = row
    return (node, family), Account(*rest)


def _refused(reason: str) -> StatisticsError:
    return StatisticsError(f"a stored ledger with {reason}", remedy="Rebuild it from its log")


def _wrong(ledger: Ledger) -> str:
    """The first thing that cannot be, or nothing."""
    accounts = ledger.accounts.values()
    amounts = [ledger.hours, ledger.weighted, ledger.headstarts]
    checks = {
        "a budget that is not positive": math.isfinite(ledger.budget) and ledger.budget > 0.0,
        "negative or infinite hours": all(math.isfinite(a) and a >= 0.0 for a in amounts),
        "more weighted than monitored hours": ledger.weighted <= ledger.hours * (1.0 + 1e-9),
        "weights above 1": books.total_weight(ledger) <= 1.0 + 1e-9,
        "a weight outside (0, 1]": all(0.0 < a.weight <= 1.0 for a in accounts),
        "pages that do not add up": sum(a.pages for a in accounts) <= ledger.pages,
        "negative pages": all(a.pages >= 0 for a in accounts),
        "an epoch not yet declared": all(1 <= a.epoch <= ledger.epochs for a in accounts),
    }
    return next((name for name, holds in checks.items() if not holds), "")
