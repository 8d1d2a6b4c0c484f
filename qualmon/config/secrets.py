"""Fetches secrets from the environment and from files. Their text enters no message."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from qualmon.config.report import Report, Step
from qualmon.config.values import SecretRef
from qualmon.types import Secret

_MAX: Final = 64 * 1024
_HEADER_SAFE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")


@dataclass(frozen=True, slots=True)
class Vault:
    """Where secrets come from: the environment given, and files beside the config file."""

    environ: Mapping[str, str]
    folder: Path

    def fetch(self, ref: SecretRef, report: Report, where: tuple[Step, ...]) -> Secret | None:
        """The secret; None, with the reason noted in `report`, when it cannot be had."""
        source = f"the environment variable {ref.name}"
        try:
            if ref.kind == "env":
                text = self.environ.get(ref.name)
            else:
                source = f"the file {ref.name!r}"
                text = self._read(ref.name)
        except (OSError, ValueError):
            report.add(where, f"{source} cannot be read as text; check its path and permissions")
            return None
        if not text:
            what = "is empty" if text is not None else "is not set"
            report.add(where, f"{source} {what}; put the secret there before you start qualmon")
            return None
        if not _HEADER_SAFE.fullmatch(text):
            report.add(
                where,
                f"{source} holds blanks at its ends, line breaks or characters beyond "
                "ASCII; store the bare secret",
            )
            return None
        return Secret(text)

    def _read(self, name: str) -> str:
        with (self.folder / name).open("rb") as stream:
            return stream.read(_MAX).decode("utf-8").rstrip("\r\n")
