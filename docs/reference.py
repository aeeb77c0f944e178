"""Writes docs/reference.md: every command with its options, every table with its columns, from the code itself.

`make reference` runs it; a test compares the file with what it would write.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from perf_assets.cli.main import main
from perf_assets.tables import PERFORMANCE_METRICS, TABLES, Table

FILE = Path(__file__).parent / "reference.md"
_HEAD = """# Reference

Written by `make reference`. What the tables mean and how they are computed: [findings](findings.md). Settings:
[running it](operations.md).
"""


def reference() -> str:
    """The whole document."""
    return "\n".join([_HEAD, "## Commands", "", *_commands(main, "perf-assets"), "## Tables", "", *_tables()])


def _commands(command: click.Command, name: str) -> Iterator[str]:
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=name)
        if command.invoke_without_command:
            yield from _one(command, name)
        for sub in command.list_commands(context):
            found = command.get_command(context, sub)
            if found is not None:
                yield from _commands(found, f"{name} {sub}")
    else:
        yield from _one(command, name)


def _one(command: click.Command, name: str) -> Iterator[str]:
    context = click.Context(command, info_name=name)
    usage = " ".join(command.collect_usage_pieces(context))
    yield from (f"### `{name}`", "", " ".join((command.help or "").split()), "", f"    {name} {usage}".rstrip(), "")
    options = [record for each in command.params if (record := each.get_help_record(context)) is not None]
    if options:
        yield from ("| option | |", "|---|---|")
        yield from (f"| `{_cell(option)}` | {_cell(text)} |" for option, text in options)
        yield ""


def _tables() -> Iterator[str]:
    for table in sorted((*TABLES, PERFORMANCE_METRICS), key=lambda each: each.name):
        yield from _table(table)


def _table(table: Table) -> Iterator[str]:
    key = ", ".join(f"`{name}`" for name in table.key)
    yield from (f"### `{table.name}`", "", f"{table.meaning} Key: {key}.", "", "| column | type | |", "|---|---|---|")
    yield from (f"| `{each.name}` | {each.type} | {_cell(each.meaning)} |" for each in table.columns)
    yield ""


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    FILE.write_text(reference().rstrip("\n") + "\n", encoding="utf-8")
    click.echo(f"{FILE} written")
