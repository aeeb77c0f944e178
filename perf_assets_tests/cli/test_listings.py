"""Listings after a real run: what they print, as JSON too, and how they are filtered."""

from __future__ import annotations

import json

import duckdb
import pandas as pd
import pytest

from perf_assets.cli.listing import LISTINGS, as_json_text, frame_as_json
from perf_assets.cli.main import FILTERS, main
from perf_assets.warehouse import open_snapshot


def test_the_run_says_what_it_found_and_where(analysed_once):
    code, *lines = (analysed_once.folder / "output").read_text().splitlines()
    output = "\n".join(lines)
    assert code == "4"  # a regression was found, and asked for
    assert "2 files taken in" in output
    assert "1 regression" in output
    assert "test-0" in output
    assert f"Report: {analysed_once.home / 'report.html'}" in output
    assert (analysed_once.home / "report.html").stat().st_size > 10_000
    assert len(list((analysed_once.home / "outbox").glob("regression-*.json"))) == 1
    assert "Traceback" not in output


@pytest.mark.parametrize("name", LISTINGS)
def test_every_listing_is_valid_json_with_ids_as_strings(name, analysed_once):
    rows = analysed_once.json(name)
    assert isinstance(rows, list)
    for row in rows:
        assert all(isinstance(value, str) for key, value in row.items() if key.endswith("_id") and value is not None)


@pytest.mark.parametrize("name", LISTINGS)
def test_every_listing_prints_a_table(name, analysed_once):
    result = analysed_once.call(name)
    assert result.exit_code == 0, result.output
    assert result.stdout.strip()


def test_json_holds_what_the_warehouse_holds(analysed_once):
    (row,) = analysed_once.json("regressions")
    with open_snapshot(analysed_once.home / "snapshots") as con:
        names = [column[0] for column in con.execute("SELECT * FROM regressions").description]
        (stored,) = con.execute("SELECT * FROM regressions").fetchall()
    known = dict(zip(names, stored, strict=True))
    assert row["regression_id"] == str(known["regression_id"])
    # Small numbers are what p-values are made of; they must not come out as zero.
    assert (row["p_value"], row["before"], row["members"]) == (known["p_value"], known["before"], 1)
    assert 0 < row["q_value"] < 1e-6
    assert row["first_bad_at"] == known["first_bad_at"].isoformat()
    assert row["first_bad_commit"] is None
    assert row["simulated"] is False


def test_json_of_odd_values(analysed_once):
    with open_snapshot(analysed_once.home / "snapshots") as con:
        found = con.execute(
            """SELECT 9007199254740993 AS run_id, 'a' AS node_id, NULL :: BIGINT AS other_id, 'inf' :: DOUBLE AS big,
              'nan' :: DOUBLE AS odd, 1e-300 AS small, NULL :: TIMESTAMP AS at, 'ü"<' AS text, true AS yes,
              DATE '2026-01-02' AS day
            UNION ALL SELECT 1, NULL, 2, 1, 1, 1, TIMESTAMP '2026-01-02 03:04:05', NULL, NULL, NULL"""
        )
        columns = [name for name, *_ in found.description]
        rows = found.fetchall()
        table = pd.DataFrame(rows, columns=columns, dtype=object)
    first, second = json.loads(as_json_text(columns, rows))
    assert json.loads(frame_as_json(table)) == [first, second]
    assert first == {
        "run_id": "9007199254740993", "node_id": "a", "other_id": None, "big": None, "odd": None, "small": 1e-300,
        "at": None, "text": 'ü"<', "yes": True, "day": "2026-01-02T00:00:00",
    }  # fmt: skip
    assert (second["at"], second["node_id"], second["yes"]) == ("2026-01-02T03:04:05", None, None)
    assert second["other_id"] == "2"
    assert as_json_text(columns, []) == "[]"


@pytest.mark.parametrize(
    ("arguments", "count"),
    [
        (("--test", "test-1"), 3), (("--node", "node-2"), 4), (("--test", "test-1", "--node", "node-2"), 1),
        (("--metric", "cpu_usage"), 0), (("--limit", "5"), 5), (("--test", "' OR 1=1 --"), 0),
    ],
)  # fmt: skip
def test_filters(arguments, count, analysed_once):
    rows = [row for row in analysed_once.json("trends", *arguments) if row["metric"] == "test_execution_time"]
    assert len(rows) == count


@pytest.mark.parametrize("name", LISTINGS)
def test_every_filter_that_is_offered_works(name, analysed_once):
    offered = {parameter.name for parameter in main.commands[name].params} & set(FILTERS)
    assert offered == set(LISTINGS[name].filters)
    for option in offered:
        value = "3" if option == "days" else "nothing of this name"
        result = analysed_once.call(name, f"--{option.replace('_', '-')}", value)
        assert result.exit_code == 0, result.output
        assert option == "days" or f"for {option.replace('_', ' ')} nothing of this name" in result.stdout
    assert analysed_once.call(name, "--limit", "0").exit_code == 2


def test_the_last_days_are_those_before_the_newest_results(analysed_once):
    ((days,),) = analysed_once.query(
        """SELECT ceil(epoch(max(s.as_of) - any_value(r.first_bad_at)) / 86400)
        FROM regressions r JOIN metric_series s USING (project)"""
    )
    assert days > 1
    assert len(analysed_once.json("regressions", "--days", int(days))) == 1
    assert analysed_once.json("regressions", "--days", int(days) - 1) == []
    assert "for the last 1 day." in analysed_once.call("regressions", "--days", 1).stdout


def test_a_table_shows_what_is_significant_and_the_rest_when_asked(analysed_once):
    rows = analysed_once.json("trends")
    significant = [row for row in rows if row["verdict"] in ("better", "worse", "rising", "falling")]
    assert len(significant) < len(rows)
    rest = len(rows) - len(significant)
    shown = analysed_once.call("trends").stdout
    assert f"{rest} rows without evidence not shown; --all shows them" in shown or rest == 1
    assert "no trend" not in shown
    assert "no trend" in analysed_once.call("trends", "--all").stdout


def test_names_cannot_steer_a_terminal(analysed):
    (file,) = (analysed.home / "snapshots").glob("snapshot-*.duckdb")
    with duckdb.connect(str(file)) as con:
        con.execute("UPDATE metric_series SET title = 'a\x1b[31m' || chr(8238) || 'b' || chr(10) || 'c'")
    shown = analysed.call("trends", "--all").stdout
    assert "a�[31m�b c" in shown
    assert "\x1b[31m" not in shown


@pytest.mark.parametrize("name", LISTINGS)
def test_before_the_first_run_there_is_nothing_to_show(name, site):
    result = site.call(name)
    assert result.exit_code == 3
    assert "no snapshot in" in result.stderr
    assert "run `perf-assets run` first" in result.stderr


def test_a_table_that_is_cut_says_so_and_json_is_whole(analysed_once):
    whole = analysed_once.json("trends")
    assert len(whole) > 1
    assert f"1 of {len(whole)}; --limit shows more" in analysed_once.call("trends", "--all", "--limit", "1").stdout
    assert len(analysed_once.json("trends", "--limit", "1")) == 1


def test_results_of_another_version_are_to_be_analysed_anew(analysed):
    (file,) = (analysed.home / "snapshots").glob("snapshot-*.duckdb")
    with duckdb.connect(str(file)) as con:
        con.execute("ALTER TABLE breach_outlook DROP COLUMN level_by_30")
    result = analysed.call("forecast")
    assert result.exit_code == 2
    assert "run `perf-assets run` first" in " ".join(result.output.split())
