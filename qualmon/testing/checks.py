"""Assertions for conformance suites: they say what was found, without a test framework."""

from __future__ import annotations

from typing import Any, NoReturn


def fail(message: str) -> NoReturn:
    """Raises AssertionError."""
    raise AssertionError(message)


def check(condition: object, message: str) -> None:
    """Raises AssertionError with `message` unless `condition` holds."""
    if not condition:
        fail(message)


def check_equal(found: Any, wanted: Any, what: str) -> None:
    """Raises AssertionError that shows both values unless they are equal."""
    check(found == wanted, f"{what}: found {found!r}, wanted {wanted!r}")
