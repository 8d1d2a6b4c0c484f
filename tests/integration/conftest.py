"""Fixtures for tests against real servers (servers.py)."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from servers import AlertingStack, alerting_stack

StartAlerting = Callable[[str, str], AlertingStack]


@pytest.fixture
def start_alerting(tmp_path: Path) -> Iterator[StartAlerting]:
    """Starts Prometheus and Alertmanager over an exporter's base URL and a text of rules."""
    with contextlib.ExitStack() as stack:

        def start(exporter: str, rules: str) -> AlertingStack:
            return stack.enter_context(alerting_stack(tmp_path, exporter, rules))

        yield start
