"""The sections in the order of printing; name -> module with ``run(setting) -> Section``."""

from __future__ import annotations

from typing import Final

SECTIONS: Final[dict[str, str]] = {
    "cells": "benchmarks.detection.cells",
    "peers": "benchmarks.detection.peers",
    "published": "benchmarks.detection.published",
    "scores": "benchmarks.detection.scores",
    "tokens": "benchmarks.detection.tokens",
    "baselines": "benchmarks.detection.baselines",
    "dependence": "benchmarks.detection.dependence",
    "controlled": "benchmarks.detection.controlled",
    "fleet": "benchmarks.detection.fleet",
    "endpoints": "benchmarks.detection.endpoints",
    "bounds": "benchmarks.detection.bounds",
    "lifecycle": "benchmarks.detection.lifecycle",
    "ledger": "benchmarks.detection.ledger",
    "planning": "benchmarks.detection.planning",
    "comparison": "benchmarks.detection.comparison",
    "speed": "benchmarks.detection.speed",
}
