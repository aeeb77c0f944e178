"""When series went over to another runner image or environment, when they were measured, and how steps and bounds reach
forecasts.
"""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

import pandas as pd
import pytest

from perf_assets.catalog import load_catalog
from perf_assets.settings import Incident
from perf_assets.tables import CHANGE_POINTS, REGRESSION_MEMBERS, REGRESSIONS, Table
from perf_assets.warehouse.forecast_readings import forecast_history, forecast_selection, with_bounds
from perf_assets.warehouse.incidents import declare_incidents
from perf_assets.warehouse.limits import metric_limits
from perf_assets.warehouse.readings import (
    drifting_buckets,
    environments,
    first_runs,
    image_changes,
    short_histories,
    steps_shown,
    stretches,
)
from perf_assets.warehouse.series import build_series
from perf_assets_tests.warehouse.building import START, Site, row


def on(hour: int, context: dict[str, Any] | None, **fields: Any) -> dict[str, Any]:
    """A result of a run of its own."""
    return row(1.0, run=f"r{hour}-{fields.get('node_id')}", hour=hour, context_data=context or {}, **fields)


def found(site: Site) -> list[tuple[str, float]]:
    """New image and hour, in order of time."""
    with site.warehouse.reading() as con:
        table = image_changes(con).sort_values(["since", "series_id"])
    assert list(table.columns) == ["series_id", "runner_image", "since"]
    return [
        (str(image), (pd.Timestamp(since) - START).total_seconds() / 3600)
        for image, since in zip(table["runner_image"], table["since"], strict=True)
    ]


def test_an_image_changes_where_the_one_before_was_another(site: Site) -> None:
    images = ["a", "a", "b", None, "b", "", "c", "a"]
    site.load([on(hour, {"runner_image": image}) for hour, image in enumerate(images)])
    assert found(site) == [("b", 2), ("c", 6), ("a", 7)]


def test_each_series_has_its_own(site: Site) -> None:
    site.load([on(hour, {"runner_image": "b" if hour >= 2 else "a"}, node_id="n1") for hour in range(4)])
    site.load([on(hour, {"runner_image": "b" if hour >= 3 else "a"}, node_id="n2") for hour in range(4)])
    assert found(site) == [("b", 2), ("b", 3)]


def test_nodes_of_one_run_may_be_on_different_images(site: Site) -> None:
    for hour, image in enumerate(["a", "b"]):
        site.load(
            [
                row(1.0, run=f"r{hour}", hour=hour, node_id=node, context_data={"runner_image": name})
                for node, name in (("n1", "a"), ("n2", image))
            ]
        )
    assert found(site) == [("b", 1)]


def test_other_names_count_where_the_first_is_not_there(site: Site) -> None:
    site.load([on(0, {"image": "a"}), on(1, {"image": "b"}), on(2, {"runner_image": "c", "image": "b"})])
    assert found(site) == [("b", 1), ("c", 2)]


def test_what_is_no_image_is_none(site: Site) -> None:
    site.load([on(hour, {"image_count": hour, "images_url": str(hour)}) for hour in range(3)])
    assert found(site) == []


def test_results_without_context_have_none(site: Site) -> None:
    site.load([row(1.0, run=f"r{hour}", hour=hour) for hour in range(3)])
    assert found(site) == []


def test_inside_an_incident_no_image_changes(site: Site) -> None:
    site.load([on(hour, {"runner_image": "b" if hour in (2, 3) else "a"}) for hour in range(6)])
    inside = {"from": START.isoformat() + "Z", "to": "2026-09-01T04:00Z", "reason": "a bad image"}
    with site.warehouse.transaction() as con:
        declare_incidents(con, [Incident.model_validate(inside)])
    assert found(site) == []


def test_runs_side_by_side_on_two_images_are_no_change(site: Site) -> None:
    site.load(
        [
            row(1.0, run=f"r{hour}-{image}", hour=hour, context_data={"runner_image": image})
            for hour in range(3)
            for image in ("a", "b")
        ]
    )
    site.load([row(1.0, run="r3-c", hour=3, context_data={"runner_image": "c"})])
    assert found(site) == [("c", 3)]


def test_an_image_that_another_result_of_the_run_names_is_not_ones_own(site: Site) -> None:
    site.load([on(0, {"runner_image": "a"}, node_id="n1")])
    contexts = {"n1": {"os": "linux"}, "n2": {"image": "b"}}
    site.load([row(1.0, run="r1", hour=1, node_id=node, context_data=context) for node, context in contexts.items()])
    assert found(site) == []


Stretch = tuple[str, str, float, int, int, float, float]


def surroundings(site: Site) -> list[Stretch]:
    """field, setting, hour, position, stop, first, last; in order of series."""
    with site.warehouse.reading() as con:
        table = environments(con)
    since = (pd.to_datetime(table["since"]) - pd.Timestamp(START)).dt.total_seconds() / 3600
    told = table.assign(since=since)[["field", "setting", "since", "position", "stop", "first", "last"]]
    return [tuple(row) for row in told.itertuples(index=False)]


def measured_on(site: Site, contexts: list[dict[str, Any]], **fields: Any) -> None:
    """A run an hour, with its number as value."""
    site.load(
        [
            row(float(hour), run=f"r{hour}", hour=hour, context_data=context, **fields)
            for hour, context in enumerate(contexts)
        ]
    )


def test_a_field_has_its_setting_until_another_comes(site: Site) -> None:
    models = ["a"] * 12 + ["b"] * 3 + ["a"]
    measured_on(site, [{"cpu_model": model, "os": "linux", "build": n} for n, model in enumerate(models)])
    assert surroundings(site) == [
        ("cpu_model", "a", 0.0, 0, 12, 4.5, 6.5),
        ("cpu_model", "b", 12.0, 12, 15, 13.0, 13.0),
        ("cpu_model", "a", 15.0, 15, 16, 15.0, 15.0),
    ]


def test_what_lies_deeper_is_named_by_its_place(site: Site) -> None:
    measured_on(site, [{"machine": {"cpu": "a" if n < 4 else "b", "cores": 8}} for n in range(8)])
    assert [(field, setting, position) for field, setting, _, position, *_ in surroundings(site)] == [
        ("machine.cpu", "a", 0), ("machine.cpu", "b", 4),
    ]  # fmt: skip


def test_runs_that_do_not_tell_end_no_setting(site: Site) -> None:
    known = {2: {}, 3: {"cpu": None}, 4: {"cpu": ""}}
    measured_on(site, [known.get(n, {"cpu": "a" if n < 6 else "b"}) for n in range(10)])
    assert [stretch[:5] for stretch in surroundings(site)] == [("cpu", "a", 0.0, 0, 6), ("cpu", "b", 6.0, 6, 10)]


def test_a_field_that_is_new_at_nearly_every_commit_explains_nothing(site: Site) -> None:
    measured_on(site, [{"url": f"u{n // 6}", "cpu": "a" if n < 18 else "b"} for n in range(36)])
    site.load(
        [
            row(1.0, run=f"c{n}", hour=n, test_name="again", commit_id=f"c{n // 6}",
                context_data={"url": f"u{n // 6}", "cpu": "a" if n < 18 else "b"})
            for n in range(36)
        ]
    )  # fmt: skip
    assert {(field, series) for field, series in _fields(site)} == {
        ("cpu", "again"),
        ("cpu", "login"),
        ("url", "login"),
    }


def _fields(site: Site) -> list[tuple[str, str]]:
    with site.warehouse.reading() as con:
        told = environments(con)
    names = site.warehouse.query("SELECT series_id, test_name FROM series").set_index("series_id")["test_name"]
    return list(zip(told["field"], told["series_id"].map(names), strict=True))


def test_a_field_that_goes_to_and_fro_explains_nothing(site: Site) -> None:
    measured_on(site, [{"cpu": "ab"[n % 2]} for n in range(20)])
    assert surroundings(site) == []


def test_results_have_their_own_environment_where_they_name_one(site: Site) -> None:
    for hour in range(8):
        site.load(
            [
                row(1.0, run=f"r{hour}", hour=hour, node_id=node, context_data={"cpu": cpu})
                for node, cpu in (("n1", "a"), ("n2", "a" if hour < 4 else "b"))
            ]
        )
    assert [(setting, position) for _, setting, _, position, *_ in surroundings(site)] == [("a", 0), ("b", 4)]


@pytest.mark.parametrize(
    ("hours", "expected"),
    [
        (range(5), [(0, 4)]),
        ([7], [(7, 7)]),
        ([*range(0, 240, 24), *range(24 * 365, 24 * 370, 24)], [(0, 216), (24 * 365, 24 * 369)]),
        ([0, *range(24 * 365, 24 * 370, 24)], [(0, 0), (24 * 365, 24 * 369)]),
        (range(0, 24 * 70, 24 * 7), [(0, 24 * 63)]),
        ([day * 24 * 7 + run for day in range(6) for run in range(6)], [(0, 24 * 35 + 5)]),
        ([0, 1, 2, 3, 39], [(0, 39)]),
    ],
)
def test_a_long_pause_ends_a_stretch(site: Site, hours: Any, expected: list[tuple[int, int]]) -> None:
    site.load([row(1.0, run=f"r{hour}", hour=hour) for hour in hours], received_at=datetime(2030, 1, 1))  # noqa: DTZ001
    with site.warehouse.reading() as con:
        table = stretches(con)
    found = [
        tuple(int((pd.Timestamp(at) - START).total_seconds() / 3600) for at in each)
        for each in table[["since", "until"]].itertuples(index=False)
    ]
    assert found == expected


def test_every_step_that_a_report_shows_is_one_and_no_drift_is(site: Site) -> None:
    """Changes of one series each: 1 sure and no finding, 2 and 3 suspected findings, 4 a drift, 5 neither."""
    hours = [START + pd.Timedelta(hours=number) for number in range(7)]
    sharp, confirmed = {1, 2, 5, 6}, {1, 3, 4}
    numbers = (1, 2, 3, 4, 5, 6)
    changes = _rows(CHANGE_POINTS, [
        {"series_id": n, "index_run_id": n, "changed_at": hours[n], "sharp": n in sharp, "confirmed": n in confirmed}
        for n in numbers
    ])  # fmt: skip
    findings = _rows(REGRESSIONS, [
        {"regression_id": n, "series_id": n, "recovered_at": hours[6] if n == 2 else None} for n in (2, 3, 4)
    ])  # fmt: skip
    ended = _rows(CHANGE_POINTS, [{"series_id": 2, "index_run_id": 9, "changed_at": hours[6], "sharp": True,
                                   "confirmed": False}])  # fmt: skip
    members = _rows(REGRESSION_MEMBERS, [
        {"regression_id": n, "series_id": n, "changed_at": hours[n]} for n in (2, 3, 4)
    ])  # fmt: skip
    site.warehouse.replace(
        (CHANGE_POINTS, pd.concat([changes, ended])), (REGRESSIONS, findings), (REGRESSION_MEMBERS, members)
    )

    def shown() -> list[tuple[int, int]]:
        with site.warehouse.reading() as con:
            rows = con.execute(f"SELECT series_id, hour(changed_at) FROM ({steps_shown(con)}) ORDER BY ALL")  # noqa: S608
            return rows.fetchall()

    with site.warehouse.transaction() as con:
        con.execute("ALTER TABLE regressions DROP COLUMN IF EXISTS shape")
    assert shown() == [(1, 1), (2, 2), (2, 6)]
    with site.warehouse.transaction() as con:
        con.execute("ALTER TABLE regressions ADD COLUMN shape VARCHAR")
        con.execute("UPDATE regressions SET shape = CASE WHEN regression_id = 4 THEN 'drift' ELSE 'step' END")
    assert shown() == [(1, 1), (2, 2), (2, 6), (3, 3)]


def test_the_history_of_a_forecast_knows_steps_and_bounds(site: Site) -> None:
    site.load([row(0.5, run=f"r{day}", hour=24 * day) for day in range(20)])
    with site.warehouse.transaction() as con:
        build_series(con, load_catalog())
    [series_id] = site.warehouse.query("SELECT series_id FROM metric_series")["series_id"]
    stepped = START + pd.Timedelta(days=7)
    change = {"series_id": series_id, "index_run_id": 1, "changed_at": stepped, "sharp": True, "confirmed": True}
    later = change | {"changed_at": START + pd.Timedelta(days=9), "index_run_id": 2, "confirmed": False}
    site.warehouse.replace((CHANGE_POINTS, _rows(CHANGE_POINTS, [change, later])))
    with site.warehouse.reading() as con:
        selection = forecast_selection(con, metric_limits(load_catalog(), {}), [], 0)
        history = with_bounds(forecast_history(con, selection.series), load_catalog())
    assert set(history["stepped_at"]) == {stepped}
    assert set(zip(history["lowest"], history["highest"], strict=True)) == {(0.0, math.inf)}
    assert with_bounds(history.iloc[:0].drop(columns=["lowest", "highest"]), load_catalog()).empty


def daily(site: Site, **tests: list[float]) -> dict[str, int]:
    """Load values a day apart of each test; the ids of their series."""
    for name, values in tests.items():
        rows = [
            row(value, run=f"{name}-{day}", hour=24 * day, test_name=name, commit_id=f"c{day}")
            for day, value in enumerate(values)
        ]
        site.load(rows, received_at=datetime(2030, 1, 1))  # noqa: DTZ001
    with site.warehouse.transaction() as con:
        build_series(con, load_catalog())
    table = site.warehouse.query("SELECT test_name, series_id FROM metric_series")
    return dict(zip(table["test_name"], table["series_id"], strict=True))


NO_STEPS = pd.DataFrame({"series_id": [], "changed_at": []}).astype(
    {"series_id": "int64", "changed_at": "datetime64[us]"}
)


def test_only_series_whose_last_quarter_is_off_the_first_may_drift(site: Site) -> None:
    flat, middle = [10.0] * 40, [10.0] * 10 + [20.0] * 20 + [10.0] * 10
    rising, falling = [10.0 + 0.1 * day for day in range(40)], [10.0 - 0.1 * day for day in range(40)]
    ids = daily(site, flat=flat, middle=middle, rising=rising, falling=falling)
    with site.warehouse.reading() as con:
        table = drifting_buckets(con, NO_STEPS, 0.05)
        assert drifting_buckets(con, NO_STEPS, 0.5).empty
    assert list(table.columns) == ["series_id", "ts", "value"]
    assert set(table["series_id"]) == {ids["rising"], ids["falling"]}
    assert table[table["series_id"] == ids["rising"]]["value"].tolist() == rising
    assert (table.groupby("series_id")["ts"].diff().dropna() == pd.Timedelta(days=1)).all()


def test_a_step_is_no_drift_and_what_follows_it_is_held_against_itself(site: Site) -> None:
    stepped = [10.0] * 20 + [14.0] * 20
    then_rising = [10.0] * 20 + [14.0 + 0.2 * day for day in range(20)]
    ids = daily(site, stepped=stepped, then_rising=then_rising, rising=[10.0 + 0.1 * day for day in range(40)])
    at = START + pd.Timedelta(days=20)
    steps = pd.DataFrame({"series_id": [ids["stepped"], ids["then_rising"]], "changed_at": [at, at]})
    earlier = steps.assign(changed_at=START + pd.Timedelta(days=3))
    with site.warehouse.reading() as con:
        assert set(drifting_buckets(con, steps, 0.05)["series_id"]) == {ids["then_rising"], ids["rising"]}
        # The last step counts, whichever row comes first.
        both = drifting_buckets(con, pd.concat([steps, earlier]), 0.05)
        assert set(both["series_id"]) == {ids["then_rising"], ids["rising"]}
        assert len(drifting_buckets(con, NO_STEPS, 0.05)["series_id"].unique()) == 3


def test_series_around_zero_are_read_without_a_share(site: Site) -> None:
    ids = daily(site, zero=[0.0] * 20 + [5.0] * 20, always=[0.0] * 40)
    with site.warehouse.reading() as con:
        assert ids["zero"] in set(drifting_buckets(con, NO_STEPS, 0.05)["series_id"])


def test_the_first_run_from_a_moment_on_is_found_by_series(site: Site) -> None:
    ids = daily(site, one=[1.0] * 6, two=[2.0] * 6)
    moments = [START + pd.Timedelta(days=after) for after in (2.5, 0, 99, 4)]
    with site.warehouse.reading() as con:
        table = first_runs(con, [ids["two"], ids["one"], ids["one"], ids["one"]], moments)
        assert first_runs(con, [], []).empty
    assert table[["run_key", "commit_id"]].astype(object).where(table.notna(), None).to_numpy().tolist() == [
        ["two-3", "c3"], ["one-0", "c0"], [None, None], ["one-4", "c4"],
    ]  # fmt: skip


@pytest.mark.parametrize(("size", "short"), [(3, False), (4, True), (60, True), (61, False)])
def test_short_histories_are_those_that_prove_nothing_alone(site: Site, size: int, short: bool) -> None:
    ids = daily(site, only=[float(day) for day in range(size)])
    with site.warehouse.reading() as con:
        table = short_histories(con)
    assert list(table.columns) == ["series_id", "ts", "value", "run_key", "commit_id"]
    assert table["value"].tolist() == ([float(day) for day in range(size)] if short else [])
    if short:
        assert set(table["series_id"]) == set(ids.values())
        assert table["run_key"].iloc[-1] == f"only-{size - 1}"
        assert table["commit_id"].iloc[0] == "c0"


def test_measurements_inside_an_incident_are_no_history(site: Site) -> None:
    daily(site, only=[float(day) for day in range(8)])
    inside = {"from": START.isoformat() + "Z", "to": "2026-09-03T00:00Z", "reason": "a bad image"}
    with site.warehouse.transaction() as con:
        declare_incidents(con, [Incident.model_validate(inside)])
        build_series(con, load_catalog())
    with site.warehouse.reading() as con:
        assert short_histories(con)["value"].tolist() == [2.0, 3.0, 4.0, 5.0, 6.0, 7.0]
        [series_id] = con.execute("SELECT series_id FROM metric_series").fetchall()[0]
        assert first_runs(con, [series_id], [START])["run_key"].tolist() == ["only-2"]


def _rows(table: Table, rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Rows of `table`; what is not given is missing."""
    return pd.DataFrame([{column.name: values.get(column.name) for column in table.columns} for values in rows])
