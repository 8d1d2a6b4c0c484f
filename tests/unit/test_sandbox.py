"""PythonCompiler: verdicts on any source, from a process that never runs it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from qualmon.sandbox import PythonCompiler
from qualmon.sandbox.pool import MAX_SOURCE


@pytest.fixture
async def compiler() -> AsyncIterator[PythonCompiler]:
    """A compiler with one worker."""
    one = PythonCompiler()
    yield one
    await one.aclose()


def workers() -> set[int]:
    """Process ids of running workers that this process started."""
    found = set()
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(status.read_text().rsplit(")", 1)[1].split()[1])
            command = (status.parent / "cmdline").read_text()
        except (OSError, IndexError):
            continue
        if parent == os.getpid() and "python_child.py" in command:
            found.add(int(status.parent.name))
    return found


@pytest.mark.parametrize(
    ("source", "outcome"),
    [
        ("x = 1\n", "ok"),
        ("", "ok"),
        ("'a' * 10**9\n9**9**9\n", "ok"),
        ("x = = 1\n", "fail"),
        ("return 1\n", "fail"),
        ("def f(a, a): pass\n", "fail"),
        ("x = f(ก y)\n", "fail"),
        ("a\u200bb = 1\n", "fail"),
        ("x\0 = 1\n", "fail"),
        ("x = '\ud800'\n", "fail"),
        ("(" * 100_000, "fail"),
        ("-" * 100_000 + "1", "resource_limit"),
        ("1+" * 100_000 + "1", "resource_limit"),
        ("x" * (MAX_SOURCE + 1), "resource_limit"),
    ],
)
async def test_verdicts(compiler: PythonCompiler, source: str, outcome: str) -> None:
    """Right, wrong and hostile source; the worker lives on."""
    verdict = await compiler.check("python", source)
    assert (verdict.outcome, verdict.tier, verdict.language) == (outcome, "compiler", "python")
    assert verdict.message.isascii()
    assert (await compiler.check("python", "x = 1")).outcome == "ok"


async def test_failure_names_line_and_version(compiler: PythonCompiler) -> None:
    """Enough to understand the verdict years later."""
    verdict = await compiler.check("python", "x = 1\ny = = 2\n")
    assert verdict.line == 2
    assert verdict.message.startswith("CPython 3.")
    assert "invalid syntax" in verdict.message


async def test_source_is_not_run(compiler: PythonCompiler, tmp_path: Path) -> None:
    """Neither statements, nor decorators, nor defaults, nor coding cookies."""
    target = tmp_path / "touched"
    source = (
        f"# -*- coding: zlib_codec -*-\nopen({str(target)!r}, 'w')\n"
        f"@open({str(target)!r}, 'w')\ndef f(a=open({str(target)!r}, 'w')): ...\n"
    )
    assert (await compiler.check("python", source)).outcome == "ok"
    assert not target.exists()


async def test_worker_is_confined(compiler: PythonCompiler) -> None:
    """No environment, no file of ours, no file to write, the root as its folder."""
    await compiler.check("python", "x = 1")
    (pid,) = workers()
    home = Path(f"/proc/{pid}")
    limits = (home / "limits").read_text()
    assert (home / "environ").read_bytes() == b""
    assert (home / "cwd").readlink() == Path("/")
    assert {link.name for link in (home / "fd").iterdir()} <= {"0", "1", "2"}
    for name in ("Max core file size", "Max file size", "Max processes"):
        row = next(line for line in limits.splitlines() if line.startswith(name))
        assert row.split()[-3:-1] == ["0", "0"]
    assert os.getpgid(pid) != os.getpgid(0)


async def test_slow_source_is_a_resource_limit() -> None:
    """The worker is killed and replaced."""
    compiler = PythonCompiler(wall_seconds=0.15)
    verdict = await compiler.check("python", "[" + "a," * 400_000 + "]")
    assert (verdict.outcome, workers()) == ("resource_limit", set())
    await compiler.aclose()


async def test_memory_is_bounded() -> None:
    """Source that needs more than its share is refused."""
    compiler = PythonCompiler(memory_bytes=48 << 20)
    assert (await compiler.check("python", "x = 1")).outcome == "ok"
    verdict = await compiler.check("python", "[" + "a," * 300_000 + "]")
    assert verdict.outcome == "resource_limit"
    await compiler.aclose()


async def test_killed_worker_is_replaced(compiler: PythonCompiler) -> None:
    """At most the check under way is lost, and it is no verdict on the code."""
    await compiler.check("python", "x = 1")
    (pid,) = workers()
    os.kill(pid, signal.SIGKILL)
    assert (await compiler.check("python", "x = 1")).outcome in ("ok", "resource_limit")
    assert (await compiler.check("python", "x = 1")).outcome == "ok"
    assert pid not in workers()


async def test_cancelled_check_leaves_no_stale_reply(compiler: PythonCompiler) -> None:
    """The next check gets its own verdict."""
    slow = asyncio.create_task(compiler.check("python", "[" + "a," * 50_000 + "]"))
    await asyncio.sleep(0.05)
    slow.cancel()
    await asyncio.gather(slow, return_exceptions=True)
    assert (await compiler.check("python", "x = = 1")).outcome == "fail"


async def test_workers_are_replaced_after_a_while() -> None:
    """Whatever a worker leaks is bounded."""
    compiler = PythonCompiler(restart_after=2)
    seen = set()
    for _ in range(4):
        await compiler.check("python", "x = 1")
        seen |= workers()
    await compiler.aclose()
    assert len(seen) == 2


async def test_many_checks_at_once_share_the_workers() -> None:
    """Verdicts do not get mixed up, and no more processes start than allowed."""
    compiler = PythonCompiler(workers=2)
    sources = ["x = 1", "x = = 1"] * 40
    verdicts = await asyncio.gather(*(compiler.check("python", each) for each in sources))
    assert [each.outcome for each in verdicts] == ["ok", "fail"] * 40
    assert len(workers()) <= 2
    await compiler.aclose()
    assert workers() == set()


async def test_unavailable_is_said_not_raised(compiler: PythonCompiler) -> None:
    """Another language, or a closed compiler."""
    assert (await compiler.check("cobol", "x")).outcome == "unavailable"
    await compiler.aclose()
    assert (await compiler.check("python", "x")).outcome == "unavailable"
