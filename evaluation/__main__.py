"""`python -m evaluation`: measure accuracy, section by section, and write docs/accuracy.md from what is measured."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from evaluation.markdown import number, table
from evaluation.proportions import Check
from evaluation.results import Measured, current_origin, keep, recall, same_measurement
from evaluation.sections import SECTIONS, Section

DOCUMENT = Path("docs/accuracy.md")


def main() -> int:
    arguments = _arguments()
    chosen = [_adjusted(section, arguments) for section in SECTIONS if section.name in arguments.only]
    for section in chosen:
        _measure(section, arguments.data, arguments.fresh)
    if any(section not in SECTIONS for section in chosen):
        print(f"\n{document(chosen)}\nNot written to {DOCUMENT}, which is of the seeds and sizes that go by default")
        return 0
    text = document(SECTIONS)
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


def document(sections: Sequence[Section]) -> str:
    """docs/accuracy.md from what is kept of the sections' measurements."""
    kept = [(section, recall(section.name, section.seed)) for section in sections]
    known = [(section, measured) for section, measured in kept if measured is not None]
    lines = [
        "# Accuracy",
        "",
        "Measured by `make evaluate`, which writes this file; `evaluation/` has the methods, and the targets "
        "beside the "
        "figures. Development used seeds below 100, these figures others. A target counts as missed when the 95 % "
        "interval of the figure excludes it.",
        "",
        *_summary(known),
    ]
    for section, measured in known:
        lines += section.chapter(measured.tables, measured.seed)
    absent = [section.name for section, measured in kept if measured is None]
    if absent:
        lines += [f"Not measured yet: {', '.join(absent)}.", ""]
    return "\n".join(lines)


def _summary(known: Sequence[tuple[Section, Measured]]) -> list[str]:
    rows, missed = [], []
    for section, measured in known:
        judged = section.checks(measured.tables)
        rows.append([section.name, _kept(judged, measured), measured.origin.commit])
        missed += [
            [section.name, check.what, f"{check.limit} {check.target:g}", number(check.figure, 3)]
            for check in judged
            if check.missed
        ]
    lines = table(["section", "targets met", "commit"], rows)
    if missed:
        lines += ["Missed:", "", *table(["section", "what", "target", "figure"], missed)]
    return lines


def _kept(judged: Sequence[Check], measured: Measured) -> str:
    if judged:
        return f"{sum(not check.missed for check in judged)} of {len(judged)}"
    return "no data" if all(one.empty for one in measured.tables.values()) else "no targets"


if __name__ == "__main__":
    sys.exit(main())
