"""qualmon.yaml as a `Config`, or every mistake in it at once.

The sections are checked one by one and the checks across sections run on whatever is sound,
so that one mistake does not hide the next.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from qualmon.config import settings
from qualmon.config.across import axes_of, check_across
from qualmon.config.models import (
    PriceModel,
    SectionsModel,
    SinksModel,
    SuiteModel,
    TargetModel,
)
from qualmon.config.protocols import PROTOCOLS
from qualmon.config.report import Report, Step, suggest
from qualmon.config.secrets import Vault
from qualmon.config.suites import is_path, load_suite, suite_names
from qualmon.config.targets import Surroundings, endpoint
from qualmon.config.values import SecretRef, hook_url
from qualmon.config.wording import checked, partly
from qualmon.config.yamlfile import read_yaml
from qualmon.errors import ConfigError
from qualmon.types import Endpoint, Price

#: Wire protocols that this program speaks.
KNOWN_PROVIDERS: Final = tuple(PROTOCOLS)

#: Probes of a round unless the file says otherwise.
_PROBES: Final = 4

#: Stands in for the required keys of a target that has them wrong, so that the rest is checked.
_ANY_TARGET: Final = {"model": "unknown", "platform": "unknown", "url": "https://unknown.invalid"}

#: Places that may be blamed unless the file says otherwise; axes that no target has drop out.
DEFAULT_NODES: Final[tuple[tuple[str, ...], ...]] = (
    (), ("platform",), ("hardware",), ("model",), ("platform", "model"),
    ("hardware", "model"), ("target",),
)  # fmt: skip


def load(
    path: Path,
    environ: Mapping[str, str],
    known_providers: tuple[str, ...] = KNOWN_PROVIDERS,
) -> settings.Config:
    """The configuration in the file at `path`; secrets come from `environ` and from files.

    Relative paths start at the file's folder. Raises ConfigError with every mistake, each with
    file, line, path, what is wrong, what is allowed and the remedy.
    """
    data, report = read_yaml(path)
    folder = path.absolute().parent
    sections, bad = _sections(data, report)
    prices = _prices(sections.prices, report)
    trusted = None if "prices" in bad or len(prices) < len(sections.prices) else prices
    around = Surroundings(Vault(environ, folder), known_providers, trusted)
    ends = _endpoints(sections.targets, around, report)
    plans = _plans(sections.suites, folder, report)
    check_across(sections, ends, plans, report)
    sinks = _sinks(sections.sinks, around.vault, report)
    report.raise_if_any()
    return settings.Config(
        path=path,
        store=_store(sections.store, folder),
        listen=sections.listen,
        external_url=sections.external_url,
        budget_hours=sections.false_pages.per / sections.false_pages.max / 3600.0,
        burn_in=sections.burn_in,
        nodes=_nodes(sections.nodes, ends),
        endpoints=tuple(end for end in ends if end),
        suites=tuple(plan for plan in plans if plan),
        prices=prices,
        min_share=sections.min_share,
        page_on_change=sections.page_on_change,
        recovery=settings.Recovery(sections.recovery.clean_for, sections.recovery.alpha),
        drain=sections.drain,
        sinks=sinks,
    )


def _sections(data: dict[str, Any], report: Report) -> tuple[SectionsModel, frozenset[Step]]:
    """The sections, and the names of those with mistakes, which are left at their defaults."""
    required = {"targets": [None], "suites": [None]}
    sections, bad = partly(SectionsModel, data, report, (), required)
    if sections is None:  # pragma: no cover - a mapping with these two always fits
        raise AssertionError("sections without mistakes do not fit their model")
    return sections.model_copy(update={key: [] for key in required if key in bad}), bad


def _prices(items: Mapping[str, Any], report: Report) -> dict[str, Price]:
    models = {
        key: checked(PriceModel, item, report, ("prices", key)) for key, item in items.items()
    }
    return {key: Price(model.input, model.output) for key, model in models.items() if model}


def _store(url: str, folder: Path) -> str:
    return f"sqlite:///{folder / url.removeprefix('sqlite:///')}"


def _endpoints(items: Sequence[Any], around: Surroundings, report: Report) -> list[Endpoint | None]:
    """The endpoints, None for each that has mistakes."""
    found: list[Endpoint | None] = []
    for at, item in enumerate(items):
        where = ("targets", at)
        model, bad = partly(TargetModel, item, report, where, _ANY_TARGET)
        known = replace(around, prices=None) if bad else around
        end = endpoint(model, known, report, where) if model else None
        found.append(None if bad else end)
    return found


def _plans(items: Sequence[Any], folder: Path, report: Report) -> list[settings.SuitePlan | None]:
    """The plans, None for each that has mistakes."""
    found: list[settings.SuitePlan | None] = []
    for at, item in enumerate(items):
        model, bad = partly(SuiteModel, item, report, ("suites", at), {})
        suite = _suite(model.name, folder, report, at) if model else None
        plan = _plan(model, suite, report, at) if model and suite else None
        found.append(None if bad else plan)
    return found


def _suite(name: str, folder: Path, report: Report, at: int) -> settings.Suite | None:
    known = os.path.exists(folder / name) if is_path(name) else name in suite_names()
    if not known:
        message = f"there is no suite {name!r}; {suggest(name, suite_names())}, or a path"
        report.add(("suites", at, "name"), message)
        return None
    try:
        return load_suite(folder / name if is_path(name) else name)
    except ConfigError as error:
        report.problems += error.problems
        return None


def _plan(
    model: SuiteModel, suite: settings.Suite, report: Report, at: int
) -> settings.SuitePlan | None:
    asked = model.probes_per_round or min(_PROBES, len(suite.probes))
    if asked > len(suite.probes):
        report.add(
            ("suites", at, "probes_per_round"),
            f"{asked} is more than the {len(suite.probes)} probes of suite "
            f"{suite.name!r}; write at most {len(suite.probes)}",
        )
        return None
    return settings.SuitePlan(
        name=suite.name,
        every=model.every,
        probes_per_round=asked,
        identities=model.identities.count,
        identity_mode=model.identities.mode,
        probes=suite.probes,
        models=tuple(model.models) if model.models is not None else None,
    )


def _nodes(
    given: Sequence[Sequence[str]] | None, ends: Sequence[Endpoint | None]
) -> tuple[tuple[str, ...], ...]:
    if given is not None:
        return tuple(tuple(node) for node in given)
    axes = set(axes_of(ends))
    return tuple(node for node in DEFAULT_NODES if axes.issuperset(node))


def _sinks(model: SinksModel, vault: Vault, report: Report) -> settings.Sinks:
    alertmanager = webhook = None
    if model.alertmanager is not None:
        alertmanager = settings.AlertmanagerSink(model.alertmanager.url)
    if model.webhook is not None:
        webhook = _webhook(model.webhook.url, vault, report)
    return settings.Sinks(alertmanager, webhook)


def _webhook(url: str | SecretRef, vault: Vault, report: Report) -> settings.WebhookSink | None:
    if isinstance(url, str):
        return settings.WebhookSink(url)
    where = ("sinks", "webhook", "url")
    if (secret := vault.fetch(url, report, where)) is None:
        return None
    try:
        return settings.WebhookSink(hook_url(secret.reveal))
    except ValueError:
        report.add(where, "the secret holds no http:// or https:// address; correct it there")
        return None
