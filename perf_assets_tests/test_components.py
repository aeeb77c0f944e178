"""The component in a project of somebody else: a folder with a file `defs.yaml`, loaded and run as Dagster does it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from perf_assets.landing import utc_now
from perf_assets_tests.defs.building import small_table

SECRET = "hunter2-do-not-show"
OWN = """
import dagster as dg

@dg.asset(deps=["UPSTREAM"])
def digest() -> None: ...
"""
DEFINITIONS = """
from pathlib import Path
from dagster import definitions, load_from_defs_folder

@definitions
def defs():
    return load_from_defs_folder(path_within_project=Path(__file__).parent)
"""
PYPROJECT = """
[tool.dg]
directory_type = "project"
[tool.dg.project]
root_module = "shop"
"""
RUN = """
import json, sys
import dagster as dg
from shop.definitions import defs

found, job, day = defs(), *sys.argv[1:]
with dg.DagsterInstance.ephemeral() as instance:
    result = found.resolve_job_def(job).execute_in_process(instance=instance, partition_key=day)
print(json.dumps(sorted(key.to_user_string() for key in found.resolve_asset_graph().get_all_asset_keys())))
sys.exit(not result.success)
"""


class Project:
    """A project called `shop` with an asset of its own after one of ours."""

    def __init__(self, root: Path, upstream: str, attributes: dict[str, object]) -> None:
        self.root = root
        defs = root / "shop" / "defs"
        (defs / "performance").mkdir(parents=True)
        (root / "pyproject.toml").write_text(PYPROJECT)
        for package in (root / "shop", defs):
            (package / "__init__.py").touch()
        (root / "shop" / "definitions.py").write_text(DEFINITIONS)
        (defs / "own.py").write_text(OWN.replace("UPSTREAM", upstream))
        described = {"type": "perf_assets.PerfSource", "attributes": attributes}
        (defs / "performance" / "defs.yaml").write_text(yaml.safe_dump(described))

    def execute(self, *command: str) -> subprocess.CompletedProcess[str]:
        path = os.pathsep.join([str(self.root), *filter(None, [os.environ.get("PYTHONPATH")])])
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": path, "GITHUB_TOKEN": SECRET, "HOME": str(self.root)}
        return subprocess.run(command, cwd=self.root, env=environment, capture_output=True, text=True)

    def run(self, job: str, day: str) -> list[str]:
        done = self.execute(sys.executable, "-c", RUN, job, day)
        assert done.returncode == 0, done.stderr
        assets: list[str] = json.loads(done.stdout.splitlines()[-1])
        return assets


@pytest.fixture
def results(tmp_path: Path) -> tuple[Path, str]:
    """A folder with a file of results, and the day on which it changed."""
    folder = tmp_path / "results"
    folder.mkdir()
    (folder / "small.csv").write_bytes(small_table(1, 1))
    os.utime(folder / "small.csv", (1_788_220_800, 1_788_220_800))
    return folder, "2026-09-01"


def test_sources_alone_are_pulled_into_the_landing_of_the_project(tmp_path, results):
    folder, day = results
    settings = {"home": "data", "sources": {"folders": [{"url": str(folder)}]}}
    project = Project(tmp_path / "project", "folders_results", {"settings": settings, "pipeline": False})
    assert project.run("sources_job", day) == ["digest", "folders_results"]
    (receipts,) = (project.root / "data" / "landing").rglob("receipts.jsonl")
    assert json.loads(receipts.read_text())["name"] == "small.csv"


def test_the_whole_pipeline_is_mounted_and_loads_what_was_pulled(tmp_path, results):
    folder, day = results
    settings = {"home": str(tmp_path / "home"), "sources": {"folders": [{"url": str(folder)}]}}
    project = Project(tmp_path / "project", "regressions", {"settings": settings})
    assets = project.run("sources_job", day)
    assert {"digest", "regressions", "folders_results", "raw_results"} <= set(assets)
    project.run("ingestion_job", f"{utc_now().date()}")
    assert list((tmp_path / "home" / "snapshots").glob("*.duckdb"))


def test_dagster_s_own_command_checks_it(tmp_path):
    settings = {"sources": {"github_actions": {"repositories": ["org/shop"]}}}
    project = Project(tmp_path / "project", "github_actions_results", {"settings": settings})
    dg = str(Path(sys.executable).with_name("dg"))
    checked = project.execute(dg, "check", "defs")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    listed = project.execute(dg, "list", "defs", "--json")
    assert '"github_actions_results"' in listed.stdout
    assert SECRET not in checked.stdout + checked.stderr + listed.stdout + listed.stderr


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"sources": {"gitub": {}}}, "defs.yaml: sources.gitub: no such setting, did you mean"),
        ({"sources": {"gitlab": {"token": SECRET}}}, "defs.yaml: token: a secret does not belong in a file"),
    ],
)
def test_what_is_wrong_in_it_is_named(tmp_path, settings, message):
    project = Project(tmp_path / "project", "regressions", {"settings": settings})
    done = project.execute(sys.executable, "-c", RUN, "sources_job", "2026-09-01")
    assert done.returncode == 1
    assert message in done.stderr
