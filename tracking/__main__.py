"""Run the command as ``python -m tracking``."""

from tracking.cli import main

main()
