"""`python -m soak`: fuzz each parser in turn, a process each, and end with 1 and the inputs where one fails.

What was found stays in the folder, as do the inputs that lead to something new, so that a later run goes on from
there. A run that is interrupted goes on with the parsers that have not had their time with the code as it is; when all
have had it, they get it again.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import time
from pathlib import Path

from soak.parsers import parsers
from soak.runs import Finding, Progress, findings_of, fuzz, keep, progress_of
from soak.seeds import seeds

_SECONDS_BETWEEN_LINES = 30


def main() -> int:
    if importlib.util.find_spec("atheris") is None:
        print("atheris is not installed: `make soak` does that, on Linux with Python 3.11 to 3.13", file=sys.stderr)
        return 2
    arguments = _arguments()
    try:
        found = _fuzz_all(arguments.only, arguments.folder, arguments.minutes * 60, arguments.timeout)
    except KeyboardInterrupt:
        print("\nInterrupted; the same command goes on from here")
        return 130
    _report(arguments.only, arguments.folder, found)
    return 1 if found else 0


def _arguments() -> argparse.Namespace:
    names = list(parsers())
    parser = argparse.ArgumentParser(prog="python -m soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10, help="for each parser; 10 unless told")
    parser.add_argument("--only", default=",".join(names), help=f"parsers to fuzz, of {', '.join(names)}")
    parser.add_argument("--folder", type=Path, default=Path("var/soak"), help="where inputs and findings are kept")
    parser.add_argument("--timeout", type=int, default=30, help="seconds after which an input counts as a hang")
    arguments = parser.parse_args()
    arguments.only = arguments.only.split(",")
    unknown = sorted(set(arguments.only) - set(names))
    if unknown:
        parser.error(f"no parser is called {', '.join(unknown)}; there are {', '.join(names)}")
    return arguments


def _fuzz_all(names: list[str], folder: Path, seconds: float, timeout: int) -> dict[str, Finding]:
    found = {}
    known = {name: progress_of(folder / name) for name in names}
    if all(progress.seconds >= seconds for progress in known.values()):
        known = {name: Progress(progress.code) for name, progress in known.items()}
        for name, progress in known.items():
            keep(folder / name, progress)
    inputs = seeds()
    for number, name in enumerate(names, 1):
        left = seconds - known[name].seconds
        # An input that was found late is tried again all the same.
        if left < 1 and not findings_of(folder / name):
            print(f"{name}: has had its time with this code", flush=True)
            continue
        finding = fuzz(name, inputs[name], folder / name, left, timeout, _Teller(f"{number}/{len(names)} {name}", left))
        if finding is not None:
            found[name] = finding
            print(f"{name}: {finding.problem}", flush=True)
    return found


class _Teller:
    """Says how far a run is: on a terminal in one line, elsewhere now and then."""

    def __init__(self, what: str, seconds: float) -> None:
        self._what = what
        self._ends = time.monotonic() + seconds
        self._before: Progress | None = None
        self._line_at = 0.0

    def __call__(self, progress: Progress) -> None:
        rate = ""
        if self._before is not None and progress.seconds > self._before.seconds:
            since = (progress.inputs - self._before.inputs) / (progress.seconds - self._before.seconds)
            rate = f", {since:,.0f} a second"
        self._before = self._before or progress
        left = max(0, round(self._ends - time.monotonic()))
        line = f"{self._what}: {progress.inputs:,} inputs{rate}, {left // 60}:{left % 60:02} left"
        if sys.stdout.isatty():
            print(f"\r{line:<78}", end="" if left else "\n", flush=True)
        elif time.monotonic() - self._line_at >= _SECONDS_BETWEEN_LINES:
            self._line_at = time.monotonic()
            print(line, flush=True)


def _report(names: list[str], folder: Path, found: dict[str, Finding]) -> None:
    print(f"\n{'parser':<28}{'minutes':>8}{'inputs':>12}  found")
    for name in names:
        progress = progress_of(folder / name)
        problem = found[name].problem if name in found else "nothing"
        print(f"{name:<28}{progress.seconds / 60:>8.1f}{progress.inputs:>12,}  {problem}")
    for name, finding in found.items():
        print(f"\n{finding.file}\n  {finding.problem}\n  all of it is in {finding.log}")
        print(f"  again: {sys.executable} -m soak.fuzzing {name} {finding.file}")


if __name__ == "__main__":
    sys.exit(main())
