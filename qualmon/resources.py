"""Where the data folders are: beside the package in a checkout, inside it in a wheel."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def data_path(name: str) -> Path:
    """Folder `name` (``probes``, ``alembic``) of the installed wheel or of the checkout.

    Raises FileNotFoundError naming both places when neither has it.
    """
    installed, checkout = _PACKAGE / "_data" / name, _PACKAGE.parent / name
    for candidate in (installed, checkout):
        if candidate.is_dir():
            return candidate
    raise FileNotFoundError(f"{name}: neither {installed} nor {checkout} exists; reinstall qualmon")
