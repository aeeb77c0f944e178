"""Which format a file has, told from its content."""

from __future__ import annotations

from perf_assets.formats import github_action_benchmark, long_table, scenario_runs
from perf_assets.formats.measurement import Format, FormatError, Input

HEAD_BYTES = 1 << 16

FORMATS: tuple[Format, ...] = (
    github_action_benchmark.FORMAT,
    scenario_runs.FORMAT,
    long_table.PARQUET,
    long_table.JSON_LINES,
    long_table.CSV,
)


def recognise(source: Input) -> Format:
    """The format of `source`; FormatError (reason `unknown_format`) if none of them knows it."""
    with source.path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if not head.strip(b"\xef\xbb\xbf \t\r\n"):
        raise FormatError("unknown_format", f"{source.name}: the file is empty; send it again")
    for candidate in FORMATS:
        if candidate.recognises(head, source.name):
            return candidate
    known = ", ".join(candidate.name for candidate in FORMATS)
    raise FormatError(
        "unknown_format", f"{source.name}: the content is of no known format (known: {known}); see docs/results.md"
    )


def format_named(name: str) -> Format:
    """The format called `name`; KeyError if there is none."""
    return {candidate.name: candidate for candidate in FORMATS}[name]
