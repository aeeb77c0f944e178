"""Folders for what is needed only while a process works."""

import subprocess
import sys
from pathlib import Path

from perf_assets.scratch import Scratch

_HOLD = """
import sys, time
from pathlib import Path
from perf_assets.scratch import Scratch
scratch = Scratch(Path(sys.argv[1]))
(scratch.path / "rows").write_text("x")
print(scratch.path, flush=True)
if sys.argv[2] == "wait":
    time.sleep(60)
"""


def start(parent: Path, how: str) -> tuple[subprocess.Popen[str], Path]:
    process = subprocess.Popen([sys.executable, "-c", _HOLD, str(parent), how], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def folders(parent: Path) -> set[Path]:
    return {entry for entry in parent.iterdir() if entry.is_dir()}


def test_what_a_killed_process_has_left_is_removed_by_the_next(tmp_path: Path) -> None:
    process, left = start(tmp_path, "wait")
    process.kill()
    process.wait()
    assert (left / "rows").exists()
    scratch = Scratch(tmp_path)
    assert folders(tmp_path) == {scratch.path}
    scratch.close()
    scratch.close()
    assert folders(tmp_path) == set()


def test_what_another_process_uses_is_kept(tmp_path: Path) -> None:
    process, used = start(tmp_path, "wait")
    scratch = Scratch(tmp_path)
    assert folders(tmp_path) == {used, scratch.path}
    process.kill()
    process.wait()
    scratch.close()


def test_a_folder_is_removed_when_its_process_ends(tmp_path: Path) -> None:
    process, made = start(tmp_path, "end")
    assert process.wait() == 0
    assert not made.exists()


def test_a_folder_without_a_lock_is_one_that_was_left(tmp_path: Path) -> None:
    (tmp_path / "tmpold").mkdir()
    (tmp_path / "tmpold" / "rows.parquet").write_text("x")
    scratch = Scratch(tmp_path)
    assert folders(tmp_path) == {scratch.path}
    scratch.close()
