"""Nodes, weights, scopes and the rules on record."""

from __future__ import annotations

import pytest
from fold_kit import AXES, FLEET, make_rules

from qualmon.folding.rules import FoldRules, build_nodes, pageable, scope_of
from qualmon.stats.hierarchy import channel_weights, node_weights
from qualmon.types import ChannelInfo, Target


@pytest.mark.parametrize("sizes", [(1,), (1, 3, 12), (1, 5, 10, 50, 1000), (0, 3), (0, 0)])
def test_node_weights_keep_a_tenth_in_reserve(sizes: tuple[int, ...]) -> None:
    """Levels share .9 equally and their nodes share the level's part; empty levels get none."""
    weights = node_weights(sizes)
    filled = [size for size in sizes if size]
    assert sum(w * n for w, n in zip(weights, sizes, strict=True)) == pytest.approx(
        0.9 if filled else 0.0
    )
    parts = {round(w * n, 12) for w, n in zip(weights, sizes, strict=True) if n}
    assert len(parts) <= 1


def test_channels_share_a_nodes_weight_by_family() -> None:
    """A family with many channels gets no more than one with a single channel."""
    families = ["code", "script", "script", "script", "token"]
    weights = channel_weights(families)
    assert sum(weights) == pytest.approx(1.0)
    assert weights == pytest.approx([1 / 3, 1 / 9, 1 / 9, 1 / 9, 1 / 3])


def test_all_bets_of_the_fleet_together_weigh_nine_tenths() -> None:
    """The budget's line is honest only if every bet of every node is counted: .9 in all."""
    rules = make_rules(tokens=("token.drop",))
    events, tokens = rules.drift_parts
    per_node = float(events.sum()) + float(tokens.sum())
    assert per_node == pytest.approx(1.0)
    assert sum(node.weight for node in rules.nodes) * per_node == pytest.approx(0.9)


def test_one_node_for_each_combination_of_axis_values() -> None:
    """The demo fleet: 1 + 3 + 3 + 2 + 6 + 6 + 12 nodes, members sorted."""
    nodes = build_nodes(FLEET, AXES)
    assert len(nodes) == 33
    scopes = {node.scope: node.targets for node in nodes}
    assert len(scopes["fleet"]) == 12
    assert scopes["hardware=tpu,model=m-large"] == (
        "m-large/first-party/default",
        "m-large/gcp/default",
    )
    assert all(list(node.targets) == sorted(node.targets) for node in nodes)


def test_nodes_with_equal_members_are_one() -> None:
    """Of places that say the same thing the most specific stays, and weights follow."""
    lone = (Target("m", "p", "r", labels={"hardware": "tpu"}),)
    nodes = build_nodes(lone, AXES)
    assert [node.scope for node in nodes] == ["target=m/p/r"]
    assert nodes[0].weight == pytest.approx(0.9)
    two = (*lone, Target("m", "q", "r", labels={"hardware": "gpu"}))
    assert [node.scope for node in build_nodes(two, AXES)] == [
        "model=m",
        "target=m/p/r",
        "target=m/q/r",
    ]


def test_a_target_without_a_label_is_in_no_node_of_that_axis() -> None:
    """Unknown hardware is not a hardware."""
    targets = (
        Target("m", "p", "r", labels={"hardware": "tpu"}),
        Target("m", "q", "r", labels={"hardware": "tpu"}),
        Target("m", "s", "r"),
    )
    nodes = {node.scope: node.targets for node in build_nodes(targets, AXES)}
    assert nodes["hardware=tpu,model=m"] == ("m/p/r", "m/q/r")
    assert nodes["model=m"] == ("m/p/r", "m/q/r", "m/s/r")


def test_scope_strings() -> None:
    """`fleet`, or axis=value pairs in configured order."""
    assert scope_of(()) == "fleet"
    assert scope_of((("platform", "tpu"), ("model", "m"))) == "platform=tpu,model=m"
    assert scope_of((("target", "m/p/r"),)) == "target=m/p/r"


def test_dump_and_load_are_inverse() -> None:
    """Rules read back from the log give the same bytes and the same derived tables."""
    rules = make_rules(
        tokens=("token.drop",), feeds={"core/p1": ("script.run",)}, versions={"core/p1": "v1"}
    )
    loaded = FoldRules.load(rules.dump())
    assert loaded.dump() == rules.dump()
    assert loaded.nodes == rules.nodes
    assert loaded.rows == rules.rows
    assert loaded.around == rules.around
    assert loaded.families == ("code", "script", "token")


def test_rows_follow_families() -> None:
    """Rows of a family are those of its channels, events before tokens."""
    rules = make_rules(tokens=("token.drop",))
    assert rules.channels_of("script") == ("script.char", "script.run")
    assert rules.channels_of("token") == ("token.argmax", "token.drop")
    assert rules.channels_of("nothing") == ()


def test_touching_finds_nodes_by_any_target() -> None:
    """Every node that holds the target, and no other."""
    rules = make_rules()
    key = "m-small/aws/batch"
    scopes = {rules.nodes[i].scope for i in rules.touching([key])}
    assert scopes == {
        "fleet",
        "platform=aws",
        "hardware=gpu",
        "model=m-small",
        "platform=aws,model=m-small",
        "hardware=gpu,model=m-small",
        f"target={key}",
    }


def test_only_invariant_events_and_self_normalised_values_may_page() -> None:
    """Baselined and controlled channels, covariates and categories bet on no node."""
    infos = [
        ChannelInfo("b.event", "event", "invariant", "", "", ""),
        ChannelInfo("a.event", "event", "invariant", "", "", ""),
        ChannelInfo("c.drop", "e_value", "self", "", "", ""),
        ChannelInfo("d.rank", "event", "baselined", "", "", ""),
        ChannelInfo("e.draw", "event", "controlled", "", "", ""),
        ChannelInfo("f.length", "event", "covariate", "", "", ""),
        ChannelInfo("g.kind", "category", "invariant", "", "", ""),
    ]
    assert pageable(infos) == (("a.event", "b.event"), ("c.drop",))
