"""Runs take turns."""

from __future__ import annotations

import io
import subprocess
import sys
import threading
import time
from pathlib import Path

from rich.console import Console

from perf_assets.cli.turns import turn

_HOLD = """
import sys
from pathlib import Path
from rich.console import Console
from perf_assets.cli.turns import turn
with turn(Path(sys.argv[1]), Console()):
    print("holds", flush=True)
    sys.stdin.readline()
"""


def test_the_second_waits_and_says_for_whom(tmp_path: Path) -> None:
    file = tmp_path / "home" / "run.lock"
    first = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert first.stdout is not None
    assert first.stdin is not None
    assert first.stdout.readline() == "holds\n"
    said = io.StringIO()
    taken = threading.Event()

    def second() -> None:
        with turn(file, Console(file=said, width=200)):
            taken.set()

    waiting = threading.Thread(target=second)
    waiting.start()
    while f"process {first.pid}, since 20" not in said.getvalue():
        assert not taken.wait(0.05)
    first.stdin.close()
    waiting.join(timeout=30)
    assert taken.is_set()
    assert said.getvalue().startswith("Waiting for another run to end: process ")
    assert "Waited " in said.getvalue()


def test_a_killed_holder_holds_no_longer(tmp_path: Path) -> None:
    file = tmp_path / "run.lock"
    first = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert first.stdout is not None
    first.stdout.readline()
    first.kill()
    first.wait()
    started = time.monotonic()
    said = io.StringIO()
    with turn(file, Console(file=said)):
        assert said.getvalue() == ""
    assert time.monotonic() - started < 10
