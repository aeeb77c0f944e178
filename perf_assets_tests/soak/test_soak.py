"""The fuzzer: what it takes for a failure, and that it finds what a broken parser does."""

from __future__ import annotations

import importlib.util
import math
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from perf_assets.formats.measurement import (
    MEASUREMENTS,
    Chunk,
    Format,
    FormatError,
    Input,
    Measurement,
    Rejection,
    as_table,
    chunked,
)
from soak.parsers import ParserError, feed, joined, parser_of
from soak.seeds import seeds

needs_atheris = pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None, reason="needs atheris, which `make soak` installs"
)
GOOD = Rejection("line 1", "a", "wrong_type", "line 1.a: expected a number; correct it", "x")


def format_that(act: Callable[[bytes], Any], name: str = "broken") -> Format:
    """A format whose reading does this with the content, and gives no rows."""

    def read(source: Input) -> Iterator[Chunk]:
        act(source.path.read_bytes())
        yield from chunked(())

    return Format(name, lambda _: False, read)


def _crash(content: bytes) -> None:
    if b"!" in content:
        raise KeyError("no such member")


def _hang(content: bytes) -> None:
    while b"!" in content:
        pass


def _eat(content: bytes) -> int:
    return len(b"x" * (400 << 20)) if b"!" in content else 0


def _die(content: bytes) -> None:
    if b"!" in content:
        os.kill(os.getpid(), signal.SIGKILL)


CRASHES, HANGS = format_that(_crash, "crashes"), format_that(_hang, "hangs")
EATS, DIES = format_that(_eat, "eats"), format_that(_die, "dies")
BROKEN = {found.name: found for found in (CRASHES, HANGS, EATS, DIES)}


def soaked(folder: Path, names: str, minutes: float, *more: str) -> subprocess.Popen[str]:
    """The command over these parsers, the broken ones installed as formats of one's own are."""
    installed = folder / "installed" / "broken-1.dist-info"
    installed.mkdir(parents=True, exist_ok=True)
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1\n")
    points = "".join(f"{found.name} = {__name__}:{found.name.upper()}\n" for found in BROKEN.values())
    (installed / "entry_points.txt").write_text(f"[perf_assets.formats]\n{points}")
    options = ["--only", names, "--minutes", str(minutes), "--folder", str(folder / "kept"), *more]
    return subprocess.Popen(
        [sys.executable, "-m", "soak", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=os.environ | {"PYTHONPATH": str(installed.parent)},
        text=True,
    )


def _ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    said, _ = process.communicate(timeout=300)
    return process.returncode, said


@needs_atheris
def test_a_parser_is_fuzzed_and_a_later_run_goes_on(tmp_path: Path) -> None:
    code, said = _ended(soaked(tmp_path, "recognition", 0.05))
    assert code == 0, said
    assert len(list((tmp_path / "kept" / "recognition" / "corpus").iterdir())) > 5
    code, said = _ended(soaked(tmp_path, "recognition,hyperfine", 0.05))
    assert code == 0, said
    assert "recognition: has had its time" in said
    assert re.search(r"^hyperfine +0\.\d +\d[\d,]+  nothing$", said, re.MULTILINE)


@needs_atheris
def test_crashes_hangs_and_hunger_are_found_and_tried_again_first(tmp_path: Path) -> None:
    code, said = _ended(soaked(tmp_path, ",".join(BROKEN), 2, "--timeout", "2"))
    assert code == 1, said
    assert re.search(r"^crashes: KeyError: 'no such member'", said, re.MULTILINE)
    assert re.search(r"^hangs: Timeout: \d+s elapsed", said, re.MULTILINE)
    assert re.search(r"^eats: ParserError: 4\d\d MB of memory for [\d,]+ bytes", said, re.MULTILINE)
    assert "\ndies: ended with -9\n" in said
    findings = {name: list((tmp_path / "kept" / name / "findings").iterdir()) for name in BROKEN}
    for [finding] in findings.values():
        assert b"!" in finding.read_bytes()
        assert f"\n{finding}\n" in said
    code, said = _ended(soaked(tmp_path, "crashes", 2))
    assert (code, list((tmp_path / "kept" / "crashes" / "findings").iterdir())) == (1, findings["crashes"])
    assert f"\n{findings['crashes'][0]}\n" in said


@needs_atheris
def test_an_interrupted_run_keeps_what_it_has(tmp_path: Path) -> None:
    process = soaked(tmp_path, "recognition", 5)
    assert process.stdout is not None
    assert "recognition" in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    code, said = _ended(process)
    assert code == 130
    assert "goes on from here" in said
    assert (tmp_path / "kept" / "recognition" / "progress").exists()


def _fails(act: Callable[[bytes], Any], folder: Path, read: Any = None) -> str:
    broken = format_that(act) if read is None else replace(format_that(act), read=read)
    with pytest.raises(ParserError) as caught:
        feed(parser_of(broken), b"content", folder)
    return str(caught.value)


MEASURED = Measurement("a", "m", 1.5, "s")


@pytest.mark.parametrize(
    ("chunk", "problem"),
    [
        (Chunk(as_table([replace(MEASURED, raw_value=math.inf)])), "not finite"),
        (Chunk(as_table([replace(MEASURED, raw_value=math.nan)])), "not finite"),
        (Chunk(as_table([MEASURED]).set_column(2, "raw_value", pa.nulls(1, pa.float64()))), "not finite"),
        (Chunk(MEASUREMENTS.empty_table().drop(["tags"])), "another schema"),
        (Chunk(as_table([]), (replace(GOOD, reason="strange"),)), "no reason"),  # type: ignore[arg-type]
        (Chunk(as_table([]), (replace(GOOD, message=" "),)), "without a message"),
        (Chunk(as_table([]), (replace(GOOD, message="\ud800"),)), "message that UTF-8 cannot hold"),
        (Chunk(as_table([]), (GOOD, replace(GOOD, field="\udfff"))), "field that UTF-8 cannot hold"),
    ],
)
def test_rows_and_quarantine_that_nobody_can_keep_are_failures(tmp_path: Path, chunk: Chunk, problem: str) -> None:
    assert problem in _fails(len, tmp_path, lambda _: iter([chunk]))


def test_a_refusal_is_none_unless_it_says_nothing(tmp_path: Path) -> None:
    def refusing(message: str) -> Callable[[bytes], None]:
        def refuse(_: bytes) -> None:
            raise FormatError("unreadable", message)

        return refuse

    feed(parser_of(format_that(refusing("results.txt: no"))), b"", tmp_path)
    assert "without a message" in _fails(refusing(""), tmp_path)


def test_time_is_measured_against_the_size_of_the_input(tmp_path: Path) -> None:
    def spin(_: bytes) -> None:
        until = time.process_time() + 1.2
        while time.process_time() < until:
            pass

    assert re.match(r"1\.\d s for 7 bytes", _fails(spin, tmp_path))


def test_companions_follow_their_file(tmp_path: Path) -> None:
    found: dict[str, bytes] = {}

    def read(source: Input) -> Iterator[Chunk]:
        found.update(
            {role: path.read_bytes() for role, path in source.companions.items()}, main=source.path.read_bytes()
        )
        yield from chunked(())

    both = Format("with", lambda _: False, read, companions={"one": "1.json", "two": "2.json"})
    feed(parser_of(both), joined(b"file", b"first", b"second"), tmp_path)
    assert found == {"main": b"file", "one": b"first", "two": b"second"}
    found.clear()
    feed(parser_of(both), b"alone", tmp_path)
    assert found == {"main": b"alone"}


def test_every_format_begins_with_a_whole_file_of_its_own() -> None:
    everything = seeds()["recognition"]
    assert [name for name, contents in seeds().items() if contents == everything] == ["recognition"]
