"""What docs/configuration.md shows of a target is accepted as it stands there."""

import re
from pathlib import Path

from qualmon.config import KNOWN_PROVIDERS, load

TEXT = Path(__file__).parents[2].joinpath("docs/configuration.md").read_text("utf-8")


def test_every_provider_is_documented() -> None:
    """The row of `provider` names each of them."""
    (row,) = (line for line in TEXT.splitlines() if line.startswith("| `provider` |"))
    assert all(f"`{name}`" in row for name in KNOWN_PROVIDERS)


def test_the_example_of_a_target_loads(tmp_path: Path) -> None:
    """The Anthropic target needs nothing but a suite to be a whole configuration."""
    (example,) = re.findall(r"```yaml\n(targets:\n.*?)```", TEXT, re.DOTALL)
    path = tmp_path / "qualmon.yaml"
    path.write_text(f"{example}suites: [{{name: core}}]\n", "utf-8")
    (endpoint,) = load(path, {"ANTHROPIC_API_KEY": "sk-ant-0123456789"}).endpoints
    assert endpoint.target.provider == "anthropic"
    assert endpoint.url == "https://api.anthropic.com"
