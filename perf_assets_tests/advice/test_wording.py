"""Figures as people read them."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perf_assets.advice import wording
from perf_assets.advice.wording import change, day, level_pair, levels, metric_words, moment, quantity, share

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
    ("change", "expected"),
    [
        (0.123, "+12.3 %"), (-0.5, "-50 %"), (0.0, "+0 %"), (-0.0, "+0 %"), (8.99, "+899 %"), (1e-4, "+0.01 %"),
        (9.0, "10 times"), (79.0, "80 times"), (2345.6, "2,347 times"), (-0.98, "-98 %"), (-0.992, "1/125"),
        (-0.9996, "1/2,500"), (-1.0, "-100 %"), (-1.0 + 1e-9, "-100 %"), (-1.2, "-120 %"),
        (math.nan, "unknown"), (math.inf, "unknown"), (None, "unknown"), (pd.NA, "unknown"),
    ],
)  # fmt: skip
def test_shares(change, expected):
    assert share(change) == expected


def test_times_and_names():
    assert moment(pd.Timestamp("2026-09-10 14:06:59")) == "2026-09-10 14:06 UTC"
    assert (moment(pd.NaT), day(None)) == ("unknown", "unknown")
    assert day("2026-09-10 14:06") == "2026-09-10"
    assert metric_words("queue_wait_time") == "queue wait time"


def test_a_change_from_nothing_is_told_by_its_levels():
    row = pd.Series({"change": 0.25, "before": 4.0, "after": 5.0, "unit": "s"})
    assert (change(row), levels(row)) == ("+25 %", "4 s to 5 s")
    from_nothing = pd.Series({"change": math.nan, "before": 0.0, "after": 0.04, "unit": "1"})
    assert change(from_nothing) == "0 % to 4 %"
    eighty = pd.Series({"change": 79.0, "before": 1.0, "after": 80.0, "unit": "s"})
    assert change(eighty) == "80 times the old level"
    gone = pd.Series({"change": -0.999, "before": 1.0, "after": 0.001, "unit": "s"})
    assert change(gone) == "1/1,000 of the old level"


def test_what_rounding_has_left_of_a_level_is_zero():
    row = pd.Series({"change": math.nan, "before": -4.33e-8, "after": 53e6, "unit": "By"})
    assert levels(row) == change(row) == "0 B to 53 MB"
    assert level_pair(2e9, -1.8e-5, "By") == ("2 GB", "0 B")
    assert levels(pd.Series({"before": 0.0, "after": 0.0, "unit": "s"})) == "0 s to 0 s"
    assert levels(pd.Series({"before": 1e-5, "after": 1.0, "unit": "s"})) == "10 µs to 1 s"


def test_a_second_mode_is_told_by_where_it_lies_and_how_often():
    row = pd.Series({"before": 0.05, "after": 0.066, "unit": "s", "second_mode": 0.095, "mode_before": 0.0,
                     "mode_after": 0.36})  # fmt: skip
    assert levels(row) == "50 ms to 66 ms on average, with 36 % of the values about 95 ms (before 0 %)"
    assert levels(row.replace({0.095: None})) == "50 ms to 66 ms"


@given(st.floats(-0.999, 1e6))
def test_the_text_of_a_share_means_its_size(change):
    text = share(change)
    if text.startswith("1/"):
        assert 1 / float(text[2:].replace(",", "")) == pytest.approx(1 + change, rel=0.01)
    elif text.endswith(" times"):
        assert float(text[:-6].replace(",", "")) == pytest.approx(1 + change, rel=0.01)
    else:
        assert float(text[:-2].replace(",", "")) == pytest.approx(100 * change, rel=0.01)


@pytest.mark.parametrize(("before", "after", "unit", "told"), [
    (160.0, 232.0, "s", ("160 s", "232 s")), (0.95, 1.2, "s", ("950 ms", "1,200 ms")),
    (1.2e9, 0.9e9, "By", ("1.2 GB", "0.9 GB")), (0.5, 40.0, "s", ("500 ms", "40 s")),
    (900e6, 1.1e9, "By/s", ("900 MB/s", "1,100 MB/s")), (0.6, 0.7, "1", ("60 %", "70 %")),
])  # fmt: skip
def test_two_levels_near_each_other_are_in_one_unit(
    before: float, after: float, unit: str, told: tuple[str, str]
) -> None:
    assert level_pair(before, after, unit) == told


def cause(**more: object) -> object:
    known = {
        "factor": "node_id", "setting": "n1", "share": 0.92, "sharing": 12, "change_sharing": 0.18, "lacking": 180,
        "change_lacking": 0.003,
    }  # fmt: skip
    return SimpleNamespace(**(known | more))


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (cause(), "node id n1: its 12 series +18 %, the 180 others +0.3 %; 92 % of what changed"),
        (cause(sharing=1, lacking=1), "node id n1: its series +18 %, the other one +0.3 %; 92 % of what changed"),
        (
            cause(factor="commit", setting="0123456789abcdef", lacking=0),
            "commit 0123456789ab: all 12 series +18 %, none without it to compare; 92 % of what changed",
        ),
        (
            cause(factor="load_average", setting="by node"),
            "load average: +18 % on 12 nodes; 92 % of what changed by node",
        ),
    ],
)
def test_what_a_change_goes_along_with(row: object, words: str) -> None:
    assert wording.consistency(row) == words


@pytest.mark.parametrize(
    ("chance", "words"), [(0.0, "less than 1 %"), (0.0099, "less than 1 %"), (0.01, "1 %"), (0.734, "73 %"),
                          (0.995, "more than 99 %"), (1.0, "100 %"), (float("nan"), "unknown")]
)  # fmt: skip
def test_odds(chance: float, words: str) -> None:
    assert wording.odds(chance) == words
