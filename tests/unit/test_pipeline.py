"""pipeline.score: the probe's channels, in its order, whatever a scorer does."""

from __future__ import annotations

from collections.abc import Iterator

from qualmon.pipeline import score
from qualmon.scorers import CHANNELS, SCORERS, Case, Scorer, event
from qualmon.testing.answers import sample_probe
from qualmon.types import ChannelInfo, Completion, Score

ANSWER = Completion("fine", "stop")
SHOUT = ChannelInfo("shout.loud", "event", "baselined", "capitals", "all else", "a test")


def loud(case: Case) -> Iterator[Score]:
    """A plug-in that works."""
    yield event(SHOUT, case.completion.text.isupper())


def broken(case: Case) -> Iterator[Score]:
    """A plug-in that does not."""
    raise ZeroDivisionError(case.completion.text)


def test_only_the_probes_channels_in_its_order() -> None:
    """No more, no less, and the same each time."""
    wanted = ("finish.empty", "script.char", "finish.length", "finish.empty")
    scores = score(sample_probe(wanted), ANSWER, sampler={})
    assert [each.channel for each in scores] == ["finish.empty", "script.char", "finish.length"]
    assert scores == score(sample_probe(wanted), ANSWER, sampler={})


def test_every_builtin_channel_is_scored() -> None:
    """A probe may list the whole table; what the fold derives is left to the fold."""
    scores = score(sample_probe(tuple(CHANNELS)), ANSWER, sampler={})
    infos = [info for info in CHANNELS.values() if info.derived_from is None]
    assert [each.channel for each in scores] == [info.name for info in infos]
    assert [each.kind for each in scores] == [info.kind for info in infos]
    assert len(infos) == len(CHANNELS) - 1


def test_unknown_channel_gives_a_reason() -> None:
    """It does not vanish and does not raise."""
    for name in ("script.nonsense", "nonsense.run"):
        (only,) = score(sample_probe([name]), ANSWER, sampler={})
        assert only.value is None
        assert name in only.detail["reason"]


def test_plug_ins_join_by_family() -> None:
    """The table is an argument, not a global."""
    scorers = {**SCORERS, "shout": Scorer((SHOUT,), loud)}
    probe = sample_probe(["shout.loud"])
    assert score(probe, Completion("LOUD", "stop"), sampler={}, scorers=scorers)[0].value == 1.0


def test_a_broken_plug_in_silences_itself_alone() -> None:
    """Its channel says that it is broken; the others are judged."""
    scorers = {**SCORERS, "shout": Scorer((SHOUT,), broken)}
    probe = sample_probe(["shout.loud", "finish.empty"])
    shout, empty = score(probe, ANSWER, sampler={}, scorers=scorers)
    assert shout.value is None
    assert shout.detail["broken"]
    assert "ZeroDivisionError" in shout.detail["reason"]
    assert empty.value == 0.0
