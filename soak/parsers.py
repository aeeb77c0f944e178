"""What is fuzzed: each format, recognition, and archives; and what counts as a failure of one.

An input is a file. Where a format has companions they follow it in their order, each behind SEPARATOR.
"""

from __future__ import annotations

import resource
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import get_args

import pyarrow.compute as pc

from perf_assets.catalog import load_catalog
from perf_assets.formats import formats, recognise
from perf_assets.formats.measurement import MEASUREMENTS, Chunk, Format, FormatError, Input, Reason, storable
from perf_assets.formats.opening import open_received

SEPARATOR = b"\n=====\n"
INPUT = "input"
"""What the last input is called in the folder of a parser, whole."""
MOST_MB = 1_024
"""Resident memory of a process, whatever it reads; the libraries take a quarter of it."""
_RECEIVED_AT = datetime.fromisoformat("2026-10-01T12:00:00")
_BYTES = 1 if sys.platform == "darwin" else 1 << 10
"""What the system counts memory in."""


class ParserError(Exception):
    """What a parser did that none may do."""


@dataclass(frozen=True)
class Parser:
    """`read` reads a file to its end, with a folder of its own to write to, and raises ParserError or anything."""

    name: str
    read: Callable[[Input, Path], None]
    companions: tuple[str, ...] = ()


def parsers() -> dict[str, Parser]:
    """All parsers by name, those of formats in the order in which they are asked."""
    found = (Parser("recognition", _recognise), Parser("archives", _open), *map(parser_of, formats()))
    return {parser.name: parser for parser in found}


def joined(content: bytes, *companions: bytes) -> bytes:
    """A file and its companions as one input."""
    return SEPARATOR.join((content, *companions))


def most_seconds(size: int) -> float:
    """Processor time allowed for an input of so many bytes. Instrumented, some reject a byte in 40 µs."""
    return 1 + size / 20_000


def most_mb(size: int) -> float:
    """By how much an input of so many bytes may raise the most memory that the process ever had."""
    return 100 + size / 1_000


def feed(parser: Parser, content: bytes, folder: Path) -> None:
    """Have `parser` read an input, with a folder of its own. Raises ParserError, or what the parser raises."""
    source = _received(parser, content, folder)
    scratch = folder / "scratch"
    started, before = time.process_time(), _peak_mb()
    try:
        parser.read(source, scratch)
    except FormatError as refusal:
        _check_refusal(refusal)
    seconds = time.process_time() - started
    shutil.rmtree(scratch, ignore_errors=True)
    # Memory takes time to fill: where both are too much it is the cause.
    grown = _peak_mb() - before
    if grown > most_mb(len(content)):
        raise ParserError(f"{grown:,.0f} MB of memory for {len(content):,} bytes")
    if seconds > most_seconds(len(content)):
        raise ParserError(f"{seconds:.1f} s for {len(content):,} bytes")


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _BYTES / (1 << 20)


def _received(parser: Parser, content: bytes, folder: Path) -> Input:
    file = folder / INPUT
    file.write_bytes(content)
    companions = {}
    if parser.companions:
        first, *others = content.split(SEPARATOR, len(parser.companions))
        file = folder / "first"
        file.write_bytes(first)
        for role, other in zip(parser.companions, others, strict=False):
            companions[role] = folder / f"companion-{role}"
            companions[role].write_bytes(other)
    return Input(file, "results.txt", _RECEIVED_AT, load_catalog(), companions=companions)


def parser_of(of: Format) -> Parser:
    def read(source: Input, _: Path) -> None:
        for chunk in of.read(source):
            _check_chunk(chunk)

    return Parser(of.name, read, tuple(of.companions))


def _recognise(source: Input, _: Path) -> None:
    recognise(source)


def _open(source: Input, scratch: Path) -> None:
    for opened in open_received(source, scratch):
        if opened.problem is not None:
            _check_refusal(opened.problem)
        elif opened.format is None:
            raise ParserError("a file in an archive has neither a format nor a problem")


def _check_chunk(chunk: Chunk) -> None:
    table = chunk.measurements
    if table.schema != MEASUREMENTS:
        raise ParserError(f"a chunk of another schema: {table.schema}")
    if not pc.all(pc.is_finite(table["raw_value"]), skip_nulls=False, min_count=0).as_py():
        raise ParserError(f"a value that is not finite: {table['raw_value']}")
    for rejection in chunk.rejections:
        texts = {
            "location": rejection.location,
            "field": rejection.field,
            "message": rejection.message,
            "fragment": rejection.fragment,
        }
        _check_told(rejection.reason, rejection.message, texts)


def _check_refusal(refusal: FormatError) -> None:
    _check_told(refusal.reason, str(refusal), {"message": str(refusal), "location": refusal.location})


def _check_told(reason: str, message: str, texts: Mapping[str, str]) -> None:
    if reason not in get_args(Reason):
        raise ParserError(f"quarantine for {reason!r}, which is no reason: {message}")
    if not message.strip():
        raise ParserError(f"quarantine without a message, for {reason}")
    for name, text in texts.items():
        if storable(text) != text:
            raise ParserError(f"quarantine with a {name} that UTF-8 cannot hold: {text!r}")


def small_pieces() -> None:
    """Make the pieces in which files are read small: what happens at their ends then happens in small inputs."""
    from perf_assets.formats import json_records, measurement, opening, text, xml_events

    sizes = (
        (text, "_PIECE", 1 << 8),
        (text, "LONGEST_LINE", 1 << 14),
        (json_records, "_WHOLE", 1 << 11),
        (json_records, "LARGEST_RECORD", 1 << 14),
        (xml_events, "_PIECE", 1 << 8),
        (measurement, "_ROWS_IN_A_CHUNK", 10),
        (opening, "_ALWAYS_ALLOWED", 1 << 22),
    )
    for module, name, size in sizes:
        if not isinstance(getattr(module, name), int):
            raise TypeError(f"{module.__name__}.{name} is no size")
        setattr(module, name, size)
