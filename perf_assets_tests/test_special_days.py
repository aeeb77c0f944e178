"""Files of holidays and releases: what is read, and what is refused with its line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perf_assets.special_days import SpecialDaysError, load_special_days


def test_days_come_with_their_kinds(tmp_path: Path) -> None:
    file = tmp_path / "days.csv"
    file.write_text("# ours\n2026-12-25\n\n2026-11-30 , release\n2026-12-26,,\n", encoding="utf-8")
    assert load_special_days(file) == {
        np.datetime64("2026-12-25"): "holiday", np.datetime64("2026-11-30"): "release",
        np.datetime64("2026-12-26"): "holiday",
    }  # fmt: skip
    assert load_special_days(None) == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("2026-12-25\n25.12.2026\n", r"days.csv, line 2: '25.12.2026' is no day; write it like 2026-12-25,holiday"),
        ("2026-12-25\n2026-12-25,release\n", "line 2: 2026-12-25 is named before"),
        ("\n".join(f"2026-{1 + n // 28:02}-{1 + n % 28:02},k{n}" for n in range(101)), "more than 100 kinds"),
    ],
)
def test_what_is_no_day_is_refused_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "days.csv"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(SpecialDaysError, match=said):
        load_special_days(file)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SpecialDaysError, match=r"none\.csv cannot be read"):
        load_special_days(tmp_path / "none.csv")


@given(st.dictionaries(st.dates(), st.text(st.characters(categories=["L"]), max_size=3), max_size=20))
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, days: dict[object, str]) -> None:
    file = tmp_path_factory.mktemp("days") / "days.csv"
    file.write_text("".join(f"{day},{kind}\n" for day, kind in days.items()), encoding="utf-8")
    read = load_special_days(file)
    assert {str(day): kind for day, kind in read.items()} == {str(day): kind or "holiday" for day, kind in days.items()}
