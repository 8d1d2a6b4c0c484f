"""Checks data against a model and says each mistake in plain words at its line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from qualmon.config.report import Report, Step, show, suggest

M = TypeVar("M", bound=BaseModel)

_KINDS: Final[Mapping[str, str]] = {
    "string_type": "text; put it in quotes",
    "int_type": "a whole number; write it in digits and without quotes",
    "float_type": "a number; write it in digits and without quotes",
    "bool_type": "true or false; write one of the two, without quotes",
    "list_type": "a list; write [a, b] or one `- item` per line",
    "dict_type": "a mapping; write `key: value` lines, further in than this key",
    "model_type": "a mapping; write `key: value` lines, further in than this key",
    "finite_number": "a finite number; write one in digits",
}
_BOUNDS: Final[Mapping[str, tuple[str, str]]] = {
    "greater_than": ("gt", "too small; write a number above"),
    "greater_than_equal": ("ge", "too small; write at least"),
    "less_than": ("lt", "too large; write a number below"),
    "less_than_equal": ("le", "too large; write at most"),
}


def checked(model: type[M], data: Any, report: Report, where: tuple[Step, ...] = ()) -> M | None:
    """`data` as `model`; None, with every mistake noted in `report`, when it does not fit."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            loc = tuple(step for step in detail["loc"] if step != "[key]")
            report.add((*where, *loc), _message(model, detail))
    return None


def partly(
    model: type[M],
    data: Any,
    report: Report,
    where: tuple[Step, ...],
    stand_ins: Mapping[str, Any],
) -> tuple[M | None, frozenset[Step]]:
    """As `checked`, but with keys that have mistakes taken out, and their names.

    `stand_ins` fill the places of required keys, so that checks across keys can still run on
    the sound ones. None when that is not enough to go on.
    """
    if (found := checked(model, data, report, where)) is not None:
        return found, frozenset()
    try:
        model.model_validate(data)
    except ValidationError as error:
        bad = frozenset(detail["loc"][0] for detail in error.errors() if detail["loc"])
    if not isinstance(data, dict):
        return None, bad
    sound = {key: value for key, value in data.items() if key not in bad}
    try:
        return model.model_validate({**stand_ins, **sound}), bad
    except ValidationError:
        return None, bad


def _message(model: type[BaseModel], detail: ErrorDetails) -> str:
    kind, context, found = detail["type"], detail.get("ctx", {}), show(detail["input"])
    if kind == "extra_forbidden":
        return f"unknown key; {suggest(str(detail['loc'][-1]), _keys(model, detail['loc'][:-1]))}"
    if kind == "missing":
        return f"the key is missing; add `{_entry(model, detail['loc'])}"
    if kind == "value_error":
        return str(context["error"])
    if kind in _KINDS:
        return f"{found} is not {_KINDS[kind]}"
    if kind in _BOUNDS:
        key, words = _BOUNDS[kind]
        return f"{found} is {words} {context[key]:g}"
    if kind == "literal_error":
        return f"{found} is not known; allowed: {context['expected']}"
    if kind in ("too_short", "string_too_short"):
        return "it is empty; write at least one entry"
    return f"{found} does not fit: {detail['msg']}"


def _nested(annotation: Any) -> type[BaseModel] | None:
    """The model inside ``list[X]``, ``X | None`` and the like."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_nested, get_args(annotation))), None)


def _models(model: type[BaseModel], loc: tuple[Step, ...]) -> Iterator[type[BaseModel]]:
    """The models on the way down `loc`, the outermost first."""
    yield model
    for step in loc:
        field = model.model_fields.get(step) if isinstance(step, str) else None
        inner = _nested(field.annotation) if field else None
        if inner is not None:
            model = inner
            yield model


def _keys(model: type[BaseModel], loc: tuple[Step, ...]) -> list[str]:
    *_, owner = _models(model, loc)
    return sorted(owner.model_fields)


def _entry(model: type[BaseModel], loc: tuple[Step, ...]) -> str:
    *_, owner = _models(model, loc[:-1])
    purpose = (owner.model_fields[str(loc[-1])].description or "").rstrip(".")
    return f"{loc[-1]}: ..`, {purpose[:1].lower()}{purpose[1:]}"
