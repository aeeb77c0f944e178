from __future__ import annotations

from pathlib import Path

import pytest

from perf_assets_tests.warehouse.building import Site


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "site")


@pytest.fixture
def other_site(tmp_path: Path) -> Site:
    return Site(tmp_path / "other")
