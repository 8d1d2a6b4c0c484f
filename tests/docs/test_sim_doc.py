"""What docs/howto/simulated-fleet.md says of faults is what the simulator does."""

import re
from pathlib import Path

import pytest

from qualmon.sim.faults import KINDS
from qualmon.sim.topk_drop import TopKDrop
from qualmon.sim.wire_messages_request import EDITIONS

PAGE = (Path(__file__).parents[2] / "docs/howto/simulated-fleet.md").read_text("utf-8")
#: kind, keys, defaults; a row without a kind goes on with the one before.
ROWS = re.findall(r"^\| (`[a-z-]+`)? ?\| (`[^|]+`) \| ([^|]+) \| [^|]+ \|$", PAGE, re.MULTILINE)


def documented() -> dict[str, dict[str, str]]:
    """Per kind: each key with its default as it is written."""
    found: dict[str, dict[str, str]] = {}
    kind = ""
    for head, keys, defaults in ROWS:
        kind = head.strip("`") or kind
        names = re.findall(r"`(\w+)`", keys)
        found.setdefault(kind, {}).update(zip(names, defaults.split(", "), strict=True))
    return found


def test_every_kind_and_key_is_documented() -> None:
    """No more and no less."""
    assert {kind: set(keys) for kind, keys in documented().items()} == {
        kind: set(behaviour.keys) for kind, behaviour in KINDS.items()
    }


@pytest.mark.parametrize("kind", ["topk-drop", "misroute"])
def test_defaults_are_those_of_the_code(kind: str) -> None:
    """Numbers and switches that stand in the table; rates are nominal."""
    made = KINDS[kind].parse({}, "here")
    for key, said in documented()[kind].items():
        if re.fullmatch(r"[\d.]+", said):
            assert float(said) == pytest.approx(getattr(made, key), rel=0.12)
        elif said == "false":
            assert getattr(made, key) is False


def test_the_arithmetic_is_that_of_the_code() -> None:
    """Each row of the table of rates."""
    rows = re.findall(r"^\| ([\d.]+) % \| (\d+) = .+? \| ([\d.]+) % \|$", PAGE, re.MULTILINE)
    assert len(rows) == 3
    for wanted, batch, rate in rows:
        made = TopKDrop.parse({"rate": float(wanted) / 100}, "here")
        assert made.batches == (int(batch),)
        assert round(100 * made.rate, 2) == float(rate)


def test_editions_are_named() -> None:
    """Both versions of Anthropic's protocol."""
    assert all(f"`{edition}`" in PAGE for edition in EDITIONS)
