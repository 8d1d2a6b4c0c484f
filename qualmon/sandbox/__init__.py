"""Isolated compilation: code from answers is parsed in child processes and never run."""

from __future__ import annotations

from qualmon.sandbox.pool import PythonCompiler

__all__ = ["PythonCompiler"]
