"""Reads the small notations of a config file: durations, sizes, rates, addresses.

Each function takes what stood in the file and raises ValueError with the offending value,
what is allowed and the remedy.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple
from urllib.parse import SplitResult, urlsplit

from qualmon.config.report import show

_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_PART = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(ms|s|m|h|d|w)")
_DURATION = re.compile(rf"(?:{_PART.pattern})+")
_BYTES: Final = {"": 1, "B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9,
                 "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}  # fmt: skip
_SIZE = re.compile(r"([0-9]{1,12}) ?(|B|kB|MB|GB|KiB|MiB|GiB)")
_RATE = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)/(s|m|h|d)")
#: Axes that every target has; labels may not take their names.
AXES: Final = ("model", "platform", "route", "target")

_LONGEST: Final = 3650 * 86400.0


class Address(NamedTuple):
    """Where the service listens. Port 0 takes any free port."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class SecretRef:
    """Where a secret is to be found: the name of a variable, or the path of a file."""

    kind: Literal["env", "file"]
    name: str


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def duration(value: Any) -> float:
    """Seconds of ``30s``, ``1h30m``, ``90d`` or a plain number of seconds; positive."""
    seconds = wait(value)
    if seconds == 0:
        raise ValueError(f"{show(value)} is too short; write a duration above 0, such as 30s")
    return seconds


def wait(value: Any) -> float:
    """Seconds of a time that may also be none at all: ``0s`` is allowed."""
    seconds = _number(value)
    if seconds is None and isinstance(value, str) and _DURATION.fullmatch(value):
        seconds = sum(float(n) * _UNITS[unit] for n, unit in _PART.findall(value))
    if seconds is None:
        raise ValueError(
            f"{show(value)} is not a duration; write a number with ms, s, m, h, d or w, "
            "such as 30s, 1h30m or 90d"
        )
    if not 0 <= seconds <= _LONGEST:
        raise ValueError(
            f"{show(value)} is out of range; a duration is at most 3650d, never negative"
        )
    return seconds


def every(value: Any) -> float:
    """A suite's period in seconds: a duration of at least one second."""
    seconds = duration(value)
    if seconds < 1.0:
        raise ValueError(f"{show(value)} is too short; write 1s or more")
    return seconds


def size(value: Any) -> int:
    """Bytes of ``16MiB``, ``500kB`` or a plain whole number; from 1 KiB to 1 GiB."""
    found = None
    if isinstance(value, int) and not isinstance(value, bool):
        found = value
    elif isinstance(value, str) and (match := _SIZE.fullmatch(value)):
        found = int(match[1]) * _BYTES[match[2]]
    if found is None:
        raise ValueError(
            f"{show(value)} is not a size; write a whole number with KiB, MiB, GiB, kB, MB or GB, "
            "such as 16MiB"
        )
    if not 2**10 <= found <= 2**30:
        raise ValueError(f"{show(value)} is out of range; allowed are 1KiB to 1GiB")
    return found


def rate(value: Any) -> float:
    """Requests per second of ``5/s``, ``300/m``, ``1000/h`` or ``20000/d``; positive."""
    match = _RATE.fullmatch(value) if isinstance(value, str) else None
    per_second = float(match[1]) / _UNITS[match[2]] if match else 0.0
    if per_second <= 0:
        raise ValueError(
            f"{show(value)} is not a rate; write a number above 0 per s, m, h or d, such as 5/s "
            "or 300/m"
        )
    return per_second


def address(value: Any) -> Address:
    """``127.0.0.1:9464``, ``[::1]:9464`` or ``name:9464`` as host and port."""
    host, colon, port = value.rpartition(":") if isinstance(value, str) else ("", "", "")
    bracketed = host.startswith("[") and host.endswith("]")
    plain = bool(re.fullmatch(r"[A-Za-z0-9._-]+", host))
    if not colon or not (plain or (bracketed and ":" in host)) or not re.fullmatch("[0-9]+", port):
        raise ValueError(
            f"{show(value)} is not an address; write host:port, such as 127.0.0.1:9464, or "
            "0.0.0.0:9464 to listen on every interface"
        )
    if len(port) > 5 or int(port) > 65535:
        raise ValueError(f"{show(value)} has a port above 65535; choose one from 0 to 65535")
    return Address(host.strip("[]"), int(port))


def store(value: Any) -> str:
    """``sqlite:///FILE``: evidence must outlive the process, so a store in memory is refused."""
    file = value.removeprefix("sqlite:///") if isinstance(value, str) else ""
    if file == value or not file or file == ":memory:" or "?" in file or not file.isprintable():
        raise ValueError(
            f"{show(value)} is not a store on disk; write sqlite:///FILE, such as "
            "sqlite:///qualmon.db"
        )
    return str(value)


def web_url(value: Any) -> str:
    """An http or https base address: a host, no credentials, no query; no final slash."""
    found = hook_url(value)
    parts = urlsplit(found)
    if parts.query or parts.fragment:
        raise ValueError(f"{show(value)} has a query or fragment; write the base address only")
    return found.rstrip("/")


def hook_url(value: Any) -> str:
    """Any http or https address with a host and without a user name or password."""
    parts = _split(value)
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(
            f"{show(value)} is not a web address; write http:// or https:// and a host, such as "
            "https://example.com"
        )
    if parts.username is not None or parts.password is not None:
        raise ValueError(
            "the address holds a user name or password; take them out, secrets are given as "
            "{env: NAME} or {file: PATH}"
        )
    return str(value)


def _split(value: Any) -> SplitResult | None:
    if not isinstance(value, str) or not value.isprintable() or re.search(r"\s", value):
        return None
    try:
        parts = urlsplit(value)
        _ = parts.port  # raises for what is not a port
    except ValueError:
        return None
    return parts


def is_loopback(url: str) -> bool:
    """Whether `url` (checked by web_url) names this machine and nothing else."""
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def secret_ref(value: Any) -> SecretRef:
    """``{env: NAME}`` or ``{file: PATH}``. The message never shows what stood there instead."""
    if isinstance(value, dict) and len(value) == 1:
        ((kind, name),) = value.items()
        if kind in ("env", "file") and isinstance(name, str) and name and "\0" not in name:
            return SecretRef(kind, name)
    raise ValueError(
        "a secret never stands in this file; write {env: NAME} or {file: PATH} (the value found "
        "here is not shown)"
    )


def text_or_secret(value: Any) -> str | SecretRef:
    """Plain text, or a reference to a secret."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return secret_ref(value)
    raise ValueError(f"{show(value)} is not text; put it in quotes, or write {{env: NAME}}")


def hook(value: Any) -> str | SecretRef:
    """A web address, or a reference to a secret that holds one."""
    return secret_ref(value) if isinstance(value, dict) else hook_url(value)


def name(value: Any) -> str:
    """A model, platform, route or label value: no blanks, commas or control characters."""
    if not isinstance(value, str):
        raise ValueError(f"{show(value)} is not text; put it in quotes")  # noqa: TRY004
    if not value or len(value) > 200 or not value.isprintable() or re.search(r"[\s,]", value):
        raise ValueError(
            f"{show(value)} is not a name; write 1 to 200 characters without blanks, commas and "
            "control characters"
        )
    return value


def label(value: Any) -> str:
    """The name of a label: a Prometheus label name that is no axis already."""
    if value in AXES:
        raise ValueError(f"{show(value)} is an axis of every target already; rename the label")
    if not isinstance(value, str) or not re.fullmatch(r"[a-z][a-z0-9_]{0,63}", value):
        raise ValueError(
            f"{show(value)} is not a label's name; write a-z, 0-9 and _, starting with a letter"
        )
    return value


def segment(value: Any) -> str:
    """A platform or route: a name without a slash, so that model/platform/route stays one key."""
    found = name(value)
    if "/" in found:
        raise ValueError(
            f"{show(value)} holds a slash, which separates model/platform/route; use - instead "
            "(only model may hold one)"
        )
    return found
