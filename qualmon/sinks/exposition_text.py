"""Prometheus text format: escaping, label bounds, and a writer with a bound on series.

prometheus-client needs about ten microseconds per series and holds the GIL meanwhile; the
large families are therefore written as plain lines.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from qualmon.metrics import SPECS

#: Longest label value, in characters.
MAX_LABEL = 128
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
_DIGEST = 8


def label_value(value: str, limit: int = MAX_LABEL) -> str:
    """`value` fit for a label: at most `limit` characters, always valid UTF-8.

    A lone surrogate becomes U+FFFD. A value above `limit` characters keeps its head and gets a
    digest, so that two long values stay two series.
    """
    if len(value) > limit:
        digest = hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST]
        value = f"{value[: limit - _DIGEST - 1]}…{digest}"
    if value.isascii():
        return value
    return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def label_set(names: Sequence[str], values: Sequence[str]) -> str:
    """``{a="x",b="y"}``; labels without a value are left out, as Prometheus reads them so."""
    pairs = (
        f'{name}="{label_value(value).translate(_ESCAPES)}"'
        for name, value in zip(names, values, strict=True)
        if value
    )
    return "{" + ",".join(pairs) + "}"


def number(value: float) -> str:
    """`value` as Prometheus writes it."""
    text = repr(float(value))
    return {"inf": "+Inf", "-inf": "-Inf", "nan": "NaN"}.get(text, text)


class ExpositionWriter:
    """Collects families until `max_series` is reached; counts what it had to leave out."""

    def __init__(self, max_series: int) -> None:
        self._lines: list[str] = []
        self._left = max_series
        self.dropped = 0

    def family(self, name: str, rows: Iterable[tuple[str, float]]) -> None:
        """Writes a family of the metrics table from (label set, value) pairs.

        A second row with the same labels is dropped: Prometheus would refuse it.
        """
        spec = SPECS[name]
        self._lines += (f"# HELP {name} {spec.help}", f"# TYPE {name} {spec.type}")
        seen: set[str] = set()
        for labels, value in rows:
            if self._left <= 0 or labels in seen:
                self.dropped += 1
                continue
            seen.add(labels)
            self._left -= 1
            self._lines.append(f"{name}{labels} {number(value)}")

    def text(self) -> bytes:
        """All that was written."""
        return ("\n".join(self._lines) + "\n").encode()
