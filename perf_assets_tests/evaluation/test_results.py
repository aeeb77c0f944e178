from __future__ import annotations

import math
from pathlib import Path

import pandas as pd

from evaluation.results import Measured, Origin, current_origin, keep, recall, same_measurement

ORIGIN = Origin("abc", "digest", "", 10)
TABLE = pd.DataFrame({"kind": ["white", "drift"], "delay": [7.0, math.inf], "off": [math.nan, 1.5]})


def test_what_is_kept_is_recalled(tmp_path: Path) -> None:
    keep(Measured("trends", 3, ORIGIN, 1.5, {"results": TABLE, "absent": pd.DataFrame()}), tmp_path)
    known = recall("trends", 3, tmp_path)
    assert known is not None
    pd.testing.assert_frame_equal(known.tables["results"], TABLE)
    assert known.tables["absent"].empty
    assert known.origin == ORIGIN
    assert recall("trends", 4, tmp_path) is None


def test_a_measurement_is_the_same_while_code_data_and_size_are() -> None:
    assert same_measurement(ORIGIN, Origin("later commit", "digest", "", 10))
    assert not same_measurement(ORIGIN, Origin("abc", "other", "", 10))
    assert not same_measurement(ORIGIN, Origin("abc", "digest", "/data", 10))
    assert not same_measurement(ORIGIN, Origin("abc", "digest", "", 20))


def test_the_origin_names_the_folder_and_digests_the_code(tmp_path: Path) -> None:
    origin = current_origin(tmp_path, 5)
    assert origin.data == str(tmp_path)
    assert len(origin.code) == 12
    assert origin == current_origin(tmp_path, 5)
