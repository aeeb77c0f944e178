"""Units as results write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perf_assets.catalog import UNKNOWN_UNIT, canonical_unit

WRITTEN = [
    ("s", "s", 1.0), ("ms", "s", 1e-3), ("ns/iter", "s", 1e-9), ("µs", "s", 1e-6), ("Seconds", "s", 1.0),
    ("min", "s", 60.0),
    ("msec / op", "s", 1e-3), ("ops/sec", "1/s", 1.0), ("req per minute", "1/s", 1 / 60), ("iter/s", "1/s", 1.0),
    ("MB", "By", 1e6), ("KiB", "By", 1024.0), ("MB/s", "By/s", 1e6), ("bytes", "By", 1.0), ("GHz", "Hz", 1e9),
    ("%", "1", 0.01), ("ratio", "1", 1.0), ("{test}/h", "{test}/h", 1.0), ("", UNKNOWN_UNIT, 1.0), (" ms ", "s", 1e-3),
    ("Percent", "1", 0.01), ("Megabytes", "By", 1e6), ("kilobyte/s", "By/s", 1e3), ("Mebibytes", "By", 2.0**20),
    ("furlong", "furlong", 1.0), ("ops/furlong", "ops/furlong", 1.0),
]  # fmt: skip

written_units = (
    st.sampled_from([raw for raw, *_ in WRITTEN])
    | st.text(max_size=8)
    | st.lists(st.sampled_from(["ms", "op", "iter", "/", " per ", " ", "MB", "s", "x"]), max_size=7).map("".join)
)
# Below 1e-308 a number has fewer digits, and none of them is kept by a factor.
amounts = st.just(0.0) | st.floats(1e-100, 1e100) | st.floats(-1e100, -1e-100)


@pytest.mark.parametrize(("raw", "unit", "factor"), WRITTEN)
def test_what_results_write_is_converted(raw: str, unit: str, factor: float) -> None:
    found = canonical_unit(raw)
    assert found.unit == unit
    assert found.factor == pytest.approx(factor)


@given(written_units)
def test_canonical_units_are_fixed_points(raw: str) -> None:
    unit = canonical_unit(raw).unit
    assert (canonical_unit(unit).unit, canonical_unit(unit).factor) == (unit, 1.0)


@given(written_units, amounts, amounts)
def test_converting_is_linear(raw: str, one: float, other: float) -> None:
    factor = canonical_unit(raw).factor
    assert factor > 0
    assert (one + other) * factor == pytest.approx(
        one * factor + other * factor, rel=1e-9, abs=1e-9 * abs(one * factor)
    )
    assert 0 * factor == 0


def test_a_unit_longer_than_any_known_one_stays_as_it_is() -> None:
    unit = "ns" + "/op" * 100_000
    found = canonical_unit(unit)
    assert (found.unit, found.factor) == (unit, 1.0)
