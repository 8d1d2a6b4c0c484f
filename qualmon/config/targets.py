"""Turns one checked target of the file into an endpoint, with the checks a schema cannot make."""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from qualmon.config.models import LimitsModel, TargetModel, TimeoutModel
from qualmon.config.protocols import protocol_of
from qualmon.config.report import Report, Step, suggest
from qualmon.config.secrets import Vault
from qualmon.config.values import SecretRef, is_loopback
from qualmon.types import Endpoint, Limits, Price, Secret, Target, Timeouts

_HEADER = re.compile(r"[A-Za-z0-9-]+")
_OWN_HEADERS: Final = frozenset(
    {"host", "content-length", "content-type", "transfer-encoding", "connection",
     "accept-encoding", "x-client-request-id"}
)  # fmt: skip
_CREDENTIALS: Final = frozenset(
    {"authorization", "proxy-authorization", "cookie", "x-api-key", "api-key", "x-goog-api-key"}
)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a target is checked against, besides itself. prices None: they have mistakes."""

    vault: Vault
    providers: tuple[str, ...]
    prices: Mapping[str, Price] | None


def endpoint(
    model: TargetModel, around: Surroundings, report: Report, where: tuple[Step, ...]
) -> Endpoint:
    """The endpoint that `model` describes; what is wrong with it is noted in `report`."""
    target = Target(model.model, model.platform, model.route, model.provider, dict(model.labels))
    plain, secret = _headers(model, around.vault, report, where)
    key = around.vault.fetch(model.api_key, report, (*where, "api_key")) if model.api_key else None
    price = _price(target, around.prices or {})
    _check_names(model, around.providers, report, where)
    _check_address(model, report, where)
    if around.prices is not None:
        _check_price(model, price, report, where)
    return Endpoint(
        target=target,
        url=model.url,
        api_key=key,
        api_model=model.api_model,
        timeouts=_timeouts(model.timeout, model.stream, report, where),
        limits=_limits(model.limits),
        price=price,
        max_body=model.max_body,
        stream=model.stream,
        ca_file=_ca_file(model, around.vault, report, where),
        allow_insecure=model.allow_insecure,
        neutral_sampler=model.neutral_sampler,
        extra_body=dict(model.extra_body),
        extra_headers=plain,
        secret_headers=secret,
    )


def _check_names(
    model: TargetModel, providers: tuple[str, ...], report: Report, where: tuple[Step, ...]
) -> None:
    if model.provider not in providers:
        report.add(
            (*where, "provider"),
            f"there is no provider {model.provider!r}; {suggest(model.provider, providers)}",
        )
    for field in sorted(protocol_of(model.provider).fields & model.extra_body.keys()):
        report.add((*where, "extra_body", field), "qualmon sets this field itself; take it out")


def _check_address(model: TargetModel, report: Report, where: tuple[Step, ...]) -> None:
    secret = model.api_key or any(isinstance(v, SecretRef) for v in model.extra_headers.values())
    parts = urlsplit(model.url)
    exposed = parts.scheme == "http" and not is_loopback(model.url)
    if secret and exposed and not model.allow_insecure:
        report.add(
            (*where, "url"),
            f"a key would travel unencrypted to {parts.hostname!r}; use https, or state "
            "allow_insecure: true",
        )
    protocol = protocol_of(model.provider)
    if parts.path.endswith(protocol.calls):
        report.add(
            (*where, "url"),
            f"{parts.path!r} reaches into the path of a call, which qualmon adds itself; write the "
            f"base address, such as {protocol.base}",
        )


def _price(target: Target, prices: Mapping[str, Price]) -> Price | None:
    """The target's own price, else its model's."""
    return prices.get(target.key) or prices.get(target.model)


def _check_price(
    model: TargetModel, price: Price | None, report: Report, where: tuple[Step, ...]
) -> None:
    if model.limits.usd_per_day is not None and price is None:
        report.add(
            (*where, "limits", "usd_per_day"),
            f"a limit in USD needs a price; add `prices: {{{model.model}: {{input: .., output: "
            "..}}` in USD per million tokens",
        )


def _timeouts(
    model: TimeoutModel, stream: bool, report: Report, where: tuple[Step, ...]
) -> Timeouts:
    """Without a stream the first byte comes with the last, so it may take the whole time."""
    given = {"connect": model.connect, "first_byte": model.first_byte}
    for name, seconds in given.items():
        if seconds is not None and seconds > model.total:
            report.add(
                (*where, "timeout", name),
                f"{seconds:g} s is longer than the total of {model.total:g} s; lower it or raise "
                "total",
            )
    first = model.first_byte or min(30.0 if stream else model.total, model.total)
    return Timeouts(model.connect or min(10.0, model.total), first, model.total)


def _limits(model: LimitsModel) -> Limits:
    return Limits(model.rate, model.concurrency, model.requests_per_day, model.usd_per_day)


def _ca_file(
    model: TargetModel, vault: Vault, report: Report, where: tuple[Step, ...]
) -> str | None:
    if model.ca_file is None:
        return None
    path = str(vault.folder / model.ca_file)
    try:
        ssl.create_default_context(cafile=path)
    except (OSError, ValueError):
        report.add(
            (*where, "ca_file"),
            f"no certificates can be read from {model.ca_file!r}; name a readable PEM file",
        )
    return path


def _headers(
    model: TargetModel, vault: Vault, report: Report, where: tuple[Step, ...]
) -> tuple[dict[str, str], dict[str, Secret]]:
    plain: dict[str, str] = {}
    secret: dict[str, Secret] = {}
    own = _OWN_HEADERS | ({protocol_of(model.provider).key_header} if model.api_key else set())
    for name, value in model.extra_headers.items():
        here = (*where, "extra_headers", name)
        if message := _header_mistake(name, value, own):
            report.add(here, message)
        elif isinstance(value, str):
            plain[name] = value
        elif found := vault.fetch(value, report, here):
            secret[name] = found
    return plain, secret


def _header_mistake(name: str, value: str | SecretRef, own: frozenset[str]) -> str | None:
    lower = name.lower()
    if not _HEADER.fullmatch(name):
        return "a header's name is made of letters, digits and -; rename it"
    if lower in own:
        return "qualmon sets this header itself; take it out"
    if lower in _CREDENTIALS and isinstance(value, str):
        return "a secret never stands in this file; write {env: NAME} or {file: PATH}"
    if isinstance(value, str) and not (value.isascii() and value.isprintable()):
        return "a header's value is printable ASCII on one line; correct it"
    return None
