"""Channels code.fail and code.outcome: is the answer's code code?

Finding the code is done here, purely. Whether it compiles is a recorded verdict from outside
(`CompileVerdict`), asked for by `qualmon.pipeline.code_to_check`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from qualmon.scorers.case import Case, event, unjudged
from qualmon.scorers.channels import CHANNELS
from qualmon.scorers.finish import is_cut_off
from qualmon.types import Completion, Probe, Score

#: Names of languages, by every name that a label or a probe may use.
LANGUAGES: Final[Mapping[str, str]] = {
    **dict.fromkeys(("python", "py", "python3", "py3"), "python"),
    **dict.fromkeys(("javascript", "js", "mjs", "node"), "javascript"),
    **dict.fromkeys(("typescript", "ts"), "typescript"),
    **dict.fromkeys(("cpp", "c++", "cxx"), "cpp"),
    **dict.fromkeys(("rust", "rs"), "rust"),
    **dict.fromkeys(("go", "golang"), "go"),
    **dict.fromkeys(("bash", "sh", "shell"), "bash"),
    **{name: name for name in ("c", "java", "sql", "json")},
}
#: Languages for which a compiler can be asked.
SUPPORTED: Final = frozenset({"python"})
#: Characters of an answer that are searched for code; a longer one is a resource limit.
MAX_TEXT: Final = 1 << 17
_FENCES: Final = ("```", "~~~")
_FAIL: Final = CHANNELS["code.fail"]
_OUTCOME: Final = CHANNELS["code.outcome"]


@dataclass(frozen=True, slots=True)
class Extract:
    """Code found in an answer, or why there is none to compile.

    outcome: None where `source` is to be compiled, else the value of code.outcome. bare:
    the source is the whole text, which is code only if it compiles.
    """

    outcome: str | None
    source: str = ""
    bare: bool = False
    blocks: int = 0


def judge(case: Case) -> Iterator[Score]:
    """code.outcome: what became of the code asked for. code.fail: it does not compile.

    Only ``ok`` and ``fail`` are a verdict on the code; every other outcome leaves code.fail
    without a value, or else a lowered token limit would look like a syntax error.
    Catches: corrupted code. Blind to: code that compiles and is wrong.
    Source: postmortem of 2025-09, bug 2 (syntax errors in code).
    """
    outcome, detail = _outcome(case)
    if outcome is None:
        yield unjudged(_OUTCOME, detail["reason"])
    else:
        yield Score(_OUTCOME.name, _OUTCOME.kind, outcome, detail)
    if outcome in ("ok", "fail"):
        yield event(_FAIL, outcome == "fail", detail)
    else:
        yield unjudged(_FAIL, detail.get("reason", str(outcome)))


def _outcome(case: Case) -> tuple[str | None, dict[str, Any]]:
    if case.probe.expect.code is None:
        return None, {"reason": "the probe states no expect.code"}
    found = extract(case.probe, case.completion)
    if found.outcome is not None:
        return found.outcome, {"blocks": found.blocks} if found.blocks else {}
    return _judged(case, found)


def _judged(case: Case, found: Extract) -> tuple[str | None, dict[str, Any]]:
    verdict = case.verdict
    if verdict is None or verdict.outcome == "unavailable":
        said = f": {verdict.message[:200]}" if verdict and verdict.message else ""
        return None, {"reason": f"no compile verdict{said}"}
    if found.bare and verdict.outcome == "fail":
        return "no_code", {}
    detail = {"tier": verdict.tier, "message": verdict.message[:200], "line": verdict.line}
    return verdict.outcome, {key: value for key, value in detail.items() if value}


def extract(probe: Probe, completion: Completion) -> Extract:
    """The code in an answer to a probe that states expect.code.

    Blocks labelled with the asked language count, or else blocks without a label; a text
    without any fence counts as a whole. Raises ValueError where expect.code is not stated.
    """
    if probe.expect.code is None:
        raise ValueError(f"probe {probe.id!r} asks for no code; give it expect.code")
    asked = probe.expect.code.strip().lower()
    language = LANGUAGES.get(asked, asked)
    if language not in SUPPORTED:
        return Extract("unsupported")
    if is_cut_off(completion):
        return Extract("truncated")
    if len(completion.text) > MAX_TEXT:
        return Extract("resource_limit")
    return _extract(language, completion.text)


@lru_cache(maxsize=8)
def _extract(language: str, text: str) -> Extract:
    blocks = _fenced(text)
    if not blocks:
        return Extract(None, text, bare=True) if text.strip() else Extract("no_code")
    if not all(closed for *_, closed in blocks):
        return Extract("truncated", blocks=len(blocks))
    asked = [source for label, source, _ in blocks if LANGUAGES.get(label) == language]
    sources = asked or [source for label, source, _ in blocks if not label]
    if len(sources) > 1:
        return Extract("ambiguous", blocks=len(sources))
    if not sources or not sources[0].strip():
        return Extract("no_code", blocks=len(blocks))
    return Extract(None, sources[0], blocks=1)


def _fenced(text: str) -> list[tuple[str, str, bool]]:
    """Label, source and closedness of each block; the parser loads where a fence stands."""
    if not any(fence in text for fence in _FENCES):
        return []
    from qualmon.scorers.fences import fenced_blocks

    return [(block.label, block.source, block.closed) for block in fenced_blocks(text)]
