"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ConfigOption = Annotated[Path, typer.Option("-c", "--config", help="The configuration file.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]

DEFAULT_CONFIG = Path("qualmon.yaml")
