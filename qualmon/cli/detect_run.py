"""How ``qualmon detect`` goes through its input: one watched stream per name."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import orjson

from qualmon.cli.detect_baseline import Baseline
from qualmon.cli.detect_lines import BadLineError, Observation, Times, judged
from qualmon.cli.jsonl import Readable
from qualmon.errors import UsageError
from qualmon.stats.score_valuation import DeclaredMean
from qualmon.stats.stream import Alarm, Stream
from qualmon.stats.valuation import Valuation, declared

#: What is remembered of a line: its number, and its time as written.
Mark = tuple[int, float | str | None]


class References(NamedTuple):
    """The reference of a stream by its name, and whether the baseline had bad lines."""

    of: Callable[[str | None], Valuation]
    bad_lines: bool


def references(baseline: Path | None, null_rate: float | None, kind: str) -> References:
    """From exactly one of the two; raises UsageError otherwise, StatisticsError for the rate."""
    if (baseline is None) is (null_rate is None):
        given = "neither" if baseline is None else "both"
        raise UsageError(
            f"{given} of --baseline and --null-rate given",
            remedy="Give the one or the other: lines of a healthy time, or a healthy rate",
        )
    if null_rate is not None:
        valued: Valuation = DeclaredMean(null_rate) if kind == "bounded" else declared(null_rate)
        return References(lambda _stream: valued, bad_lines=False)
    assert baseline is not None  # noqa: S101 - exactly one is given
    bad: list[int] = []

    def report(number: int, reason: str) -> None:
        bad.append(number)
        print(f"{baseline}: line {number}: {reason}", file=sys.stderr)

    known = Baseline(baseline, kind, report)
    return References(known.of, bad_lines=bool(bad))


class _Watched:
    """A stream and what its lines have to fulfil."""

    __slots__ = ("done", "stream", "times", "valuation")

    def __init__(self, valuation: Valuation, budget: float, first: Observation) -> None:
        self.valuation = valuation
        self.stream: Stream[Mark] = Stream(valuation.health, budget, valuation.weights)
        self.times = Times(first.seconds)
        self.done = False


class Detection:
    """All streams of one run."""

    def __init__(self, arl: float, known: References, kind: str, *, stop: bool) -> None:
        """Raises UsageError for a budget that is not a positive number of hours."""
        if not 0.0 < arl < math.inf:
            raise UsageError(f"--arl {arl!r}", remedy="Give hours > 0, such as 720 for a month")
        self._arl, self._known, self._kind, self._stop = arl, known, kind, stop
        self._watched: dict[str | None, _Watched] = {}
        self._lines = self._alarms = self._bad = 0

    @property
    def exit_code(self) -> int:
        """0: nothing found; 1: an alarm; 2: a bad line, in the input or the baseline."""
        if self._bad or self._known.bad_lines:
            return 2
        return 1 if self._alarms else 0

    def read(self, source: Readable, sink: BinaryIO) -> None:
        """Judges all lines; alarms are written as soon as the input pauses."""
        for block in judged(source, self._kind):
            found: list[bytes] = []
            for number, line in block:
                try:
                    if isinstance(line, BadLineError):
                        raise line
                    self._take(number, line, found)
                except BadLineError as error:
                    self._report(number, str(error))
            if found:
                sink.writelines(found)
                sink.flush()
        last: list[bytes] = []
        for name, watched in self._watched.items():
            self._tell(name, watched, watched.stream.close(), last)
        sink.writelines([*last, self._summary()])
        sink.flush()

    def _take(self, number: int, line: Observation, found: list[bytes]) -> None:
        watched = self._watched.get(line.stream)
        if watched is None:
            watched = _Watched(self._known.of(line.stream), self._arl, line)
            self._watched[line.stream] = watched
        watched.times.check(line.seconds)
        self._lines += 1
        if watched.done:
            return
        worth = watched.valuation.worth(line.prompt, line.value)
        alarms = watched.stream.watch(line.seconds, worth, line.cluster, (number, line.t))
        if alarms:
            self._tell(line.stream, watched, alarms, found)

    def _tell(
        self, name: str | None, watched: _Watched, alarms: list[Alarm[Mark]], found: list[bytes]
    ) -> None:
        for alarm in alarms:
            if not watched.done:
                self._alarms += 1
                watched.done = self._stop
                found.append(_written(name, alarm, self._arl))

    def _summary(self) -> bytes:
        counts = {
            "lines": self._lines,
            "alarms": self._alarms,
            "streams": len(self._watched),
            "arl": self._arl,
        }
        return orjson.dumps({"summary": counts}, option=orjson.OPT_APPEND_NEWLINE)

    def _report(self, number: int, reason: str) -> None:
        self._bad += 1
        print(f"line {number}: {reason}", file=sys.stderr)


def _written(name: str | None, alarm: Alarm[Mark], arl: float) -> bytes:
    line: dict[str, Any] = {
        "stream": name,
        "line": alarm.at[0],
        "t": alarm.at[1],
        "log10_e": math.log10(alarm.evidence),
        "threshold_log10": math.log10(arl),
        "share": alarm.share.point,
        "share_low": alarm.share.low,
        "share_high": alarm.share.high,
        "onset": alarm.onset[1],
        "onset_line": alarm.onset[0],
        "severity": "page" if alarm.page else "ticket",
    }
    return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)
