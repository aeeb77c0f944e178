"""Where tables are printed."""

from __future__ import annotations

from rich.console import Console

_WIDTH_OF_A_LOG = 400


def wide_console() -> Console:
    """A console for tables; what goes to a file or another program is not cut to the width of a terminal."""
    console = Console()
    return console if console.is_terminal else Console(width=_WIDTH_OF_A_LOG)
