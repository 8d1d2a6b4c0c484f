"""Every built-in scorer keeps the contract that plug-ins must keep."""

from __future__ import annotations

from qualmon.scorers import CHANNELS, SCORERS
from qualmon.testing.scorers import ScorerContract


class TestScripts(ScorerContract):
    """script.*"""

    scorer = SCORERS["script"]


class TestTokens(ScorerContract):
    """token.*"""

    scorer = SCORERS["token"]


class TestLogprobs(ScorerContract):
    """logprob.*"""

    scorer = SCORERS["logprob"]


class TestCode(ScorerContract):
    """code.*"""

    scorer = SCORERS["code"]


class TestFinish(ScorerContract):
    """finish.*"""

    scorer = SCORERS["finish"]


def test_table_and_scorers_agree() -> None:
    """Each channel of the table is judged by the scorer of its family."""
    judged = {info.name for scorer in SCORERS.values() for info in scorer.channels}
    assert judged == set(CHANNELS)
