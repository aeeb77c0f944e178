"""Results as files: named paths, the drop folder, the sample."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest

from perf_assets.landing import LandedFile, Landing
from perf_assets.sources.files import collect_drop_folder, find_results, land_files, waiting_files
from perf_assets_tests.formats import test_asv

NOW = datetime.fromisoformat("2026-09-10T12:00:00")
UNFINISHED = ("a.csv.part", "b.tmp", "c.writing", "d.crdownload", ".hidden", ".git/e.csv", "f/.g/h.csv")


@pytest.fixture
def landing(tmp_path: Path) -> Landing:
    return Landing(tmp_path / "landing")


@pytest.fixture
def drop(tmp_path: Path) -> Path:
    return tmp_path / "drop"


def write(folder: Path, *names: str) -> None:
    for name in names:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name)


def land(landing: Landing, paths: list[Path]) -> list[LandedFile]:
    return list(land_files(landing, find_results(paths), NOW))


def test_files_below_folders_are_landed_and_kept(landing, drop):
    write(drop, "b.csv", "deep/er/a.json", *UNFINISHED)
    landed = land(landing, [drop, drop / "a.csv.part"])
    # What is named is taken, whatever its name.
    assert sorted(file.name for file in landed) == ["a.csv.part", "drop/b.csv", "drop/deep/er/a.json"]
    assert {file.origin for file in landed} == {"file"}
    assert (drop / "b.csv").exists()


def test_results_in_the_drop_folder_come_with_those_that_describe_them(landing, drop):
    for name, content in (
        ("results/bench-1/abc-py.json", test_asv.WHOLE),
        ("results/bench-1/def-py.json", test_asv.WHOLE.replace(b"abc", b"def")),
        ("results/benchmarks.json", test_asv.described()),
    ):
        (drop / name).parent.mkdir(parents=True, exist_ok=True)
        (drop / name).write_bytes(content)
    collected = collect_drop_folder(landing, drop, NOW)
    assert [set(file.companions) for file in collected if "-py" in file.name] == [{"benchmarks"}] * 2
    assert [path for path in drop.rglob("*") if path.is_file()] == []


def test_what_describes_a_growing_file_stays_with_it(landing, drop, monkeypatch):
    for name, content in (("r/m/abc-py.json", test_asv.WHOLE), ("r/benchmarks.json", test_asv.described())):
        (drop / name).parent.mkdir(parents=True, exist_ok=True)
        (drop / name).write_bytes(content)
    land_many = Landing.land_many

    def grown_meanwhile(self, arrivals, **more):
        yield from land_many(self, arrivals, **more)
        with (drop / "r/m/abc-py.json").open("ab") as file:
            file.write(b" ")

    monkeypatch.setattr(Landing, "land_many", grown_meanwhile)
    collect_drop_folder(landing, drop, NOW)
    assert sorted(path.name for path in drop.rglob("*.json")) == ["abc-py.json", "benchmarks.json"]


def test_hidden_folders_above_do_not_hide_files(landing, tmp_path):
    write(tmp_path / ".home" / "results", "a.csv")
    assert len(land(landing, [tmp_path / ".home" / "results"])) == 1


def test_a_path_that_is_not_there_is_named_before_anything_is_landed(landing, drop):
    write(drop, "a.csv")
    with pytest.raises(FileNotFoundError, match=r"nowhere: no such file or folder; name a result file"):
        land(landing, [drop / "a.csv", drop / "nowhere"])
    assert list(landing.files()) == []


def test_the_drop_folder_is_emptied_of_what_is_durable(landing, drop):
    write(drop, "a.csv", "deep/b.csv", *UNFINISHED)
    collected = collect_drop_folder(landing, drop, NOW)
    assert [(file.name, file.origin) for file in collected] == [("a.csv", "drop"), ("deep/b.csv", "drop")]
    assert all(file.path.read_text().endswith(Path(file.name).name) for file in collected)
    assert waiting_files(drop) == []
    assert (drop / "a.csv.part").exists()
    assert collect_drop_folder(landing, drop, NOW) == []


def test_a_missing_drop_folder_is_an_empty_one(landing, drop):
    assert waiting_files(drop) == []
    assert collect_drop_folder(landing, drop, NOW) == []


def test_a_file_that_grows_while_it_is_landed_stays(drop, tmp_path):
    class Slow(Landing):
        """Somebody still writes while the file is copied."""

        def land_many(self, arrivals, **about):
            for landed in super().land_many(arrivals, **about):
                with (drop / "a.csv").open("a") as file:
                    file.write("more")
                yield landed

    write(drop, "a.csv")
    assert len(collect_drop_folder(Slow(tmp_path / "landing"), drop, NOW)) == 1
    assert (drop / "a.csv").read_text() == "a.csvmore"
    assert len(collect_drop_folder(Landing(tmp_path / "landing"), drop, NOW)) == 1
    assert waiting_files(drop) == []


def test_a_name_that_is_no_text_can_be_stored(landing, drop):
    drop.mkdir()
    Path(os.fsdecode(os.fsencode(drop) + b"/r\xe9sultats.csv")).write_text("1")
    (landed,) = collect_drop_folder(landing, drop, NOW)
    assert landed.name == "r�sultats.csv"
    assert landed.name.encode()


def test_a_folder_that_cannot_be_read_is_no_empty_folder(landing, tmp_path):
    write(tmp_path / "open" / "closed", "a.csv")
    (tmp_path / "open" / "closed").chmod(0)
    code = (
        "import os, sys; from pathlib import Path; from perf_assets.sources.files import waiting_files\n"
        "if os.getuid() == 0:\n"
        "    from perf_assets.landing import Landing\n"
        "    os.setuid(65534)\n"  # for root no folder is closed
        "waiting_files(Path(sys.argv[1]))\n"
    )
    for folder in (tmp_path, *tmp_path.parents[:3]):
        folder.chmod(0o755)
    try:
        done = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / "open")], capture_output=True, text=True, check=False
        )
    finally:
        (tmp_path / "open" / "closed").chmod(0o755)
    assert "PermissionError: [Errno 13] Permission denied" in done.stderr
    assert str(tmp_path / "open" / "closed") in done.stderr


_COLLECT = """
import sys
from datetime import datetime
from pathlib import Path
from perf_assets.landing import Landing
from perf_assets.sources.files import collect_drop_folder
sys.stdin.readline()
taken = collect_drop_folder(Landing(Path(sys.argv[1])), Path(sys.argv[2]), datetime(2026, 9, 1))
print(len(taken))
"""


def test_processes_that_empty_the_drop_folder_at_once_share_what_is_there(drop, tmp_path):
    drop.mkdir(exist_ok=True)
    for number in range(200):
        (drop / f"{number}.csv").write_text(f"timestamp,metric_name,metric_value\n2026-09-01T06:00:00Z,load,{number}\n")
    command = [sys.executable, "-c", _COLLECT, str(tmp_path / "landing"), str(drop)]
    started = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    for process in started:
        process.stdin.write("\n")
        process.stdin.flush()
    said = [process.communicate() for process in started]
    assert [process.returncode for process in started] == [0, 0, 0], said
    assert sum(int(out) for out, _ in said) == 200
    assert not list(drop.glob("*.csv"))
