"""Long work says how far it has come, and no more often than is useful."""

from __future__ import annotations

import logging

import pytest

from perf_assets import progress
from perf_assets.progress import Progress


def test_the_log_hears_of_it_now_and_then(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    clock = iter(range(0, 1000, 4))
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    with caplog.at_level(logging.INFO, "perf_assets"), Progress().of("files loaded", 8) as tell:
        for _ in range(8):
            tell()
    assert [record.getMessage() for record in caplog.records] == [
        "files loaded: 3 of 8, 0 a second, 20 s left",
        "files loaded: 6 of 8, 0 a second, 8 s left",
    ]
