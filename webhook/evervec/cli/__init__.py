"""The command line: `evervec COMMAND`. Every command has a file of its own in this folder."""

from __future__ import annotations

from evervec.cli.program import main

__all__ = ["main"]
