"""The composition root: the one place where a configuration becomes running parts."""

from qualmon.bootstrap.service import Service

__all__ = ["Service"]
