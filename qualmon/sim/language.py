"""A small next-token model over text and code that every Python installation carries.

An interpolated trigram model (Witten-Bell weights; Witten and Bell 1991) of the standard
library's sources, their docstrings and the language reference that pydoc shows. It is built
anew at every start in well under a second, and is the same on all machines with one Python.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from qualmon.errors import DependencyError
from qualmon.sim.vocabulary import split

#: Continuations kept per context; what lies below is not part of the model.
WIDTH = 40

#: Tokens kept of those that are common everywhere: enough words to fill any step.
_COMMON = 4 * WIDTH

_MODULES = (
    "argparse", "ast", "calendar", "configparser", "contextlib", "copy", "csv", "dataclasses",
    "difflib", "doctest", "fractions", "functools", "heapq", "json/decoder",
    "logging/__init__", "optparse", "os", "pprint", "queue", "random", "shutil", "statistics",
    "subprocess", "tarfile", "tempfile", "textwrap", "threading", "unittest/case",
    "urllib/parse", "_pydecimal",
)  # fmt: skip
_DOCSTRING = re.compile(r'"""(.+?)"""', re.DOTALL)

_Ids = NDArray[np.int64]


def _source(module: str) -> str:
    path = Path(os.__file__).parent / f"{module}.py"
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise DependencyError(
            f"{path}: {error.strerror}",
            remedy="The simulator reads the standard library's sources: use a Python with them",
        ) from error


def _corpus() -> Iterator[str]:
    """Sources once, their prose once more, and the language reference; ASCII only."""
    from pydoc_data.topics import topics

    for module in _MODULES:
        source = _source(module).encode("ascii", "ignore").decode()
        yield source
        yield from _DOCSTRING.findall(source)
    for name in sorted(topics):
        yield topics[name].encode("ascii", "ignore").decode()


@dataclass(frozen=True, slots=True)
class _Seen:
    """What followed one context: ids by falling count, all counts' sum, number of kinds."""

    ids: list[int]
    counts: list[int]
    total: int
    kinds: int


class _Level:
    """Counts of (context, next token) pairs, searchable by context."""

    def __init__(self, contexts: _Ids, following: _Ids, size: int) -> None:
        pairs, counts = np.unique(contexts * size + following, return_counts=True)
        owner, token = np.divmod(pairs, size)
        order = np.lexsort((token, -counts, owner))
        self._tokens, self._counts = token[order], counts[order]
        self._contexts, self._starts = np.unique(owner, return_index=True)
        self._ends = np.append(self._starts[1:], len(owner))

    def after(self, context: int, width: int = WIDTH) -> _Seen | None:
        """The `width` commonest tokens after `context`, or None where it never occurred."""
        at = int(np.searchsorted(self._contexts, context))
        if at == len(self._contexts) or self._contexts[at] != context:
            return None
        start, end = int(self._starts[at]), int(self._ends[at])
        kept = slice(start, min(end, start + width))
        return _Seen(
            self._tokens[kept].tolist(),
            self._counts[kept].tolist(),
            int(self._counts[start:end].sum()),
            end - start,
        )


class Language:
    """Next-token probabilities after up to two tokens of context."""

    def __init__(self, texts: Sequence[str] | None = None) -> None:
        """Learns `texts`; by default what the standard library holds.

        Raises DependencyError when the library's sources are not installed.
        """
        texts = tuple(_corpus()) if texts is None else texts
        tokens = [token for text in texts for token in split(text)]
        self._ids: dict[str, int] = {}
        stream = np.array(
            [self._ids.setdefault(token, len(self._ids)) for token in tokens], dtype=np.int64
        )
        self._texts = tuple(self._ids)
        size = len(self._texts)
        common = _Level(np.zeros_like(stream), stream, size).after(0, _COMMON)
        if common is None:
            raise ValueError("texts: no token to learn from")
        self._common = common
        self._pairs = _Level(stream[:-1], stream[1:], size)
        self._triples = _Level(stream[:-2] * size + stream[1:-1], stream[2:], size)

    def _evidence(self, context: Sequence[str]) -> Iterator[_Seen]:
        """What is known of `context`, longest match first, ending with all tokens."""
        ids = [self._ids.get(token) for token in context[-2:]]
        last = ids[-1] if ids else None
        before = ids[0] if len(ids) == 2 else None
        if last is not None:
            if before is not None:
                triple = self._triples.after(before * len(self._texts) + last)
                if triple:
                    yield triple
            pair = self._pairs.after(last)
            if pair:
                yield pair
        yield self._common

    def after(self, context: Sequence[str]) -> list[tuple[str, float]]:
        """Continuations of `context` with weights in (0, 1), falling; at least WIDTH of them
        where the corpus has so many. Weights sum to at most 1: the far tail is left out."""
        weights: dict[int, float] = {}
        rest = 1.0
        for seen in self._evidence(context):
            share = 1.0 if seen is self._common else seen.total / (seen.total + seen.kinds)
            for token, count in zip(seen.ids, seen.counts, strict=True):
                weights[token] = weights.get(token, 0.0) + rest * share * count / seen.total
            rest *= 1.0 - share
        ranked = sorted(weights.items(), key=lambda item: (-item[1], item[0]))
        return [(self._texts[token], weight) for token, weight in ranked]
