"""Clusters of answers that may share one cause: one bet each.

Answers of one request, replica, batch, identity or retry fall together. Their e-values are
averaged inside a cluster and multiplied across clusters. Where relations cross (a replica serves
many identities, an identity meets many replicas), the clusters are the connected components of
all relations at once.

A mean of e-values is an e-value whatever the dependence between them, provided that the weights
are fixed before the outcomes: stopping at the first bad answer gives the plain average a mean
of 1.5 in clusters of two and 2.3 in clusters of five. So weights belong to what was *asked*;
an answer that never came keeps its weight and counts r = 0.

Catches: shares of bad answers, at the price of one bet per cluster. Blind to: how many of a
cluster's answers are bad beyond their mean (the beta-binomial bet knows it).
Source: Vovk, Wang, "E-values: calibration, combination and applications" (AoS 49, 2021).
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence

from qualmon.errors import StatisticsError

#: Weights sum to 1 up to the rounding of their addition.
_ROUNDING = 1e-9


def components(labels: Sequence[Sequence[Hashable]]) -> tuple[tuple[int, ...], ...]:
    """Answers (by index) that a chain of shared labels connects, in order of first member.

    labels[i]: what answer i may share with others, one entry per relation (identity, replica,
    batch, ...), None where it shares nothing. Equal labels of different relations are apart.
    Raises StatisticsError when answers name different numbers of relations.
    """
    if len({len(row) for row in labels}) > 1:
        raise StatisticsError("answers name different numbers of relations; use None for none")
    parent = list(range(len(labels)))
    first: dict[tuple[int, Hashable], int] = {}
    for i, row in enumerate(labels):
        for relation, label in enumerate(row):
            if label is not None:
                _join(parent, i, first.setdefault((relation, label), i))
    groups: dict[int, list[int]] = {}
    for i in range(len(labels)):
        groups.setdefault(_root(parent, i), []).append(i)
    return tuple(tuple(group) for group in groups.values())


def equal_weights(size: int) -> tuple[float, ...]:
    """1/size each, for a cluster of `size` answers asked. Raises StatisticsError below 1."""
    if size < 1:
        raise StatisticsError(f"cluster of {size} answers")
    return (1.0 / size,) * size


def average(ratios: Sequence[float | None], weights: Sequence[float]) -> float:
    """Weighted mean of a cluster's e-values; None (no answer, or not judged) counts 0.

    weights: >= 0, sum 1, one per answer asked, fixed before the outcomes.
    Raises StatisticsError for other weights, and for e-values not finite and >= 0.
    """
    if len(ratios) != len(weights):
        raise StatisticsError(f"{len(ratios)} e-values, {len(weights)} weights")
    known = all(math.isfinite(weight) and weight >= 0.0 for weight in weights)
    if not (known and abs(math.fsum(weights) - 1.0) <= _ROUNDING):
        raise StatisticsError(f"weights {tuple(weights)!r} are not >= 0 with sum 1")
    for ratio in ratios:
        if ratio is not None and not (math.isfinite(ratio) and ratio >= 0.0):
            raise StatisticsError(f"e-value {ratio!r} is not a finite number >= 0")
    pairs = zip(weights, ratios, strict=True)
    return math.fsum(weight * ratio for weight, ratio in pairs if ratio is not None)


def _root(parent: list[int], i: int) -> int:
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


def _join(parent: list[int], i: int, j: int) -> None:
    """The smaller index becomes the root, so that the order of components is stable."""
    low, high = sorted((_root(parent, i), _root(parent, j)))
    parent[high] = low
