"""The exception tree. The first line of a class's docstring is the message.

    QualmonError                 exit 70 unless a subclass says otherwise
    ├── UsageError               exit 2   the caller's words are wrong
    │   ├── ConfigError                   one or more located problems in a file
    │   ├── UnknownNameError                   a name that no table holds
    │   ├── PluginError                   an entry point cannot be loaded
    │   └── MissingExtraError             an optional dependency is not installed
    ├── DependencyError          exit 4   something outside failed
    │   ├── StoreError                    the store cannot be used
    │   │   ├── StoreSchemaError          schema and program do not fit
    │   │   ├── StoreCorruptError         the file is damaged
    │   │   ├── StateUnreadableError      the fold's rows are another version's, or damaged
    │   │   ├── StaleFenceError           another worker holds the slot
    │   │   └── FoldMovedError            another folder moved the cursor
    │   ├── PortInUseError
    │   └── NoTargetAnsweredError
    └── StatisticsError          exit 2   an input outside a formula's domain

Every message reads: what happened, the offending value, the remedy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


class QualmonError(Exception):
    """qualmon could not go on."""

    exit_code: ClassVar[int] = 70
    remedy: ClassVar[str] = ""

    def __init__(self, detail: str = "", *, remedy: str | None = None) -> None:
        summary = (self.__doc__ or "").strip().splitlines()[0].rstrip(".")
        fix = self.remedy if remedy is None else remedy
        parts = [f"{summary}: {detail}" if detail else summary]
        if fix:
            parts.append(fix)
        super().__init__(". ".join(part.rstrip(".") for part in parts) + ".")


class UsageError(QualmonError):
    """The command cannot be carried out as written."""

    exit_code = 2


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One located mistake in a file: what is wrong, what is allowed, what to do."""

    file: str
    line: int
    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.path}: {self.message}"


class ConfigError(UsageError):
    """The configuration has mistakes."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = tuple(sorted(problems))
        super().__init__("; ".join(str(problem) for problem in self.problems))


class UnknownNameError(UsageError):
    """There is nothing of that name."""


class PluginError(UsageError):
    """A plug-in cannot be loaded."""

    remedy = "Repair or uninstall the package that provides it"


class MissingExtraError(UsageError):
    """An optional part of qualmon is not installed."""


class DependencyError(QualmonError):
    """Something that qualmon depends on failed."""

    exit_code = 4


class StoreError(DependencyError):
    """The store cannot be used."""


class StoreSchemaError(StoreError):
    """The store's schema and this program do not fit together."""


class StoreCorruptError(StoreError):
    """The store's file is damaged."""

    remedy = "Restore it from a backup, or move it away to start an empty one"


class StateUnreadableError(StoreError):
    """The fold's state in the store cannot be read."""

    remedy = "Run `qualmon db rebuild`, which computes it anew from the log"


class StaleFenceError(StoreError):
    """Another worker holds the slot, or it is closed."""

    remedy = "Leave the slot alone"


class FoldMovedError(StoreError):
    """Another process has moved the fold's cursor."""

    remedy = "Run one folder only and load its state again"


class PortInUseError(DependencyError):
    """The address is already in use."""

    remedy = "Stop the other process or choose another port"


class NoTargetAnsweredError(DependencyError):
    """No target answered."""


class StatisticsError(QualmonError, ValueError):
    """A value lies outside the domain of a formula."""

    exit_code = 2
