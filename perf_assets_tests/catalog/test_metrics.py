"""The catalogue covers the specification, takes a user's own metrics, and says what is wrong with them."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from perf_assets.catalog import CatalogError, canonical_unit, load_catalog

SPECIFIED = {
    "Test duration": "test_execution_time",
    "setup time": "test_setup_time",
    "teardown time": "test_teardown_time",
    "CPU usage": "cpu_usage",
    "memory usage": "memory_usage",
    "disk I/O": "disk_io",
    "network I/O": "network_io",
    "Node responsiveness": "node_response_time",
    "error rates": "node_error_rate",
    "test failure rates": "test_failure_rate",
    "Tests per hour": "tests_per_hour",
    "parallel test count": "parallel_tests",
    "Queue depth": "queue_depth",
    "queue wait time": "queue_wait_time",
    "scheduling efficiency": "scheduling_efficiency",
    "Build time": "build_time",
    "build success rate": "build_success_rate",
    "artifact size": "artifact_size",
    "Code coverage percentage": "code_coverage",
    "test count": "test_count",
    "test complexity": "test_complexity",
    "OS metrics": "load_average",
    "hardware metrics": "cpu_temperature",
    "virtualization overhead": "virtualization_overhead",
    "node failure rate": "node_failure_rate",
}
"""What the specification's table of metrics and its examples name, and the metric that is it."""

SCENARIO_RUNS = {"scenario_duration", "blast_radius_nodes", "blast_radius_edges", "observations", "risk_count"}
OWN = """
[frobs]
unit = "{frob}/h"
direction = "higher_is_better"
category = "own"
importance = "high"
description = "Frobs an hour."
limit = 3
"""


@pytest.fixture
def own_file(tmp_path: Path) -> Path:
    return tmp_path / "metrics.toml"


def test_the_catalogue_covers_the_specification() -> None:
    catalog = load_catalog()
    assert len(catalog) >= 34
    assert [name for name in (*SPECIFIED.values(), *SCENARIO_RUNS) if name not in catalog] == []


@pytest.mark.parametrize(
    ("metric", "direction", "importance"),
    [
        ("test_execution_time", "lower_is_better", "critical"),
        ("memory_usage", "lower_is_better", "high"),
        ("tests_per_hour", "higher_is_better", "important"),
        ("build_success_rate", "higher_is_better", "medium"),
        ("load_average", "lower_is_better", "low"),
    ],
)
def test_direction_and_importance_are_the_specifications(metric: str, direction: str, importance: str) -> None:
    assert (load_catalog()[metric].direction, load_catalog()[metric].importance) == (direction, importance)


def test_every_metric_has_a_canonical_unit_and_a_sentence() -> None:
    for name, metric in load_catalog().metrics.items():
        assert metric.name == name
        assert canonical_unit(metric.unit).unit == metric.unit
        assert metric.description.endswith(".")


def test_an_unknown_metric_is_neutral_and_said_to_be_unknown() -> None:
    metric = load_catalog()["frobs"]
    assert (metric.direction, metric.category, metric.known) == ("neutral", "not in the catalogue", False)
    assert "frobs" not in load_catalog()
    assert load_catalog()["cpu_usage"].known


def test_a_file_of_ones_own_adds_and_overrides(own_file: Path) -> None:
    own_file.write_text(OWN + OWN.replace("frobs", "cpu_usage"))
    catalog = load_catalog(own_file)
    assert (catalog["frobs"].direction, catalog["frobs"].limit) == ("higher_is_better", 3)
    assert catalog["cpu_usage"].category == "own"
    assert len(catalog) == len(load_catalog()) + 1
    assert load_catalog()["cpu_usage"].category != "own"


@pytest.mark.parametrize(
    ("before", "after", "field", "remedy"),
    [
        ('unit = "{frob}/h"\n', "", "'unit'", "add unit ="),
        ('category = "own"\n', "", "'category'", "add category ="),
        ('description = "Frobs an hour."', "description = 5", "'description'", "add description ="),
        ("limit = 3", "limits = 3", "'limits'", "use one of .*limit"),
        ('"higher_is_better"', '"up"', "direction is 'up'", "lower_is_better"),
        ('"higher_is_better"', '"target"', "'target'", "add target ="),
        ('"high"', '"urgent"', "importance is 'urgent'", "critical"),
        ("limit = 3", 'limit = "3"', "limit is '3'", "give a finite number"),
        ("limit = 3", "limit = true", "limit is True", "give a finite number"),
        ("limit = 3", "limit = nan", "limit is nan", "give a finite number"),
        ("limit = 3", "otel = 3", "'otel'", "add otel ="),
        ('"{frob}/h"', '"ms"', "unit is 'ms'", "use 's'"),
    ],
)
def test_an_error_names_file_metric_field_and_remedy(
    own_file: Path, before: str, after: str, field: str, remedy: str
) -> None:
    assert before in OWN
    own_file.write_text(OWN.replace(before, after))
    with pytest.raises(CatalogError, match=rf"metrics.toml, metric 'frobs': .*{field}.*{remedy}"):
        load_catalog(own_file)


def test_a_metric_that_is_no_table_is_named(own_file: Path) -> None:
    own_file.write_text("frobs = 5")
    with pytest.raises(CatalogError, match=r"metrics.toml, metric 'frobs': .*write \[frobs\]"):
        load_catalog(own_file)


@pytest.mark.parametrize(
    ("content", "said"), [(b"[frobs", "not a TOML file"), (b"\xff", "not a TOML file"), (None, "check the path")]
)
def test_a_file_that_cannot_be_read_is_named(own_file: Path, content: bytes | None, said: str) -> None:
    if content is not None:
        own_file.write_bytes(content)
    with pytest.raises(CatalogError, match=f"metrics.toml: .*{said}"):
        load_catalog(own_file)


@pytest.mark.parametrize(
    ("metric", "unit", "bounds"),
    [
        ("test_execution_time", "s", (0.0, math.inf)),
        ("memory_usage", "1", (0.0, 1.0)),
        ("memory_usage", "By", (0.0, math.inf)),
        ("cpu_temperature", "Cel", (-math.inf, math.inf)),
        ("made_up", "{request}/s", (0.0, math.inf)),
        ("made_up", "1", (0.0, math.inf)),
        ("made_up", "", (-math.inf, math.inf)),
        ("made_up", "dB[SPL]", (-math.inf, math.inf)),
    ],
)
def test_where_values_can_lie(metric: str, unit: str, bounds: tuple[float, float]) -> None:
    assert load_catalog().bounds(metric, unit) == bounds
