"""What is handed to people who write a configuration: the JSON Schema and a first file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qualmon.config.models import FileModel


def schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of qualmon.yaml."""
    found = FileModel.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **found}


def template() -> str:
    """A commented qualmon.yaml that passes `check` once its environment variable is set."""
    return (Path(__file__).parent / "template.yaml").read_text("utf-8")
