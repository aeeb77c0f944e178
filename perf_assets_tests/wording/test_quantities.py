"""Figures as people read them."""

from __future__ import annotations

import math
import re

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perf_assets.catalog import load_catalog
from perf_assets.wording.quantities import (
    EXACT,
    MEASURED,
    ROUGH,
    change,
    coefficient,
    counted,
    interval,
    level_pair,
    number,
    odds,
    q_value,
    quantity,
    share,
    spelled,
    with_interval,
)

QUANTITIES = [
    (0.0, "s", "0 s"), (0.00125, "s", "1.25 ms"), (1e-6, "s", "1 µs"), (2.5e-8, "s", "25 ns"), (14.0, "s", "14 s"),
    (-14.0, "s", "-14 s"), (0.9999, "s", "1 s"), (1445.0, "s", "24.1 min"), (7200.0, "s", "2 h"),
    (3.6e6, "s", "1,000 h"), (1e300, "s", "2.78e+296 h"),
    (0.0, "By", "0 B"), (512.0, "By", "512 B"), (88e6, "By", "88 MB"), (999.9e6, "By", "1 GB"), (-2e9, "By", "-2 GB"),
    (5e15, "By", "5,000 TB"), (0.5, "By", "0.5 B"), (1.5e6, "By/s", "1.5 MB/s"), (0.0, "By/s", "0 B/s"),
    (0.82, "1", "82 %"), (0.0, "1", "0 %"), (-0.1, "1", "-10 %"), (12.0, "1", "12"), (123456.0, "1", "123,456"),
    (41.0, "{test}/h", "41 test/h"), (123456.0, "{test}", "123,456 test"), (12.3456, "", "12.3"),
    (21.0, "Cel", "21 °C"), (2.4e9, "Hz", "2.4 GHz"), (12.5, "1/s", "12.5/s"), (0.0, "", "0"),
]  # fmt: skip


@pytest.mark.parametrize(("value", "unit", "expected"), QUANTITIES)
def test_quantities(value, unit, expected):
    assert quantity(value, unit) == expected


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf, pd.NA, pd.NaT])
@pytest.mark.parametrize("unit", ["s", "By", "1", "", "{test}"])
def test_missing_values_are_unknown(value, unit):
    assert quantity(value, unit) == "unknown"


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


@pytest.mark.parametrize(("before", "after", "unit", "expected"), [
    (160.0, 232.0, "s", ("160 s", "232 s")), (0.95, 1.2, "s", ("950 ms", "1,200 ms")),
    (1.2e9, 0.9e9, "By", ("1.2 GB", "0.9 GB")), (0.5, 40.0, "s", ("500 ms", "40 s")),
    (900e6, 1.1e9, "By/s", ("900 MB/s", "1,100 MB/s")), (0.6, 0.7, "1", ("60 %", "70 %")),
])  # fmt: skip
def test_two_levels_near_each_other_are_in_one_unit(
    before: float, after: float, unit: str, expected: tuple[str, str]
) -> None:
    assert level_pair(before, after, unit) == expected


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


@pytest.mark.parametrize(
    ("unit", "words"),
    [
        ("Cel", "°C"), ("[degF]", "°F"), ("KiBy", "KiB"), ("MBy/h", "MB/h"), ("us", "µs"), ("{test}/h", "test/h"),
        ("1", ""), ("", ""), (None, ""), (math.nan, ""), ("dB", "dB"), ("{By}", "By"), ("my  unit", "my unit"),
    ],
)  # fmt: skip
def test_units_are_spelled_as_people_do(unit, words):
    assert spelled(unit) == words


@pytest.mark.parametrize(
    ("value", "digits", "words"),
    [
        (0.0, 3, "0"), (-0.0, 3, "0"), (12.3456, 3, "12.3"), (9.996, 3, "10"), (999.6, 3, "1,000"),
        (1234.5, 3, "1,234"),
        (0.0199, 3, "0.0199"), (0.0000123, 3, "0.0000123"), (99.6, 2, "100"), (123.4, 2, "123"), (1e-9, 3, "1e-09"),
        (1234, 3, "1,234"), (math.nan, 3, "unknown"), (None, 3, "unknown"), (4.294967296, 12, "4.294967296"),
    ],
)  # fmt: skip
def test_digits(value, digits, words):
    assert number(value, digits) == words


def test_intervals():
    assert interval(0.11, 0.17) == "95 % interval +11 % to +17 %"
    assert with_interval(0.914, 0.8, -0.001, coefficient) == "0.91 [0.80, 0.00]"


@pytest.mark.parametrize(
    ("value", "words"), [(0.012, "q = .012"), (1e-5, "q < .0001"), (1.0, "q = 1"), (math.nan, "q unknown")]
)
def test_q_values(value, words):
    assert q_value(value) == words


def test_a_limit_keeps_the_digits_it_was_declared_with():
    assert quantity(4294967296.0, "By", digits=EXACT) == "4.294967296 GB"
    assert quantity(0.07, "1", digits=EXACT) == "7 %"


_FACTORS = {
    "h": 3600, "min": 60, "s": 1, "ms": 1e-3, "µs": 1e-6, "ns": 1e-9, "%": 0.01, "": 1,
    "TB": 1e12, "GB": 1e9, "MB": 1e6, "kB": 1e3, "B": 1, "THz": 1e12, "GHz": 1e9, "MHz": 1e6, "kHz": 1e3, "Hz": 1,
}  # fmt: skip
UNITS = sorted({metric.unit for metric in load_catalog().metrics.values()} | {"", "1", "s", "By", "By/s", "Hz", "Cel"})
SIZES = st.floats(-1e300, 1e300)
ORDINARY = st.floats(1e-6, 1e12) | st.floats(-1e12, -1e-6) | st.just(0.0) | st.integers(-(10**12), 10**12)


def _read(text: str, unit: str) -> float:
    """The value that a text states, in the canonical unit; the text has one number and one unit."""
    written = re.match(r"-?[\d,.]+(e[+-]?\d+)?", text)
    assert written is not None
    label = text[written.end() :].strip()
    factor = _FACTORS.get(label.removesuffix("/s") if unit == "By/s" else label, 1)
    return float(written[0].replace(",", "")) * factor


@given(SIZES, st.sampled_from(UNITS))
def test_the_text_of_a_value_means_its_size(value, unit):
    assert _read(quantity(value, unit), unit) == pytest.approx(value, rel=0.0051, abs=1e-300)


@given(SIZES, st.sampled_from(UNITS))
def test_texts_of_values_are_spelled_one_way(value, unit):
    text = quantity(value, unit)
    assert len(text) < 30
    assert "nan" not in text and "  " not in text and text == text.strip()
    assert text.startswith("-") == (value < 0)
    assert not re.search(r"\d(%|°)|Cel|By", text)


@given(ORDINARY, st.sampled_from(UNITS))
def test_ordinary_sizes_have_no_exponent(value, unit):
    assert not re.search(r"\de[+-]?\d", quantity(value, unit))
    assert not re.search(r"\de[+-]?\d", number(value))


@given(SIZES, st.integers(1, 12))
def test_numbers_keep_their_significant_digits(value, digits):
    assert float(number(value, digits).replace(",", "")) == pytest.approx(value, rel=0.51 * 10.0 ** (1 - digits))


@given(st.floats(0.0, 1.0), st.sampled_from([MEASURED, ROUGH]))
def test_shares_have_a_space_before_the_sign(part, digits):
    text = share(part, digits)
    assert re.fullmatch(r"[\d.]+(e-\d+)? %", text)
    assert float(text[:-2]) == pytest.approx(100 * part, rel=0.51 * 10.0 ** (1 - digits))


@given(SIZES, SIZES, st.sampled_from(UNITS))
def test_two_levels_can_always_be_written(before, after, unit):
    assert all(text and "nan" not in text and "  " not in text for text in level_pair(before, after, unit))
