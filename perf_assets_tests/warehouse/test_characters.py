"""A name may have any character, in any format: all of it is loaded, and all of it can be drawn."""

from __future__ import annotations

import csv
import io
import json
import xml.etree.ElementTree as ET
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perf_assets.catalog import load_catalog
from perf_assets.characters import REPLACEMENT, showable
from perf_assets.formats.measurement import Measurement
from perf_assets.landing import Given
from perf_assets.report import charts
from perf_assets.settings import IdentitySettings, QualitySettings
from perf_assets.warehouse.loading import Rules, follow_rules
from perf_assets_tests.warehouse.building import START, Site, assert_same_content, json_lines, row

# Each way a name can be unlike others: controls, halves of XML's gaps, noncharacters, what is not in UTF-8.
# A lone carriage return is a line feed to CSV.
CODES = [
    *(code for code in range(0x20) if chr(code) != "\r"),
    *range(0x7F, 0xA0),
    *(0xAD, 0x200B, 0x2028, 0xFDD0, 0xFEFF, 0xFFFD, 0xFFFE, 0xFFFF, 0x1FFFE),
]
NAMES = [f"a{chr(code)}b" for code in CODES]


def as_csv(names: list[str]) -> bytes:
    target = io.StringIO(newline="")
    written = rows(names)
    writer = csv.DictWriter(target, list(written[0]), quoting=csv.QUOTE_ALL)
    writer.writeheader()
    writer.writerows(written)
    return target.getvalue().encode()


def as_json_lines(names: list[str]) -> bytes:
    return json_lines(rows(names))


def as_parquet(names: list[str]) -> bytes:
    target = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows(names)), target)
    return target.getvalue()


def as_arrow(names: list[str]) -> bytes:
    target = io.BytesIO()
    table = pa.Table.from_pylist(rows(names))
    with pa.ipc.new_stream(target, table.schema) as writer:
        writer.write_table(table)
    return target.getvalue()


def as_json_of_one_object(names: list[str]) -> bytes:
    """As pytest-benchmark writes it."""
    benches = [{"name": name, "fullname": name, "stats": {"median": 1.0, "iqr": 0.0}} for name in names]
    return json.dumps({"machine_info": {}, "datetime": START.isoformat(), "benchmarks": benches}).encode()


def rows(names: list[str]) -> list[dict[str, Any]]:
    return [
        row(1.0 + number, run=f"r{number}", hour=number, test_name=name, node_id=name, commit_id=name)
        for number, name in enumerate(names)
    ]


FORMATS = [as_csv, as_json_lines, as_parquet, as_arrow, as_json_of_one_object]


def drawn(names: list[str]) -> str:
    """All text of a picture in which all names stand, at once as labels and in its title."""
    import pandas as pd

    scores = pd.DataFrame(
        {
            "project": "p", "node_id": names, "node_type": names, "score": 50.0, "score_low": 40.0, "score_high": 60.0,
            "rank": range(len(names)), "slowdown": 0.1, "tests": 9, "healthy": True, "reason": None,
        }
    )  # fmt: skip
    return " ".join(ET.fromstring(charts.svg(charts.node_ranking(scores))).itertext())  # noqa: S314 - our own output


@pytest.mark.parametrize("written_as", FORMATS)
def test_every_character_is_loaded_and_drawn(written_as: Callable[[list[str]], bytes], site: Site) -> None:
    loaded = site.load(written_as(NAMES))
    names = site.warehouse.query("SELECT DISTINCT test_name FROM series")["test_name"].tolist()
    assert {showable(name) for name in NAMES} == set(names)
    repeated = len(NAMES) - len(set(names)) if written_as is as_json_of_one_object else 0
    assert (loaded.measurements, loaded.quarantined) == (len(NAMES) - repeated, 0)
    assert "b" in drawn(sorted(names))


@settings(max_examples=15)
@given(st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=8), min_size=1, max_size=5, unique=True))
def test_names_as_they_are_found_are_drawn(names: list[str]) -> None:
    # Names that nothing has replaced are drawn as well, such as those of settings; and words of Vega's own language.
    assert REPLACEMENT in drawn([*names, "a\x1b", "if", "datum", "a\nb", "a\u2028b", "'\"\\"])


def test_names_that_become_equal_are_one_series(site: Site) -> None:
    site.load([row(1.0, run="r1", test_name="a\x01"), row(2.0, run="r2", test_name="a\x02")])
    assert site.warehouse.query("SELECT test_name FROM series")["test_name"].tolist() == [f"a{REPLACEMENT}"]
    assert site.values() == [1.0, 2.0]


def test_two_values_of_one_run_conflict_as_those_of_equal_names(site: Site, other_site: Site) -> None:
    site.load([row(1.0, test_name="a\x01"), row(2.0, test_name="a\x02")])
    other_site.load([row(1.0, test_name="a\ufffd"), row(2.0, test_name="a\ufffd")])
    assert_same_content(site, other_site)
    for one in (site, other_site):
        assert one.quarantine()["reason"].tolist() == ["duplicate_with_different_value"]


def test_all_that_describes_a_run_and_a_series_is_shown(site: Site) -> None:
    bad = "x\x1by"
    fields = ("test_type", "node_id", "node_type", "project", "branch", "commit_id", "ci_job_id", "benchmark_version")
    context = {"runner_image": bad, bad: [bad], "path": "c:\\u001b\\b"}
    site.load(
        [row(1.0, run=bad, metric_name=bad, unit=bad, context_data=context, **dict.fromkeys(fields, bad))],
        branches=(showable(bad),),
    )
    stored = [*site.warehouse.query("FROM series").iloc[0], *site.warehouse.query("FROM runs").iloc[0]]
    texts = [value for value in stored if isinstance(value, str)]
    assert sum(showable(bad) in text for text in texts) >= len(fields) + 3
    assert not any("\x1b" in text for text in texts)
    [explained] = site.warehouse.query("SELECT context FROM runs")["context"]
    good = showable(bad)
    assert json.loads(explained) == {"runner_image": good, good: [good], "path": "c:\\u001b\\b"}


def test_tags_are_shown_whether_they_are_identity_or_explain(site: Site) -> None:
    tags = json.dumps({"os": "li\x1bnux", "image": "a\x01", "a\x01": "1", "a\x02": "2"})
    site.store(Measurement("here", "test_execution_time", 1.0, "s", ts=START, tags=tags))
    assert site.warehouse.query("SELECT tags FROM series")["tags"].tolist() == [f'{{"os":"li{REPLACEMENT}nux"}}']
    assert json.loads(site.warehouse.query("SELECT context FROM runs")["context"][0])["image"] == f"a{REPLACEMENT}"


def test_what_came_with_a_file_is_shown(site: Site) -> None:
    site.load(
        [row(1.0, run=None)],
        given=Given(project="p\x01", branch="main\x02", commit_id="c\x03", run_key="r\x04"),
        branches=(f"main{REPLACEMENT}",),
    )
    [run] = site.warehouse.query("SELECT project, branch, commit_id, run_key FROM runs").to_numpy().tolist()
    assert [name.rstrip(REPLACEMENT) for name in run[:3]] == ["p", "main", "c"]
    assert not any(sign in "".join(run) for sign in "\x01\x02\x03\x04")


def test_what_was_stored_under_other_rules_for_names_is_loaded_again(site: Site) -> None:
    rules = Rules(load_catalog(), IdentitySettings(), QualitySettings())
    follow_rules(site.warehouse, rules)
    content = [row(float(day), run=f"r{day}", hour=day, test_name="a\x1b") for day in range(3)]
    file = site.landing.land(
        json_lines(content), name="results.jsonl", received_at=START + timedelta(days=9), origin="file"
    )
    site.load_landed(file)
    with site.warehouse.transaction() as con:
        con.execute("UPDATE series SET test_name = 'a' || chr(27)")
        con.execute("UPDATE loading_rules SET fingerprint = 'of before'")
    assert follow_rules(site.warehouse, rules)
    site.load_landed(file)
    assert site.warehouse.query("SELECT test_name FROM series")["test_name"].tolist() == [f"a{REPLACEMENT}"]
    assert site.values() == [0.0, 1.0, 2.0]
