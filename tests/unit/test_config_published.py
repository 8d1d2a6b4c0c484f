"""What users are given to write a configuration agrees with what is read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from qualmon.config import load, per_day, schema, template
from qualmon.errors import ConfigError

DOCS = Path(__file__).parents[2] / "docs/configuration.md"


def keys(node: dict[str, Any]) -> Iterator[str]:
    """Every key that the schema allows anywhere."""
    yield from node.get("properties", {})
    for definition in node.get("$defs", {}).values():
        yield from keys(definition)


def test_the_template_passes_check(tmp_path: Path) -> None:
    """It loads as soon as the variable that it names is set, and says so before."""
    path = tmp_path / "qualmon.yaml"
    path.write_text(template())
    assert load(path, {"OPENAI_API_KEY": "sk-1"}).endpoints[0].target.platform == "first-party"
    with pytest.raises(ConfigError, match="OPENAI_API_KEY is not set"):
        load(path, {})


def test_the_template_states_what_it_costs(tmp_path: Path) -> None:
    """The figures in its comment are those that check prints."""
    path = tmp_path / "qualmon.yaml"
    path.write_text(template())
    total = per_day(load(path, {"OPENAI_API_KEY": "sk-1"})).total
    head = " ".join(template().split("\n\n")[0].replace("#", "").split())
    assert f"{total.requests:.0f} requests a day" in head
    assert f"about {round(total.input_tokens, -3):,.0f} tokens in" in head
    assert f"and {round(total.output_tokens, -3):,.0f} tokens out" in head
    assert f"{total.usd:.2f} USD a day" in head


def test_the_template_shows_every_key() -> None:
    """Each key stands in it, in use or in a comment."""
    missing = [key for key in keys(schema()) if not re.search(rf"\b{key}\b", template())]
    assert not missing


def test_the_documentation_explains_every_key() -> None:
    """Each key stands in docs/configuration.md as code."""
    text = DOCS.read_text("utf-8")
    missing = [key for key in keys(schema()) if not re.search(rf"`{key}[`:]", text)]
    assert not missing


def test_the_schema_is_closed() -> None:
    """Editors refuse the same unknown keys as we do, and every key is described."""
    found = schema()
    for node in (found, *found["$defs"].values()):
        assert node["additionalProperties"] is False
        assert all(entry.get("description") for entry in node["properties"].values())
    assert set(found["required"]) == {"targets", "suites"}


def test_the_schema_takes_a_plain_value_or_a_mapping() -> None:
    """An editor marks neither `timeout: 20s` nor its mapping; nor either form of identities."""
    models = schema()["$defs"]
    for model, key, of in (("TargetModel", "timeout", "TimeoutModel"),
                           ("SuiteModel", "identities", "IdentitiesModel")):  # fmt: skip
        mapping, plain = models[model]["properties"][key]["anyOf"]
        assert mapping == {"$ref": f"#/$defs/{of}"}
        assert "$ref" not in plain
