"""`python -m evaluation`: measure accuracy, section by section, and write docs/accuracy.md from what is measured."""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from evaluation.markdown import number, table
from evaluation.proportions import Check
from evaluation.results import Measured, current_origin, keep, recall, same_measurement
from evaluation.sections import SECTIONS, Section

DOCUMENT = Path("docs/accuracy.md")
_BEGIN, _ABSENT = "<!-- {} -->", "Not measured yet: "
"""What stands before the chapter of each section, and before the names of those without one."""
_SUMMED = 3
"""Cells of a row of the summary; one of a target that is missed has more."""


def main() -> int:
    arguments = _arguments()
    chosen = [_adjusted(section, arguments) for section in SECTIONS if section.name in arguments.only]
    for section in chosen:
        _measure(section, arguments.data, arguments.fresh)
    if any(section not in SECTIONS for section in chosen):
        print(f"\n{document(chosen)}\nNot written to {DOCUMENT}, which is of the seeds and sizes that go by default")
        return 0
    text = document(SECTIONS, DOCUMENT.read_text(encoding="utf-8") if DOCUMENT.exists() else "")
    DOCUMENT.write_text(text, encoding="utf-8")
    print(f"\n{text}\nWritten to {DOCUMENT}")
    return 0


def _arguments() -> argparse.Namespace:
    names = [section.name for section in SECTIONS]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--data", type=Path, help="folder of labelled benchmarks, in their published layouts, at any depth"
    )
    parser.add_argument("--only", default=",".join(names), help=f"sections to measure, of {', '.join(names)}")
    parser.add_argument("--fresh", action="store_true", help="measure anew, as after a change of the evaluation itself")
    parser.add_argument("--seed", type=int, help="another seed for the sections; development uses those below 100")
    parser.add_argument("--size", type=int, help="another number of series a kind, tables, or fleets")
    arguments = parser.parse_args()
    arguments.only = arguments.only.split(",")
    unknown = sorted(set(arguments.only) - set(names))
    if unknown:
        parser.error(f"no section is called {', '.join(unknown)}; there are {', '.join(names)}")
    if arguments.data and not arguments.data.is_dir():
        parser.error(f"{arguments.data} is not a folder")
    return arguments


def _adjusted(section: Section, arguments: argparse.Namespace) -> Section:
    given = {"seed": arguments.seed, "size": arguments.size}
    return replace(section, **{name: value for name, value in given.items() if value is not None})


def _measure(section: Section, data: Path | None, fresh: bool) -> None:
    origin = current_origin(data, section.size)
    known = recall(section.name, section.seed)
    if known is not None and not fresh and same_measurement(known.origin, origin):
        print(f"{section.name}: measured before at {known.origin.commit}", flush=True)
        return
    print(f"{section.name}:", flush=True)
    started = time.monotonic()
    tables = section.measure(section.seed, section.size, data)
    seconds = time.monotonic() - started
    keep(Measured(section.name, section.seed, origin, seconds, tables))
    print(f"{section.name}: {seconds:.0f} s", flush=True)


def document(sections: Sequence[Section], before: str = "") -> str:
    """docs/accuracy.md from what is kept of the sections' measurements; of a section without any, as on a machine that
    has measured others only, what the document `before` says stays."""
    written = [_written(section) or _as_before(section.name, before) for section in sections]
    known = [one for one in written if one is not None]
    lines = [
        "# Accuracy",
        "",
        "Measured by `make evaluate`, which writes this file; `evaluation/` has the methods, and the targets "
        "beside the "
        "figures. Development used seeds below 100, these figures others. A target counts as missed when the 95 % "
        "interval of the figure excludes it.",
        "",
        *table(["section", "targets met", "commit"], [one.summary for one in known]),
    ]
    missed = [row for one in known for row in one.missed]
    if missed:
        lines += ["Missed:", "", *table(["section", "what", "target", "figure"], missed)]
    for one in known:
        lines += [_BEGIN.format(one.summary[0]), "", *one.chapter]
    absent = [section.name for section, one in zip(sections, written, strict=True) if one is None]
    if absent:
        lines += [f"{_ABSENT}{', '.join(absent)}.", ""]
    return "\n".join(lines)


@dataclass(frozen=True)
class _Written:
    """What the document has of a section: its row of the summary, one for each target missed, and its chapter."""

    summary: list[str]
    missed: list[list[str]]
    chapter: list[str]


def _written(section: Section) -> _Written | None:
    measured = recall(section.name, section.seed)
    if measured is None:
        return None
    judged = section.checks(measured.tables)
    return _Written(
        [section.name, _kept(judged, measured), measured.origin.commit],
        [
            [section.name, check.what, f"{check.limit} {check.target:g}", number(check.figure, 3)]
            for check in judged
            if check.missed
        ],
        section.chapter(measured.tables, measured.seed),
    )


def _as_before(name: str, before: str) -> _Written | None:
    summary, _, chapters = before.partition(_BEGIN.format(name))
    if not chapters:
        return None
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in summary.splitlines() if line[:1] == "|"]
    own = [row for row in rows if row[0] == name]
    chapter = re.split(r"(?m)^(?=<!-- [a-z-]+ -->$|" + _ABSENT + ")", chapters)[0]
    return _Written(
        next(row for row in own if len(row) == _SUMMED),
        [row for row in own if len(row) > _SUMMED],
        [*chapter.strip("\n").split("\n"), ""],
    )


def _kept(judged: Sequence[Check], measured: Measured) -> str:
    if judged:
        return f"{sum(not check.missed for check in judged)} of {len(judged)}"
    return "no data" if all(one.empty for one in measured.tables.values()) else "no targets"


if __name__ == "__main__":
    sys.exit(main())
