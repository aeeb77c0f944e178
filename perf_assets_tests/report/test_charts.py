"""Charts are rendered for real; their words are looked for in the SVG, their size in the PNG."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET
from html import unescape
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from perf_assets.analysis.durations import run_outliers, scenario_efficiency
from perf_assets.report import charts
from perf_assets.report.charts.scenarios import covers_any, placed_labels
from perf_assets.report.charts.trends import fitted_line
from perf_assets.report.theme import LARGEST_PNG, MOST_POINTS, extent_about, labels, reduced, scale_of, wrapped
from perf_assets.wording.findings import short
from perf_assets_tests.report.snapshots import START, forecast

RANDOM = np.random.default_rng(20261121)


def words(chart: charts.Chart) -> str:
    """All text of the SVG, which must be well-formed."""
    drawn = charts.svg(chart)
    root = ET.fromstring(drawn)  # noqa: S314 - our own output
    return " ".join(unescape(text).replace("\N{NO-BREAK SPACE}", " ") for text in root.itertext() if text.strip())


def scenario_runs(count: int, scenarios: int) -> pd.DataFrame:
    nodes = RANDOM.uniform(100, 900, count)
    return pd.DataFrame(
        {
            "project": "p", "run_id": range(count), "scenario": [f"scenario_{i % scenarios}" for i in range(count)],
            "nodes": nodes, "edges": RANDOM.uniform(1e3, 2e4, count), "observations": RANDOM.uniform(1, 400, count),
            "risks": RANDOM.integers(0, 3, count).astype(float), "duration": 200 + nodes + RANDOM.normal(0, 90, count),
        }
    )  # fmt: skip


def correlations(metrics: int, rho: float, q_value: float) -> pd.DataFrame:
    names = [f"metric_{number}" for number in range(metrics)]
    pairs = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
    return pd.DataFrame(pairs, columns=["metric_a", "metric_b"]).assign(
        project="p", node_id="whole project", rho=rho, rho_low=rho - 0.1, rho_high=rho + 0.1, q_value=q_value, lag=0
    )


def node_scores(count: int) -> pd.DataFrame:
    score = np.linspace(90.0, 10.0, count)
    return pd.DataFrame(
        {
            "project": "p", "node_id": [f"runner-with-quite-a-long-name-{i:03d}.eu-west.example" for i in range(count)],
            "node_type": [f"type-{i % 9}" for i in range(count)], "score": score, "score_low": score - 4,
            "score_high": score + 4, "rank": range(1, count + 1), "slowdown": (50 - score) / 100, "tests": 9,
            "healthy": [i % 10 != 3 for i in range(count)], "reason": "slower than its peers",
        }
    )  # fmt: skip


def change(values: pd.DataFrame, part_of_day: str = "all day") -> charts.Chart | None:
    at = values["ts"].iloc[len(values) // 2]
    return charts.change_chart(values, 0.012, 0.015, at, "login: +25 %", "s", part_of_day, metric="test_execution_time")


@pytest.fixture
def daily() -> pd.DataFrame:
    return pd.DataFrame({"ts": pd.date_range(START, periods=60), "value": np.repeat([0.012, 0.015], 30)})


def height_of(chart: charts.Chart) -> float:
    """Pixels of the whole card."""
    found = re.search(r'<svg [^>]*height="([\d.]+)"', charts.svg(chart))
    assert found is not None
    return float(found[1])


def test_change_names_unit_levels_and_span(daily: pd.DataFrame) -> None:
    text = words(change(daily))
    for part in (
        "login: +25 %",
        "test execution time (ms)",
        "12 ms before, 15 ms after",
        "2026-09-01 to 2026-10-30 (UTC)",
    ):
        assert part in text


def test_change_of_a_part_of_the_day_says_which_and_keeps_the_rest(daily: pd.DataFrame) -> None:
    hourly = daily.assign(ts=pd.date_range(START, periods=60, freq="h"))
    assert "Dark: night 00-06 UTC; faint: the rest of the day." in words(change(hourly, "night 00-06 UTC"))


def test_change_says_what_lies_beyond_the_picture(daily: pd.DataFrame) -> None:
    daily.loc[7, "value"] = 40.0
    assert "1 value beyond the picture." in words(change(daily))


def step(count: int, before: float, after: float, at: int, noise: float = 0.03) -> pd.DataFrame:
    values = np.where(np.arange(count) < at, before, after) * np.exp(RANDOM.normal(0, noise, count))
    return pd.DataFrame({"ts": pd.date_range(START, periods=count, freq="h"), "value": values})


def drawn_change(values: pd.DataFrame, before: float, after: float, at: int) -> charts.Chart:
    return charts.change_chart(values, before, after, values["ts"].iloc[at], "login", "{request}", metric="requests")


def axes(chart: charts.Chart) -> list[dict[str, Any]]:
    """The scale of every layer with values."""
    layers = chart.to_dict(validate=False)["layer"]
    inner = [part for layer in layers for part in layer.get("layer", [layer])]
    return [part["encoding"]["y"]["scale"] for part in inner if "y" in part["encoding"]]


def axis(chart: charts.Chart) -> dict[str, Any]:
    """The one scale that all layers share."""
    first, *others = axes(chart)
    assert all(other == first for other in others)
    return first


@pytest.mark.parametrize("count", [30, 2_000])
@pytest.mark.parametrize(
    ("before", "after"), [(10.0, 800.0), (10.0, 0.125), (10.0, 11.0), (0.0, 5.0), (0.0, -5.0), (1e-6, 5.0), (7.0, 7.0)]
)
@pytest.mark.parametrize("new", [1, 5, 15])
def test_both_levels_of_a_change_are_in_the_picture(before: float, after: float, new: int, count: int) -> None:
    values = step(count, before, after, count - new)
    chart = drawn_change(values, before, after, count - new)
    low, high = axis(chart)["domain"]
    assert low < min(before, after)
    assert high > max(before, after)
    assert values["value"].between(low, high).all()
    assert height_of(chart) < 300


def test_levels_far_apart_are_on_a_logarithmic_axis() -> None:
    far = drawn_change(step(120, 10.0, 800.0, 115), 10.0, 800.0, 115)
    assert axis(far)["type"] == "log"
    assert "The axis is logarithmic." in words(far)
    for before, after in ((10.0, 150.0), (0.0, 800.0)):
        near = drawn_change(step(120, before, after, 115), before, after, 115)
        assert "type" not in axis(near)
        assert "logarithmic" not in words(near)


def test_stray_values_do_not_press_the_change_flat() -> None:
    for count, stray in ((300, 10), (30, 1), (12, 1)):
        values = step(count, 10.0, 12.0, 2 * count // 3)
        values.loc[: stray - 1, "value"] = RANDOM.uniform(1e3, 1e4, stray)
        chart = drawn_change(values, 10.0, 12.0, 2 * count // 3)
        low, high = axis(chart)["domain"]
        assert high - low < 20 * (12.0 - 10.0)
        assert f"{stray} value" in words(chart)
        assert "beyond the picture" in words(chart)
        assert height_of(chart) < 300


def test_values_that_are_a_tenth_of_all_are_in_the_picture() -> None:
    values = step(300, 10.0, 12.0, 200)
    values.loc[:40, "value"] = 200.0
    low, high = axis(drawn_change(values, 10.0, 12.0, 200))["domain"]
    assert low < 10.0
    assert high > 200.0


@given(
    st.lists(st.floats(-1e12, 1e12, allow_subnormal=False), min_size=1, max_size=60),
    st.floats(-1e12, 1e12, allow_subnormal=False),
    st.floats(-1e12, 1e12, allow_subnormal=False),
)
@example([3.3e-308], 1.0, 1.0)
def test_an_axis_has_both_levels_and_most_values(values: list[float], before: float, after: float) -> None:
    extent = extent_about(pd.Series(values), before, after)
    assert extent.low <= min(before, after) <= max(before, after) <= extent.high
    assert extent.low < extent.high
    assert extent.beyond(pd.Series(values)) <= 2 * math.ceil(0.1 * (len(values) - 1))
    assert not extent.logarithmic or extent.low > 0


def test_a_single_value_is_drawn_and_none_gives_nothing(daily: pd.DataFrame) -> None:
    assert "login" in words(change(daily.head(1)))
    at = daily["ts"].iloc[0]
    assert charts.change_chart(daily.head(0), 1.0, 2.0, at, "none", "s") is None


def test_fifty_thousand_points_are_reduced_with_their_extremes() -> None:
    many = pd.DataFrame({"ts": pd.date_range(START, periods=50_000, freq="min"), "value": RANDOM.normal(size=50_000)})
    table = reduced(many)
    assert len(table) <= MOST_POINTS
    assert table["low"].min() == many["value"].min()
    assert table["high"].max() == many["value"].max()
    assert len(charts.svg(change(many.assign(value=many["value"].abs())))) < 400_000


def test_names_with_markup_stay_text(daily: pd.DataFrame) -> None:
    name = "<script>alert('1')</script> & <b>"
    chart = charts.change_chart(daily, 0.012, 0.015, daily["ts"].iloc[30], name, "s", metric=name)
    drawn = charts.svg(chart)
    assert "<script" not in drawn
    assert name in words(chart)


def test_svg_takes_the_colour_of_the_page_and_shares_no_id_with_another(daily: pd.DataFrame) -> None:
    first = charts.svg(change(daily))
    second = charts.svg(change(daily.assign(value=daily["value"] * 2)))
    assert 'role="img" aria-label="login: +25' in first
    assert "currentColor" in first
    assert "http" not in first.replace("http://www.w3.org/", "")
    ids = [set(re.findall(r'\bid="([^"]+)"', drawn)) for drawn in (first, second)]
    assert ids[0]
    assert not ids[0] & ids[1]
    assert set(re.findall(r"url\(#([^)]+)\)", first)) <= ids[0]


def test_strongest_trends_say_how_much_a_week() -> None:
    ts = pd.date_range(START, periods=60)
    count = 1000
    trends = pd.DataFrame(
        {
            "series_id": range(count), "verdict": ["worse"] * 5 + ["better"] * 5 + ["no trend"] * (count - 10),
            "slope_per_day": 0.01, "slope_low": 0.008, "slope_high": 0.012, "change_per_week": 0.035, "q_value": 1e-5,
            "since": START + pd.Timedelta(days=20),
        }
    )  # fmt: skip
    series = pd.DataFrame(
        {"series_id": range(count), "title": [f"memory_usage · node-{i}" for i in range(count)],
         "metric": "memory_usage", "unit": "1", "simulated": True}
    )  # fmt: skip
    buckets = pd.concat(
        pd.DataFrame({"series_id": i, "ts": ts, "value": 0.5 + 0.01 * np.arange(60)}) for i in range(10)
    )
    chart = charts.strongest_trends(trends, series, buckets)
    text = words(chart)
    assert "Drifting for the worse: 5 of 1,000 series; for the better: 5" in text
    assert text.count("+3.5 % a week") == charts.MOST_PANELS
    assert "(simulated)" in text
    assert "memory usage (%)" in text
    assert charts.strongest_trends(trends.tail(5), series, buckets) is None
    assert len(charts.png(chart)) <= LARGEST_PNG


def test_the_band_of_a_trend_covers_the_line_it_was_made_from() -> None:
    ts = pd.date_range(START, periods=30)
    values = pd.DataFrame({"ts": ts, "value": 2.0 + 0.1 * np.arange(30)})
    row = pd.Series({"since": START, "slope_per_day": 0.1, "slope_low": 0.09, "slope_high": 0.11})
    line = fitted_line(row, values)
    assert line["mean"].iloc[0] == pytest.approx(2.0)
    assert line["mean"].iloc[-1] == pytest.approx(4.9)
    half = (line["high"] - line["low"]) / 2
    assert half.min() == pytest.approx(0.01 * np.arange(30).std(), rel=0.02)
    assert half.iloc[0] == pytest.approx(0.01 * np.hypot(np.arange(30).std(), 14.5))


def test_no_line_or_axis_leaves_where_values_can_be() -> None:
    ts = pd.date_range(START, periods=60)
    falling = np.maximum(30.0 - 0.8 * np.arange(60), 0.0)
    trends = pd.DataFrame(
        {
            "series_id": [1], "verdict": ["better"], "slope_per_day": [-0.8], "slope_low": [-0.9], "slope_high": [-0.7],
            "change_per_week": [-0.2], "q_value": [1e-5], "since": [START],
        }
    )  # fmt: skip
    series = pd.DataFrame(
        {"series_id": [1], "title": "made_up · a", "metric": "made_up", "unit": "{retry}", "simulated": False}
    )
    [panel] = charts.trend_panels(trends, series, pd.DataFrame({"series_id": 1, "ts": ts, "value": falling}))
    figures = [row for part in panel.to_dict()["datasets"].values() for row in part if "mean" in row]
    assert min(row["low"] for row in figures) == 0.0
    assert min(row["mean"] for row in figures) == 0.0
    free = fitted_line(next(trends.itertuples()), pd.DataFrame({"ts": ts, "value": falling}))
    assert free["mean"].min() < -1.0

    history = pd.DataFrame({"unique_id": "1", "ds": ts, "y": falling, "metric": "made_up", "unit": "{retry}"})
    ahead = forecast(1, 0.0)
    [panel] = charts.forecast_panels(history, ahead, {"1": "made_up"})
    assert panel.to_dict()["layer"][0]["encoding"]["y"]["scale"]["domain"][0] == 0.0
    [panel] = charts.forecast_panels(history.assign(y=falling - 5.0), ahead, {"1": "made_up"})
    assert panel.to_dict()["layer"][0]["encoding"]["y"]["scale"]["domain"][0] < -5.0


@pytest.mark.parametrize("metrics", [2, 12, 40])
def test_heatmap_names_every_metric(metrics: int) -> None:
    chart = charts.correlation_heatmap(correlations(metrics, 0.8, 0.001))
    text = words(chart)
    assert f"{metrics * (metrics - 1) // 2} of" in text
    for number in range(metrics):
        assert f"metric {number}" in text
    assert charts.png(chart)[:4] == b"\x89PNG"


def test_without_a_significant_pair_the_nearest_are_shown() -> None:
    text = words(charts.correlation_heatmap(correlations(12, 0.3, 0.6)))
    assert "None of 66 pairs of metrics moves together beyond chance" in text
    assert "ρ with 95 % interval" in text
    assert charts.correlation_heatmap(correlations(3, 0.3, 0.6).assign(node_id="one")) is None


def test_drivers_are_four_panels_with_their_correlations() -> None:
    runs = scenario_runs(30, 7)
    text = words(charts.driver_scatter(runs))
    r = np.corrcoef(runs["nodes"], runs["duration"])[0, 1]
    assert f"blast radius (nodes): r {r:.2f}" in text
    for part in ("edges: r", "observations: r", "risks: r", "duration (min)", "scenario_6"):
        assert part in text
    assert "others" in words(charts.driver_scatter(scenario_runs(100, 20)))
    assert "1 scenario run against" in words(charts.driver_scatter(runs.head(1)))
    assert charts.driver_scatter(runs.assign(duration=np.nan)) is None


def test_residuals_name_the_runs_furthest_off() -> None:
    runs = scenario_runs(30, 7)
    runs.loc[4, "duration"] *= 3
    text = words(charts.residuals(run_outliers(runs)))
    assert "scenario_4 +" in text
    assert "residual: actual minus expected (min)" in text
    assert "expected duration (min)" in text
    assert charts.residuals(run_outliers(runs).head(0)) is None


def test_labels_of_residuals_cover_no_other() -> None:
    runs = run_outliers(scenario_runs(1000, 30))
    own = runs.assign(expected=runs["expected"] / 60, residual=runs["residual"] / 60)
    placed = placed_labels(own, (0.0, 25.0), (-6.0, 6.0), 560, 300)
    boxes = []
    for row in placed.itertuples():
        x, y, length = row.expected / 25 * 560, (row.residual + 6) / 12 * 300, 6.2 * len(row.text)
        boxes.append((x, y - 7, x + length, y + 7) if row.align == "left" else (x - length, y - 7, x, y + 7))
    assert not any(covers_any(box, boxes[:number]) for number, box in enumerate(boxes))


def test_efficiency_has_a_scale_for_each_measure() -> None:
    table = scenario_efficiency(scenario_runs(60, 30))
    text = words(charts.efficiency(table))
    for part in ("s per 1,000 edges", "s per node", "s per observation", "The 25 least efficient of 30 scenarios."):
        assert part in text
    assert charts.efficiency(table.head(0)) is None


def test_model_choice_counts_series() -> None:
    models = pd.DataFrame(
        {"series_id": [1, 1, 2, 2], "model": ["linear_trend", "seasonal_naive"] * 2, "mase": [0.8, 1.1, 0.7, 1.2],
         "chosen": [True, False, True, False]}
    )  # fmt: skip
    text = words(charts.model_choice(models))
    assert "Linear trend has the most weight for 2 of 2 series" in text
    assert "median error (MASE)" in text
    assert charts.model_choice(models.head(0)) is None


def test_forecasts_and_breaches() -> None:
    history = pd.DataFrame({"unique_id": "7", "ds": pd.date_range(START, periods=60), "y": 0.85})
    ahead = forecast(7, 0.85)
    titles = {"7": "memory_usage · node-1"}
    text = words(charts.headline_forecasts(history, ahead, titles))
    assert "memory usage (%)" in text
    assert "80 and 95 % intervals" in text
    row = pd.DataFrame(
        {"series_id": [7], "limit_value": 0.9, "side": "upper", "last_value": 0.85, "already_breached": False,
         "breach_date": ahead["ds"].iloc[4], "earliest": ahead["ds"].iloc[2], "latest": pd.NaT, "level_by_30": 0.97,
         "horizon_end": ahead["ds"].iloc[-1]}
    )  # fmt: skip
    text = words(charts.breaches(row, history, ahead, titles))
    for part in ("will pass its limit about 2026-11-04", "Limit 90 %, now 85 %", "within 30 days with 97 %"):
        assert part in text
    calm = row.assign(breach_date=pd.NaT, earliest=pd.NaT, level_by_30=0.01)
    assert "No limit is about to be crossed" in words(charts.breaches(calm, history, ahead, titles))
    assert charts.breaches(row.head(0), history, ahead, titles) is None
    assert charts.headline_forecasts(history, ahead, {}) is None


def test_ranking_of_many_nodes_shows_both_ends() -> None:
    chart = charts.node_ranking(node_scores(200))
    text = words(chart)
    assert "The best 20 and the worst 20 of 200 nodes." in text
    assert "20 not fit for scheduling." in text
    assert "50 is the middle of the fleet" in text
    shown = [f"{number:03d}.eu-west.example" for number in (*range(20), *range(180, 200))]
    assert all(name in text for name in shown)
    assert len(charts.png(chart)) <= LARGEST_PNG
    assert "nothing to compare" in words(charts.node_ranking(node_scores(1).assign(node_type=None)))
    assert charts.node_ranking(node_scores(0)) is None


def test_schedule_names_tests_and_the_length_of_the_plan() -> None:
    plan = pd.DataFrame(
        {"project": "p", "node_id": ["a", "a", "b"], "position": [1, 2, 1], "test_name": ["login", "search", "export"],
         "predicted_duration": [60.0, 60.0, 90.0], "starts_after": [0.0, 60.0, 0.0]}
    )  # fmt: skip
    text = words(charts.schedule(plan))
    for part in ("3 tests on 2 nodes take 120 s", "login", "search", "export", "time from the start of the plan (s)"):
        assert part in text
    assert charts.schedule(plan.head(0)) is None


def test_members_are_a_strip() -> None:
    members = pd.DataFrame({"change": [0.1, 0.12, 0.2], "metric": ["cpu steal", "cpu steal", "load average"]})
    text = words(charts.member_strip(members, "metric", "3 series moved together"))
    assert "change of each series (%)" in text
    assert "load average" in text


@pytest.mark.parametrize(
    ("values", "unit", "factor", "label"),
    [
        ([0.00125], "s", 1e3, "ms"), ([4e-6], "s", 1e6, "µs"), ([400.0], "s", 1 / 60, "min"), ([2.0], "s", 1.0, "s"),
        ([88e6, 3.0], "By", 1e-6, "MB"), ([0.82], "1", 100.0, "%"), ([420.0], "1", 1.0, ""),
        ([12.0], "{test}/h", 1.0, "test/h"),
        ([], "By", 1.0, "B"),
    ],
)  # fmt: skip
def test_scale(values: list[float], unit: str, factor: float, label: str) -> None:
    scale = scale_of(values, unit)
    assert scale.factor == pytest.approx(factor)
    assert scale.label == label


def test_labels_are_short_and_distinct() -> None:
    names = [f"{'x' * 60}-{number}-{'y' * 60}" for number in range(30)]
    found = labels(names)
    assert len(set(found.values())) == 30
    assert max(map(len, found.values())) <= 34
    assert short("short") == "short"
    assert wrapped("up by 3 % today", 10, 1)[0].endswith("…")
