"""Every built-in scorer keeps the contract that plug-ins must keep."""

from __future__ import annotations

from qualmon.scorers import CHANNELS, SCORERS, derived, is_derived
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


class TestCopy(ScorerContract):
    """copy.*"""

    scorer = SCORERS["copy"]


class TestAnswer(ScorerContract):
    """answer.*"""

    scorer = SCORERS["answer"]


class TestDraw(ScorerContract):
    """draw.*"""

    scorer = SCORERS["draw"]


class TestFinish(ScorerContract):
    """finish.*"""

    scorer = SCORERS["finish"]


def test_table_and_scorers_agree() -> None:
    """Each channel of the table is judged by the scorer of its family, or derived by the fold."""
    judged = {info.name for scorer in SCORERS.values() for info in scorer.channels}
    assert judged == {name for name in CHANNELS if not is_derived(name)}


def test_derived_channels_come_from_channels_that_are_judged() -> None:
    """novelty.token comes with draw.token, and with nothing else."""
    assert derived(["draw.token", "script.run"]) == ("novelty.token",)
    assert derived(["script.run", "novelty.token"]) == ()
    judged = {info.name for scorer in SCORERS.values() for info in scorer.channels}
    assert {info.derived_from for info in CHANNELS.values()} <= {None, *judged}
