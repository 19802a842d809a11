"""The command line: the only place that prints, and that chooses exit codes."""

from __future__ import annotations

from vaeflash.cli.app import app

# In the order in which `--help` lists them.
from vaeflash.cli.commands import reading, running, studying, writing

__all__ = ["app", "main", "reading", "running", "studying", "writing"]


def main() -> None:
    """Entry point of the `vaeflash` command."""
    app()
