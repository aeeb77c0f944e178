"""Figures as people read them."""

from __future__ import annotations

import math

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perf_assets.wording.quantities import change, counted, level_pair, odds, quantity

QUANTITIES = [
    (0.0, "s", "0 s"), (0.00125, "s", "1.25 ms"), (1e-6, "s", "1 µs"), (2.5e-8, "s", "25 ns"), (14.0, "s", "14 s"),
    (-14.0, "s", "-14 s"), (0.9999, "s", "1 s"), (1445.0, "s", "24.1 min"), (7200.0, "s", "2 h"),
    (3.6e6, "s", "1,000 h"), (1e300, "s", "2.78e+296 h"),
    (0.0, "By", "0 B"), (512.0, "By", "512 B"), (88e6, "By", "88 MB"), (999.9e6, "By", "1 GB"), (-2e9, "By", "-2 GB"),
    (5e15, "By", "5,000 TB"), (0.5, "By", "0.5 B"), (1.5e6, "By/s", "1.5 MB/s"), (0.0, "By/s", "0 B/s"),
    (0.82, "1", "82 %"), (0.0, "1", "0 %"), (-0.1, "1", "-10 %"), (12.0, "1", "12"), (123456.0, "1", "123,456"),
    (41.0, "{test}/h", "41 test/h"), (123456.0, "{test}", "123,456 test"), (12.3456, "", "12.35"), (0.0, "", "0"),
]  # fmt: skip


@pytest.mark.parametrize(("value", "unit", "expected"), QUANTITIES)
def test_quantities(value, unit, expected):
    assert quantity(value, unit) == expected


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf, pd.NA, pd.NaT])
@pytest.mark.parametrize("unit", ["s", "By", "1", "", "{test}"])
def test_what_is_not_known_is_missing(value, unit):
    assert quantity(value, unit) == "missing"


@given(
    st.floats(allow_nan=False, allow_infinity=False), st.sampled_from(["s", "By", "By/s", "1", "", "{test}/h", "Hz"])
)
def test_every_value_is_a_short_text_of_its_size(value, unit):
    text = quantity(value, unit)
    assert len(text) < 30
    assert "e+0" not in text
    assert text.startswith("-") == (value < 0 and not text.startswith("0"))


@pytest.mark.parametrize(
    ("ratio", "expected"),
    [
        (0.123, "+12.3 %"), (-0.5, "-50 %"), (0.0, "+0 %"), (-0.0, "+0 %"), (8.99, "+899 %"), (1e-4, "+0.01 %"),
        (9.0, "10 times"), (79.0, "80 times"), (2345.6, "2,347 times"), (-0.98, "-98 %"), (-0.992, "1/125"),
        (-0.9996, "1/2,500"), (-1.0, "-100 %"), (-1.0 + 1e-9, "-100 %"), (-1.2, "-120 %"),
        (math.nan, "unknown"), (math.inf, "unknown"), (None, "unknown"), (pd.NA, "unknown"),
    ],
)  # fmt: skip
def test_changes(ratio, expected):
    assert change(ratio) == expected


@given(st.floats(-0.999, 1e6))
def test_the_text_of_a_change_means_its_size(ratio):
    text = change(ratio)
    if text.startswith("1/"):
        assert 1 / float(text[2:].replace(",", "")) == pytest.approx(1 + ratio, rel=0.01)
    elif text.endswith(" times"):
        assert float(text[:-6].replace(",", "")) == pytest.approx(1 + ratio, rel=0.01)
    else:
        assert float(text[:-2].replace(",", "")) == pytest.approx(100 * ratio, rel=0.01)


@pytest.mark.parametrize(("before", "after", "unit", "told"), [
    (160.0, 232.0, "s", ("160 s", "232 s")), (0.95, 1.2, "s", ("950 ms", "1,200 ms")),
    (1.2e9, 0.9e9, "By", ("1.2 GB", "0.9 GB")), (0.5, 40.0, "s", ("500 ms", "40 s")),
    (900e6, 1.1e9, "By/s", ("900 MB/s", "1,100 MB/s")), (0.6, 0.7, "1", ("60 %", "70 %")),
])  # fmt: skip
def test_two_levels_near_each_other_are_in_one_unit(
    before: float, after: float, unit: str, told: tuple[str, str]
) -> None:
    assert level_pair(before, after, unit) == told


@pytest.mark.parametrize(
    ("chance", "words"), [(0.0, "less than 1 %"), (0.0099, "less than 1 %"), (0.01, "1 %"), (0.734, "73 %"),
                          (0.995, "more than 99 %"), (1.0, "100 %"), (float("nan"), "unknown")]
)  # fmt: skip
def test_odds(chance: float, words: str) -> None:
    assert odds(chance) == words


def test_numbers_with_their_noun():
    assert [counted(number, "file") for number in (0, 1, 1234)] == ["0 files", "1 file", "1,234 files"]
    assert (counted(2, "entry"), counted(2, "day"), counted(2, "series")) == ("2 entries", "2 days", "2 series")
    assert (counted(1, "index", "indices"), counted(2, "index", "indices")) == ("1 index", "2 indices")
