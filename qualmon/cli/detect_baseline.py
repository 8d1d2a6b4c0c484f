"""The baseline file of ``qualmon detect``: lines of a healthy time, frozen, by stream."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

from qualmon.cli.detect_lines import BadLineError, Observation, Times, judged
from qualmon.errors import StatisticsError, UsageError
from qualmon.stats.score_valuation import Scores
from qualmon.stats.valuation import Counts, Valuation, referenced

#: Blocks of the dispersion check: a day; without times, 24 lines.
_DAY: Final = 86400.0
_LINES: Final = 24


class _Sample(Protocol):
    """What is kept of a stream's lines until all are read."""

    def take(self, cluster: Sequence[Observation], day: int) -> None:
        """One line, or the lines of one cluster, of a day."""
        ...

    def valued(self) -> Valuation:
        """The reference; raises StatisticsError for one that is impossible."""
        ...


class _EventSample:
    """Counts. A cluster is one answer with its mean, and one of each of its prompts."""

    def __init__(self) -> None:
        self._prompts: dict[str | None, Counts] = {}
        self._days: dict[int, Counts] = {}

    def take(self, cluster: Sequence[Observation], day: int) -> None:
        """Counts it."""
        found: dict[str | None, list[float]] = {}
        for line in cluster:
            found.setdefault(line.prompt, []).append(line.value)
        for prompt, values in found.items():
            _add(self._prompts, prompt, sum(values) / len(values))
        _add(self._days, day, sum(line.value for line in cluster) / len(cluster))

    def valued(self) -> Valuation:
        """By prompt, where there are prompts."""
        return referenced(self._prompts, [self._days[day] for day in sorted(self._days)])


class _ScoreSample:
    """Scores; of a cluster the first one, as they must be independent."""

    def __init__(self) -> None:
        self._scores = array("d")
        self._days = array("q")

    def take(self, cluster: Sequence[Observation], day: int) -> None:
        """Keeps it."""
        self._scores.append(cluster[0].value)
        self._days.append(day)

    def valued(self) -> Valuation:
        """All prompts together."""
        return Scores(self._scores, self._days)


_SAMPLES: Final[dict[str, Callable[[], _Sample]]] = {
    "event": _EventSample,
    "bounded": _ScoreSample,
}


def _add(counts: dict[Any, Counts], key: str | int | None, hits: float) -> None:
    before = counts.get(key, Counts(0, 0.0))
    counts[key] = Counts(before.n + 1, before.hits + hits)


class _Gathered:
    """The lines of one stream, cluster by cluster."""

    def __init__(self, first: Observation, sample: _Sample) -> None:
        self.sample = sample
        self._times = Times(first.seconds)
        self._lines = 0
        self._cluster: list[Observation] = []
        self._day = 0

    def add(self, line: Observation) -> None:
        """Raises BadLineError for a time that does not fit."""
        self._times.check(line.seconds)
        if not self._cluster or line.cluster is None or line.cluster != self._cluster[-1].cluster:
            self.close()
            at = line.seconds
            self._day = int(at // _DAY) if at is not None else self._lines // _LINES
        self._cluster.append(line)
        self._lines += 1

    def close(self) -> None:
        """Ends the cluster so far."""
        if self._cluster:
            self.sample.take(self._cluster, self._day)
            self._cluster = []


class Baseline:
    """The reference of each stream that the file names, and the one of all others, if any."""

    def __init__(self, path: Path, kind: str, report: Callable[[int, str], None]) -> None:
        """Raises UsageError for a file that cannot be read or holds no usable reference."""
        gathered = _read(path, kind, report)
        if not gathered:
            raise UsageError(f"{path} holds no line of a baseline", remedy=_REMEDY)
        self._known = {name: _valued(path, name, lines) for name, lines in gathered.items()}

    def of(self, stream: str | None) -> Valuation:
        """Raises BadLineError for a stream without a reference."""
        found = self._known.get(stream) or self._known.get(None)
        if found is None:
            raise BadLineError(
                f"stream: the baseline has no line of {stream!r}, and none without a stream"
            )
        return found


_REMEDY: Final = "Give lines from a healthy time, as they are given on standard input"


def _read(path: Path, kind: str, report: Callable[[int, str], None]) -> dict[str | None, _Gathered]:
    gathered: dict[str | None, _Gathered] = {}
    try:
        with path.open("rb") as source:
            for number, line in (item for block in judged(source, kind) for item in block):
                try:
                    _take(gathered, line, _SAMPLES[kind])
                except BadLineError as error:
                    report(number, str(error))
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}", remedy="Name a file to read") from None
    for lines in gathered.values():
        lines.close()
    return gathered


def _take(
    gathered: dict[str | None, _Gathered],
    line: Observation | BadLineError,
    sample: Callable[[], _Sample],
) -> None:
    if isinstance(line, BadLineError):
        raise line
    if line.stream not in gathered:
        gathered[line.stream] = _Gathered(line, sample())
    gathered[line.stream].add(line)


def _valued(path: Path, name: str | None, lines: _Gathered) -> Valuation:
    try:
        return lines.sample.valued()
    except StatisticsError as error:
        where = f"{path}" if name is None else f"{path}, stream {name!r}"
        raise UsageError(f"{where}: {error}") from None
