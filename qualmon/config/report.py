"""Collects all mistakes of one file, each with its line, before anything is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Final

from qualmon.errors import ConfigError, Problem

#: A key, or the position in a list.
Step = str | int

#: Stands for the path of a mistake that concerns the file as a whole.
FILE: Final = "(file)"


class Report:
    """The mistakes found so far in `file`, and the line of every path in it."""

    def __init__(
        self,
        file: str,
        lines: Mapping[tuple[Step, ...], int],
        problems: Sequence[Problem] = (),
    ) -> None:
        self.file = file
        self.problems = list(problems)
        self._lines = lines

    def add(self, path: tuple[Step, ...], message: str) -> None:
        """Notes a mistake at `path`, located at the nearest line that the file has for it."""
        self.problems.append(Problem(self.file, self._line(path), self.render(path), message))

    def render(self, path: tuple[Step, ...]) -> str:
        """``targets[0].labels.team``."""
        text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
        return text.removeprefix(".") or FILE

    def raise_if_any(self) -> None:
        """Raises ConfigError with everything that was noted."""
        if self.problems:
            raise ConfigError(tuple(dict.fromkeys(self.problems)))

    def _line(self, path: tuple[Step, ...]) -> int:
        for length in range(len(path), 0, -1):
            if path[:length] in self._lines:
                return self._lines[path[:length]]
        return 1


def show(value: Any) -> str:
    """A value as an error names it: shortened, on one line."""
    if value is None:
        return "an empty value"
    if isinstance(value, bool):
        return "true" if value else "false"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def suggest(name: str, known: Sequence[str]) -> str:
    """``did you mean 'every'? (allowed: every, name)``, or the second half alone."""
    allowed = f"allowed: {', '.join(known)}" if known else "nothing is allowed here"
    near = get_close_matches(name, known, n=1)
    return f"did you mean {near[0]!r}? ({allowed})" if near else allowed
