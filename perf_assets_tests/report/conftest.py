from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def every_picture_is_drawn(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """A picture that fails is missing, so a test would not see it; those that mean it clear what was logged."""
    yield
    assert [record.getMessage() for record in caplog.get_records("call") if hasattr(record, "picture")] == []
