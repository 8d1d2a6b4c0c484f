"""python -m benchmarks detection [--full] [--seed N] [--only NAME,...] [--json FILE]"""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import orjson

from benchmarks.detection.sections import SECTIONS
from benchmarks.report import Section, Setting, show


def measured(name: str, setting: Setting) -> Section:
    """Runs one section in this process and takes its wall time."""
    begun = time.perf_counter()
    section: Section = importlib.import_module(SECTIONS[name]).run(setting)
    return replace(section, seconds=time.perf_counter() - begun)


#: Timed against a clock, so it runs when the processors are free of the others.
ALONE = ("speed",)


def run(names: list[str], setting: Setting, workers: int) -> list[Section]:
    """The sections in the order asked, `workers` at a time, longest first."""
    together = [name for name in names if name not in ALONE]
    with ProcessPoolExecutor(workers) as pool:
        pending = {name: pool.submit(measured, name, setting) for name in together}
        done = {name: pending[name].result() for name in together}
    for name in ALONE:
        if name in names:
            done[name] = measured(name, setting)
    return [done[name] for name in names]


def main(arguments: list[str] | None = None) -> int:
    """Runs the sections asked for, prints them and writes the JSON; exit code 0."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("benchmark", choices=["detection"])
    parser.add_argument("--full", action="store_true", help="tighter figures, up to 30 minutes")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default=",".join(SECTIONS), help="sections, by comma")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", type=Path, default=Path("benchmarks-detection.json"))
    given = parser.parse_args(arguments)
    names = given.only.split(",")
    if unknown := [name for name in names if name not in SECTIONS]:
        parser.error(f"no section {', '.join(unknown)}; there are {', '.join(SECTIONS)}")
    begun = time.perf_counter()
    sections = run(names, Setting(given.full, given.seed), given.workers)
    seconds = time.perf_counter() - begun
    for section in sections:
        print(show(section), end="\n\n")
    rows = [row for section in sections for row in section.rows if row.met is not None]
    missed = [row for row in rows if not row.met]
    print(f"{len(rows) - len(missed)} of {len(rows)} targets met, {seconds:.0f} s")
    for row in missed:
        print(f"  missed: {row.item} {row.case}: {row.value:.4g}, target {row.target}")
    document = {
        "benchmark": given.benchmark,
        "full": given.full,
        "seed": given.seed,
        "wall_seconds": seconds,
        "sections": [section.document() for section in sections],
    }
    given.json.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
