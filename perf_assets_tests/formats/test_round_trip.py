"""Any valid measurements, written as CSV, JSON Lines or Parquet, are read back the same."""

from __future__ import annotations

import csv
import io
import json
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perf_assets.catalog import canonical_unit
from perf_assets_tests.formats.reading import read

texts = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cs", "Cc", "Zs", "Zl", "Zp")) | st.sampled_from(' ,;"|{}[]'),
    max_size=12,
).map(str.strip)
names = texts.filter(bool)
with_a_meaning = {"project", "branch", "unit", "commit_id", "attempt", "benchmark_version", "direction"}
contexts = st.dictionaries(
    names.filter(lambda name: name not in with_a_meaning),
    texts | st.integers(-(2**53), 2**53) | st.booleans() | st.lists(st.integers(0, 9), max_size=2),
    max_size=3,
)
optional = names | st.none()
rows = st.lists(
    st.fixed_dictionaries(
        {
            "timestamp": st.datetimes(datetime.fromisoformat("1980-01-02"), datetime.fromisoformat("2100-01-01")),
            "metric_name": names,
            "metric_value": st.floats(allow_nan=False, allow_infinity=False),
            "unit": st.sampled_from(["s", "ms", "MB/s", "%", "{test}/h", "1"]),
            "attempt": st.integers(1, 5),
            "project": names,
            "test_run_id": names,
            **dict.fromkeys(
                ("test_name", "test_type", "node_id", "node_type", "branch", "commit_id", "ci_job_id"), optional
            ),
            "context_data": contexts | st.none(),
        }
    ),
    min_size=1,
    max_size=5,
)


def as_csv(measurements: list[dict[str, Any]]) -> bytes:
    target = io.StringIO()
    writer = csv.DictWriter(target, list(measurements[0]))
    writer.writeheader()
    for row in measurements:
        context = None if row["context_data"] is None else json.dumps(row["context_data"])
        writer.writerow(row | {"timestamp": row["timestamp"].isoformat(), "context_data": context})
    return target.getvalue().encode()


def as_json_lines(measurements: list[dict[str, Any]]) -> bytes:
    lines = [
        json.dumps(row | {"timestamp": row["timestamp"].isoformat() + "Z"}, ensure_ascii=False) for row in measurements
    ]
    return "\n".join(lines).encode()


def as_parquet(measurements: list[dict[str, Any]]) -> bytes:
    plain = [
        row | {"context_data": None if row["context_data"] is None else json.dumps(row["context_data"])}
        for row in measurements
    ]
    target = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(plain), target)
    return target.getvalue()


@pytest.mark.parametrize("write", [as_csv, as_json_lines, as_parquet])
@settings(max_examples=25, deadline=None)
@given(measurements=rows)
def test_what_is_written_is_read(write: Any, measurements: list[dict[str, Any]]) -> None:
    reading = read(write(measurements))
    assert reading.rejections == []
    found = sorted(reading.rows, key=lambda row: int(row["location"].split()[1]))
    assert len(found) == len(measurements)
    for row, written in zip(found, measurements, strict=True):
        unit = canonical_unit(written["unit"])
        assert row["ts"] == written["timestamp"]
        assert (row["metric"], row["run_key"], row["raw_unit"]) == (
            written["metric_name"], written["test_run_id"], written["unit"],
        )  # fmt: skip
        assert (row["raw_value"], row["unit"]) == (written["metric_value"], unit.unit)
        assert row["value"] == written["metric_value"] * unit.factor
        same = (
            "attempt",
            "project",
            "test_name",
            "test_type",
            "node_id",
            "node_type",
            "branch",
            "commit_id",
            "ci_job_id",
        )
        assert {name: row[name] for name in same} == {name: written[name] for name in same}
        assert (None if row["context"] is None else json.loads(row["context"])) == written["context_data"]
