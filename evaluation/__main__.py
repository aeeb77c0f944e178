"""`python -m evaluation`: measure accuracy, print the tables, write docs/accuracy.md."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from evaluation.planted_events import MOST_DAYS_OFF, MOST_POINTS_OFF, SeedOutcome, evaluate_fleets

DOCUMENT = Path("docs/accuracy.md")
FIRST_SEED = 101
"""Development uses seeds below 100."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10, help="number of simulated fleets (10)")
    parser.add_argument("--first-seed", type=int, default=FIRST_SEED)
    parser.add_argument("--data", type=Path, help="folder of labelled benchmarks, in their published layouts")
    arguments = parser.parse_args()
    seeds = range(arguments.first_seed, arguments.first_seed + arguments.seeds)
    started = time.monotonic()
    outcomes: list[SeedOutcome] = []
    for outcome in evaluate_fleets(seeds, Path("var/evaluation")):
        outcomes.append(outcome)
        named = sum(event.named for event in outcome.events)
        print(
            f"seed {outcome.seed}: {named} of {len(outcome.events)} events named, {len(outcome.unplanted)} not planted "
            f"({len(outcomes)}/{len(seeds)}, {time.monotonic() - started:.0f} s)",
            flush=True,
        )
    outcomes.sort(key=lambda outcome: outcome.seed)
    text = document(outcomes, arguments.data)
    DOCUMENT.write_text(text, encoding="utf-8")
    print(f"\n{text}\nWritten to {DOCUMENT}")
    return 0


def document(outcomes: Sequence[SeedOutcome], data: Path | None) -> str:
    """docs/accuracy.md from what was measured."""
    kinds = [event.kind for event in outcomes[0].events]
    seeds = f"{outcomes[0].seed} to {outcomes[-1].seed}"
    complete = sum(all(event.named for event in outcome.events) for outcome in outcomes)
    unplanted = [title for outcome in outcomes for title in outcome.unplanted]
    lines = [
        "# Accuracy",
        "",
        "Measured by `make evaluate`, which writes this file.",
        "",
        "## Planted events in simulated fleets",
        "",
        f"{len(outcomes)} fleets (seeds {seeds}) of {min(o.series for o in outcomes):,} to "
        f"{max(o.series for o in outcomes):,} series over 60 days, seven events each of at most 3 noise standard "
        "deviations, analysed by `perf-assets run`. An event counts as named when a regression, improvement or limit "
        f"of the report is about its series and starts within {MOST_POINTS_OFF} points of the truth; a breach when its "
        f"date is within {MOST_DAYS_OFF:.0f} days.",
        "",
        "| event | " + " | ".join(str(outcome.seed) for outcome in outcomes) + " | named |",
        "|---|" + "---|" * (len(outcomes) + 1),
    ]
    for position, kind in enumerate(kinds):
        events = [outcome.events[position] for outcome in outcomes]
        cells = ["missed" if not event.named else f"{event.off:.1f} d" if kind == "memory_leak" else f"{event.off:.0f}"
                 for event in events]  # fmt: skip
        named = sum(event.named for event in events)
        lines.append(f"| {kind.replace('_', ' ')} | {' | '.join(cells)} | {named} of {len(events)} |")
    counts = [str(len(outcome.unplanted)) for outcome in outcomes]
    lines += [
        f"| not planted | {' | '.join(counts)} | {len(unplanted) / len(outcomes):.1f} a fleet |",
        "",
        "Cells: points (breach: days) between finding and truth.",
        "",
        f"All seven events named: {complete} of {len(outcomes)} fleets. "
        f"Findings that were not planted: {len(unplanted) / len(outcomes):.1f} a fleet on average.",
        _causes(outcomes),
        "",
    ]
    if unplanted:
        lines += ["Findings that were not planted:", "", *(f"- {title}" for title in unplanted), ""]
    lines += ["## Labelled benchmarks", "", _benchmarks(data), ""]
    return "\n".join(lines)


def _causes(outcomes: Sequence[SeedOutcome]) -> str:
    judged = [e.cause_right for outcome in outcomes for e in outcome.events if e.cause_right is not None]
    return f"Environment or code told right: {sum(judged)} of {len(judged)} named events with such a cause."


def _benchmarks(data: Path | None) -> str:
    if data is None:
        return "Absent: no folder was named (`make evaluate DATA=...`)."
    return f"Absent: nothing here reads {data.name} yet."


if __name__ == "__main__":
    sys.exit(main())
