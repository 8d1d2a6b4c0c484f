"""Checks across sections: twins, names that refer to targets, schedules above their limits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from qualmon.config.cost import check_limits
from qualmon.config.models import SectionsModel
from qualmon.config.report import Report, suggest
from qualmon.config.settings import SuitePlan
from qualmon.config.values import AXES
from qualmon.types import Endpoint


def check_across(
    sections: SectionsModel,
    ends: Sequence[Endpoint | None],
    plans: Sequence[SuitePlan | None],
    report: Report,
) -> None:
    """Notes what only shows when sections are laid side by side; None stands for a bad entry."""
    _check_twins([end.target.key if end else None for end in ends], "targets", report)
    _check_twins([plan.name if plan else None for plan in plans], "suites", report)
    sound = [end for end in ends if end is not None]
    if sound and len(sound) == len(ends):  # else a name may belong to a target with mistakes
        _check_nodes(sections.nodes or (), axes_of(sound), report)
        _check_models(plans, sorted({end.target.model for end in sound}), report)
        _check_prices(sections.prices, sound, report)
        if plans:
            _check_asked(sound, plans, report)
    for at, end in enumerate(ends):
        if end is not None:
            check_limits(end, [plan for plan in plans if plan], report, at)


def _check_twins(keys: Sequence[str | None], section: str, report: Report) -> None:
    first: dict[str, int] = {}
    for at, key in enumerate(keys):
        if key is not None and first.setdefault(key, at) != at:
            report.add(
                (section, at),
                f"{key!r} is also {section}[{first[key]}]; give it another name or take it out",
            )


def _check_nodes(nodes: Sequence[Sequence[str]], axes: Sequence[str], report: Report) -> None:
    seen: set[frozenset[str]] = set()
    for at, node in enumerate(nodes):
        for index, axis in enumerate(node):
            if axis not in axes:
                message = f"no target has the axis {axis!r}; {suggest(axis, axes)}"
                report.add(("nodes", at, index), message)
        if frozenset(node) in seen or len(set(node)) < len(node):
            report.add(("nodes", at), "the entry or an axis in it stands twice; keep one")
        seen.add(frozenset(node))


def _check_models(plans: Sequence[SuitePlan | None], models: Sequence[str], report: Report) -> None:
    for at, plan in enumerate(plans):
        for index, model in enumerate((plan.models if plan else None) or ()):
            if model not in models:
                message = f"no target has the model {model!r}; {suggest(model, models)}"
                report.add(("suites", at, "models", index), message)


def _check_asked(
    ends: Sequence[Endpoint], plans: Sequence[SuitePlan | None], report: Report
) -> None:
    """A target that nobody asks would never be seen; judged when all plans are sound."""
    models = {end.target.model for end in ends}
    for at, end in enumerate(ends):
        model = end.target.model
        if not any(
            plan is None or plan.asks(model) or not models.issuperset(plan.models or ())
            for plan in plans
        ):
            report.add(
                ("targets", at),
                f"no suite asks the model {model!r}; add it to the models of a suite, or take "
                "the target out",
            )


def _check_prices(priced: Iterable[str], ends: Sequence[Endpoint], report: Report) -> None:
    models = sorted({end.target.model for end in ends})
    known = {*models, *(end.target.key for end in ends)}
    for key in priced:
        if key not in known:
            message = f"no target has the model or key {key!r}; {suggest(key, models)}"
            report.add(("prices", key), message)


def axes_of(ends: Sequence[Endpoint | None]) -> list[str]:
    """Every axis that a node may name: the four of any target, and all labels."""
    labels = {label for end in ends if end for label in end.target.labels}
    return [*AXES, *sorted(labels)]
