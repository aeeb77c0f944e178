"""What each command may import: nearly all the time of a short command is spent on imports."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from perf_assets_tests.cli.site import Site
from perf_assets_tests.defs.building import small_table

_LARGE = {
    "alembic", "altair", "dagster", "duckdb", "fsspec", "jinja2", "numpy", "pandas", "prophet", "pyarrow", "pydantic",
    "requests", "rich", "scipy", "sklearn", "slack_sdk", "sqlalchemy", "statsmodels", "vl_convert",
}  # fmt: skip
"""Packages whose import takes longer than .03 s."""
_IMPORTED = """
import sys
from perf_assets.cli.main import main
try:
    main(sys.argv[1:])
except SystemExit as stopped:
    assert not stopped.code, stopped.code
print("IMPORTED", *sorted({name.split(".")[0] for name in sys.modules}))
"""


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Site:
    folder = tmp_path_factory.mktemp("imports")
    (folder / "small.csv").write_bytes(small_table(1, 1))
    site = Site(folder / "site")
    assert site.execute("ingest", folder / "small.csv").returncode == 0
    return site


def imported(site: Site, *arguments: str | Path) -> set[str]:
    """Large packages that a command imports."""
    done = subprocess.run(
        [sys.executable, "-c", _IMPORTED, *map(str, arguments)],
        env={"PATH": "", "PYTHONPATH": os.environ.get("PYTHONPATH", ""), **site.variables()},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    line = done.stdout.splitlines()[-1]
    assert line.startswith("IMPORTED")
    return set(line.split()) & _LARGE


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_imports_no_large_package(loaded: Site, option: str) -> None:
    assert imported(loaded, option) == set()


@pytest.mark.parametrize("command", ["regressions", "trends", "quarantine list"])
def test_listings_import_what_reading_and_printing_needs(loaded: Site, command: str) -> None:
    needed = {"duckdb", "pydantic"}
    assert imported(loaded, *command.split()) <= needed | {"rich"}


@pytest.mark.parametrize("command", ["alerts", "epochs", "state", "doctor"])
def test_what_is_kept_is_shown_without_pandas(loaded: Site, command: str) -> None:
    # The examination loads every plugin, to name those that cannot be loaded; some formats are of pyarrow.
    plugins = {"numpy", "pyarrow", "requests", "fsspec"} if command == "doctor" else set()
    assert imported(loaded, command) <= {"alembic", "duckdb", "pydantic", "rich", "sqlalchemy"} | plugins


def test_listings_need_no_more_where_sources_and_channels_are_configured(loaded: Site) -> None:
    watching = Site(loaded.folder.parent / "watching", loaded.environ)
    watching.variables()
    watching.config.write_text(
        "slack.channel = '#x'\nsources.jenkins.jobs = ['main']\nsources.folders = [{ url = 'x' }]\n"
    )
    shutil.copytree(loaded.home, watching.home, symlinks=True)
    assert imported(watching, "regressions") <= {"duckdb", "pydantic", "rich"}


def test_ingest_imports_what_loading_needs(loaded: Site) -> None:
    (loaded.folder / "more.csv").write_bytes(small_table(2, 1))
    needed = {"duckdb", "numpy", "pyarrow", "pydantic", "rich"}
    assert imported(loaded, "ingest", loaded.folder / "more.csv") == needed
