"""The input lines of ``qualmon detect``: what is accepted, and why another is not."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import orjson

from qualmon.cli.jsonl import MAX_LINE, Readable, blocks

_ABSENT: Final = object()
_NAMES: Final = ("stream", "prompt", "cluster")
#: Of a wrong value, so much is shown.
_SHOWN: Final = 60
#: Lines without a time that are remembered: how long, and how many.
_SHORT: Final = 120
_KNOWN: Final = 4096


class BadLineError(Exception):
    """Why a line is left out."""


class Observation(NamedTuple):
    """t: as written; seconds: the same since 1970, UTC; None where absent."""

    value: float
    stream: str | None
    t: float | str | None
    seconds: float | None
    prompt: str | None
    cluster: str | None


class Times:
    """The times of a stream's accepted lines: all of them have one or none, none goes back."""

    __slots__ = ("_last",)

    def __init__(self, seconds: float | None) -> None:
        """seconds: of the first line."""
        self._last = seconds

    def check(self, seconds: float | None) -> None:
        """Raises BadLineError for a time that does not fit."""
        last = self._last
        if seconds is None or last is None:
            if seconds is not last:
                before = "no" if last is None else "a"
                raise BadLineError(f"t: the lines before of this stream have {before} t")
        elif seconds < last:
            raise BadLineError(f"t: {last - seconds:g} s before the last line's")
        self._last = seconds


def observation(raw: bytes, kind: str) -> Observation:
    """The line's content; raises BadLineError with the reason."""
    try:
        line = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise BadLineError(f"not JSON: {error}") from None
    if type(line) is not dict:
        raise BadLineError(f"not an object: {_shown(line)}")
    value = _value(line.get("value", _ABSENT), kind)
    if len(line) == 1:
        return Observation(value, None, None, None, None, None)
    names = [line.get("stream"), line.get("prompt"), line.get("cluster")]
    for key, name in zip(_NAMES, names, strict=True):
        if name is not None and type(name) is not str:
            raise BadLineError(f"{key}: {_shown(name)} is not a string")
    t = line.get("t")
    seconds = None if t is None else _seconds(t)
    return Observation(value, names[0], t, seconds, names[1], names[2])


def _value(value: Any, kind: str) -> float:
    if kind == "event":
        if type(value) in (int, bool, float) and value in (0, 1):
            return float(value)
        allowed = "0, 1, true or false"
    else:
        if type(value) in (int, float) and 0.0 <= value <= 1.0:
            return float(value)
        allowed = "a number from 0 to 1"
    if value is _ABSENT:
        raise BadLineError("value: missing")
    raise BadLineError(f"value: {_shown(value)} is not {allowed}")


def _seconds(t: Any) -> float:
    if type(t) in (int, float):
        seconds = float(t)
    elif type(t) is str:
        seconds = _iso(t)
    else:
        raise BadLineError(f"t: {_shown(t)} is neither Unix seconds nor ISO-8601")
    if not 0.0 <= seconds < float("inf"):
        raise BadLineError(f"t: {_shown(t)} lies before 1970")
    return seconds


def _iso(t: str) -> float:
    try:
        when = datetime.fromisoformat(t)
        return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise BadLineError(f"t: {_shown(t)} is not ISO-8601") from None


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def judged(source: Readable, kind: str) -> Iterator[list[tuple[int, Observation | BadLineError]]]:
    """(line number from 1, content or what is wrong with it), in blocks as they arrive.

    Lines of white space only are passed over. Times are left to `Times`, per stream.
    """
    number = 0
    known: dict[bytes | None, Observation] = {}
    for block in blocks(source):
        found: list[tuple[int, Observation | BadLineError]] = []
        for raw in block:
            number += 1
            # Without times, most lines are like one before.
            line = known.get(raw) if known else None
            if line is not None:
                found.append((number, line))
            elif raw is None:
                found.append((number, BadLineError(f"longer than {MAX_LINE // 2**20} MiB")))
            elif raw and not raw.isspace():
                found.append((number, _read(raw, kind, known)))
        yield found


def _read(
    raw: bytes, kind: str, known: dict[bytes | None, Observation]
) -> Observation | BadLineError:
    try:
        line = observation(raw, kind)
    except BadLineError as error:
        return error
    if line.t is None and len(raw) <= _SHORT and len(known) < _KNOWN:
        known[raw] = line
    return line
