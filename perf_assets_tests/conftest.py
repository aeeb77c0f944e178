"""What all tests share: where real data lies, and where hypothesis keeps its examples."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis.configuration import set_hypothesis_home_dir
from hypothesis.database import DirectoryBasedExampleDatabase

REPOSITORY = Path(__file__).parents[1]
SHARED_DATA = REPOSITORY.parent / "shared" / "data"

set_hypothesis_home_dir(REPOSITORY / "var" / "cache" / "hypothesis")
for profile, cases in (("project", 30), ("thorough", 200)):
    settings.register_profile(
        profile,
        deadline=None,  # two cores shared with other tests: time says nothing about the code
        database=DirectoryBasedExampleDatabase(REPOSITORY / "var" / "cache" / "hypothesis" / "examples"),
        max_examples=cases,
    )
settings.load_profile("project")


def _listed(name: str) -> frozenset[str]:
    lines = (Path(__file__).parent / name).read_text(encoding="utf-8").splitlines()
    return frozenset(line for line in lines if line and not line.startswith("#"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what thorough.txt (tests) and slow.txt (modules) name."""
    thorough, slow = _listed("thorough.txt"), _listed("slow.txt")
    for item in items:
        module = item.path.relative_to(Path(__file__).parent).as_posix()
        if f"{module}::{getattr(item, 'originalname', item.name)}" in thorough:
            item.add_marker("thorough")
        if module in slow:
            item.add_marker("slow")


@pytest.fixture
def shared_data() -> Path:
    """Real inputs kept beside the project; tests that need them skip where they are absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"real data for development is absent ({SHARED_DATA})")
    return SHARED_DATA
