from __future__ import annotations

import pytest

from benchmarks.__main__ import forecasts_chapter
from benchmarks.forecasts import Cost, _pool, fleet, history_of


def test_a_fleet_is_forecast_and_its_time_taken() -> None:
    assert fleet(3, 50).shape == (3, 50)
    history = history_of(fleet(3, 50))
    assert history.groupby("unique_id").size().tolist() == [50, 50, 50]
    assert _pool(3, 50, 4) > 0


@pytest.mark.parametrize(("milliseconds", "peak", "marks"), [(0.1, 900.0, 0), (0.6, 900.0, 5), (0.1, 2_000.0, 1)])
def test_the_chapter_marks_what_is_missed(milliseconds: float, peak: float, marks: int) -> None:
    ours = [Cost(milliseconds, peak, 300.0)] * 3
    lines = forecasts_chapter(ours, [Cost(60.0, 200.0, 100.0)] * 2)
    assert "\n".join(lines).count("✗") == marks
    assert any(line.startswith("| 1,000 x 700, 48 ahead | 0.") for line in lines)
