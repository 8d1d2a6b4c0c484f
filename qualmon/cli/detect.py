"""``qualmon detect``: JSONL observations in, JSONL alarms out, under a false-alarm budget."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

if TYPE_CHECKING:
    from io import BufferedReader


class ScoreKind(StrEnum):
    """What `value` is: an event (0 or 1), or a score from 0 to 1; high is bad."""

    event = "event"
    bounded = "bounded"


class AfterAlarm(StrEnum):
    """What a stream does after its alarm: start from no evidence, or nothing more."""

    reset = "reset"
    stop = "stop"


def detect(
    arl: Annotated[float, typer.Option(help="Mean hours to a false alarm of each stream.")],
    baseline: Annotated[
        Path | None, typer.Option(help="JSONL lines of a healthy time: the reference.")
    ] = None,
    null_rate: Annotated[
        float | None, typer.Option(help="A declared healthy rate instead, in (0, 1).")
    ] = None,
    score_kind: Annotated[
        ScoreKind, typer.Option(help="event: 0, 1, true, false; bounded: 0 to 1. High is bad.")
    ] = ScoreKind.event,
    after_alarm: Annotated[
        AfterAlarm, typer.Option(help="Let the stream start anew, or leave it.")
    ] = AfterAlarm.reset,
) -> None:
    """Read JSONL observations on stdin, write JSONL alarms on stdout, a summary last.

    Exit 1 when there was an alarm; 2 when a line was bad (stderr says which; the rest is judged).
    """
    import sys

    from qualmon.cli.detect_run import Detection, references
    from qualmon.cli.tuning import tune_collector

    # Nothing here lies in cycles, and a block of lines is many small values.
    tune_collector()
    known = references(baseline, null_rate, score_kind.value)
    detection = Detection(arl, known, score_kind.value, stop=after_alarm is AfterAlarm.stop)
    detection.read(cast("BufferedReader", sys.stdin.buffer), sys.stdout.buffer)
    raise typer.Exit(detection.exit_code)
