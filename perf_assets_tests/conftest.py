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
settings.register_profile(
    "project",
    deadline=None,  # two cores shared with other tests: time says nothing about the code
    database=DirectoryBasedExampleDatabase(REPOSITORY / "var" / "cache" / "hypothesis" / "examples"),
)
settings.load_profile("project")


@pytest.fixture
def shared_data() -> Path:
    """Real inputs kept beside the project; tests that need them skip where they are absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"real data for development is absent ({SHARED_DATA})")
    return SHARED_DATA
