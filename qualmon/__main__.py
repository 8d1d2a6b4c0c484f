"""``python -m qualmon``."""

from qualmon.cli import main

main()
