"""`python -m soak.fuzzing NAME [libFuzzer's options, folders, files]`: the process in which one parser is fuzzed.

With folders, the first is the corpus and grows. With a file only that is read: so a finding is looked at again. Each
second the number of inputs so far is written to the standard output.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import TextIO

import atheris

# Imported before the formats, so that it is not instrumented with them.
import perf_assets.catalog  # noqa: F401

with atheris.instrument_imports(include=["perf_assets"]):
    from perf_assets.formats.measurement import Measurement, as_table
    from soak.parsers import MOST_MB, Parser, feed, parsers, small_pieces

    PARSERS = parsers()

LARGEST_INPUT = 1 << 17
_LARGEST_STEP = 1 << 12
_REPEATED = 0.02
"""Of the changes: most bugs of time and memory need something many times, which single changes do not come to."""


def main(name: str, options: list[str]) -> None:
    small_pieces()
    _warm_up()
    # Atheris writes to the standard output as well: that goes where the rest of what it says does.
    counts = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    limits = [f"-max_len={LARGEST_INPUT}", f"-rss_limit_mb={MOST_MB}", "-report_slow_units=60"]
    # Small and fast inputs go first, but a large one may come at any time.
    choice = ["-len_control=0", "-entropic_scale_per_exec_time=1"]
    with tempfile.TemporaryDirectory() as folder:
        target = _target(PARSERS[name], Path(folder), counts)
        atheris.Setup([sys.argv[0], *limits, *choice, *options], target, custom_mutator=_changed)
        atheris.Fuzz()


def _warm_up() -> None:
    """Load what is loaded at first use, which is not what an input takes."""
    import duckdb

    duckdb.connect().close()
    as_table([Measurement("", "", 0, "")])


def _target(parser: Parser, folder: Path, counts: TextIO) -> Callable[[bytes], None]:
    count, told = 0, time.monotonic()

    # Instrumented, since the fuzzer wants to see something covered, and a format of one's own may have nothing.
    @atheris.instrument_func  # type: ignore[untyped-decorator]
    def target(content: bytes) -> None:
        nonlocal count, told
        feed(parser, content, folder)
        count += 1
        if time.monotonic() - told >= 1:
            told = time.monotonic()
            _tell(count, counts)

    found: Callable[[bytes], None] = target
    return found


def _tell(count: int, counts: TextIO) -> None:
    try:
        print(count, file=counts, flush=True)
    except BrokenPipeError:
        # Nobody watches any longer.
        os._exit(0)


def _changed(content: bytes, most: int, seed: int) -> bytes:
    """`content` with one of libFuzzer's changes, or with a piece of it many times."""
    chance = Random(seed)  # noqa: S311
    if content and chance.random() < _REPEATED:
        start = chance.randrange(len(content))
        piece = content[start : start + (1 << chance.randint(0, 6))]
        times = min(1 << chance.randint(4, 20), most) // len(piece)
        return bytes(content[:start] + piece * times + content[start:])[:most]
    changed: bytes = atheris.Mutate(content, min(most, max(_LARGEST_STEP, len(content))))
    return changed


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
