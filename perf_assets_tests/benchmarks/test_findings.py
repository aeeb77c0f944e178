from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.__main__ import findings_chapter
from benchmarks.findings import (
    POINTS,
    FindingsRun,
    Stage,
    detect_many_alone,
    fill_warehouse,
    fleet,
    read_rows,
    write_findings,
)
from perf_assets.settings import Settings
from perf_assets.warehouse import Warehouse


def test_the_fleet_has_all_kinds_in_turn_and_a_step_in_every_other_ten() -> None:
    values = fleet(200)
    assert values.shape == (200, POINTS)
    quantised = values[8::10]
    assert np.array_equal(quantised, quantised.round())
    moved = np.abs(quantised[:, -75:].mean(axis=1) - quantised[:, :75].mean(axis=1)) > 1.0
    assert moved.tolist() == [False, True] * 10


def test_findings_go_from_warehouse_to_warehouse(tmp_path: Path) -> None:
    fill_warehouse(20, tmp_path / "small")
    fill_warehouse(40, tmp_path / "large")
    assert read_rows(40, tmp_path)[0] > 0
    spent, steps = write_findings(40, tmp_path)
    assert spent > 0
    expected = {"change_points", "metric_trends", "seasonal_patterns", "anomalies", "regressions"}
    assert {name for name, _ in steps} == expected
    settings = Settings(home=tmp_path / "large")
    warehouse = Warehouse(settings.database, settings.snapshots)
    assert len(warehouse.query("SELECT * FROM metric_trends")) == 40
    assert len(warehouse.query("SELECT * FROM change_points")) >= 15
    assert detect_many_alone(20)[0] > 0


def test_otava_is_scaled_to_all_series_and_missed_targets_are_marked() -> None:
    run = FindingsRun(
        detect=Stage(5.0, 150.0), detect_more=Stage(60.0, 900.0), reading=Stage(2.5, 700.0),
        findings=Stage(30.0, 800.0, (("anomalies", 4.0),)),
        findings_of_fewer=Stage(3.0, 200.0), otava_version="1.0", otava_seconds=2.0,
    )  # fmt: skip
    text = "\n".join(findings_chapter(run))
    assert "| Apache Otava | 100.0 |" in text
    assert "| `detect_many` alone | 5.0 | 20.0 |" in text
    assert "| reading the rows alone, in bare DuckDB | 2.5 | 40.0 |" in text
    assert "| all findings, warehouse to warehouse | 30.0 | 3.3 ✗ |" in text
    assert "`anomalies` 4.0" in text
    assert "12.0 ✗ | at most 10.5" in text
