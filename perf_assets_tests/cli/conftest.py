from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from perf_assets_tests.cli.site import Site
from perf_assets_tests.defs.building import scenario_page, small_table

VARIABLES = (
    "PERF_ASSETS_CONFIG", "PERF_ASSETS_HOME", "PERF_ASSETS_STATE_URL", "SLACK_BOT_TOKEN", "SLACK_API_URL",
    "SCALE_DASHBOARD_URL", "SCALE_DASHBOARD_API_KEY", "DAGSTER_HOME",
)  # fmt: skip


@pytest.fixture(autouse=True)
def nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "site")


@pytest.fixture(scope="session")
def analysed_once(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A home in which `perf-assets run` has analysed a dozen series and a few scenario runs; not to be changed."""
    folder = tmp_path_factory.mktemp("analysed")
    (folder / "results").mkdir()
    (folder / "results" / "small.csv").write_bytes(small_table())
    (folder / "results" / "runs.json").write_bytes(scenario_page())
    site = Site(folder)
    done = site.call("run", folder / "results", "--fail-on-regression")
    (folder / "output").write_text(f"{done.exit_code}\n{done.output}")
    return site


@pytest.fixture
def analysed(analysed_once: Site, tmp_path: Path) -> Site:
    """A copy of that home, to do with as a test likes."""
    shutil.copytree(analysed_once.folder, tmp_path / "analysed", symlinks=True)
    return Site(tmp_path / "analysed")
