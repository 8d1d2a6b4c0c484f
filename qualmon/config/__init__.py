"""Configuration: the only reader of YAML and of the environment. Mistakes come all at once."""

from qualmon.config.cost import PerDay, Volume, per_day
from qualmon.config.load import DEFAULT_NODES, KNOWN_PROVIDERS, load
from qualmon.config.published import schema, template
from qualmon.config.settings import (
    AlertmanagerSink,
    Config,
    Recovery,
    Sinks,
    Suite,
    SuitePlan,
    WebhookSink,
)
from qualmon.config.suites import load_suite, suite_names
from qualmon.config.values import Address

__all__ = [
    "DEFAULT_NODES",
    "KNOWN_PROVIDERS",
    "Address",
    "AlertmanagerSink",
    "Config",
    "PerDay",
    "Recovery",
    "Sinks",
    "Suite",
    "SuitePlan",
    "Volume",
    "WebhookSink",
    "load",
    "load_suite",
    "per_day",
    "schema",
    "suite_names",
    "template",
]
