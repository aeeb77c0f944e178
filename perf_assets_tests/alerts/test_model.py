"""What alerts say about regressions and failed runs."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perf_assets.alerts.model import alerts_from_regressions, failed_run_alert
from perf_assets.wording import findings

ROW = {
    "regression_id": 2**62 + 1,
    "scope": "test",
    "scope_name": "checkout_flow",
    "reach": "on 20 nodes",
    "cause": "code",
    "kind": "regression",
    "state": "confirmed",
    "part_of_day": None,
    "project": "shop",
    "metric": "test_execution_time",
    "unit": "s",
    "test_name": "checkout_flow",
    "node_id": None,
    "node_type": None,
    "before": 12.0,
    "after": 13.68,
    "change": 0.14,
    "change_low": 0.11,
    "change_high": 0.17,
    "q_value": 0.00012,
    "last_good_run": "r-100",
    "first_bad_run": "r-101",
    "last_good_at": pd.Timestamp("2026-09-10 05:00"),
    "first_bad_at": pd.Timestamp("2026-09-10 06:00"),
    "first_bad_commit": "abc1234",
    "members": 20,
    "explanation": "checkout_flow takes 14 % longer on all 20 nodes.",
    "simulated": False,
}


def table(*rows: dict) -> pd.DataFrame:
    frame = pd.DataFrame([ROW | row for row in rows], columns=list(ROW))
    return frame.astype({"regression_id": "int64", "first_bad_at": "datetime64[us]", "last_good_at": "datetime64[us]"})


def title(**changes: object) -> str:
    return alerts_from_regressions(table(changes))[0].title


def test_alert_of_a_regression():
    (alert,) = alerts_from_regressions(table({}), link="http://ci/report.html")
    assert alert.alert_id == "regression-4611686018427387905"
    where, size = "Regression in checkout_flow on 20 nodes", "test execution time +14 %"
    assert alert.title == f"{where}: {size} since 2026-09-10 06:00 UTC (code, 20 series)"
    assert alert.summary == ROW["explanation"]
    assert alert.severity == "regression"
    assert alert.link == "http://ci/report.html"
    assert alert.happened_at == datetime(2026, 9, 10, 6, tzinfo=UTC)
    facts = dict(alert.facts)
    assert facts["Before and after"] == "12 s → 13.7 s"
    assert facts["Change"] == "+14 % (95 % interval +11 % to +17 %)"
    assert facts["First bad run"] == "r-101, 2026-09-10 06:00 UTC"
    assert facts["First bad commit"] == "abc1234"
    assert "Node" not in facts


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"change": -0.2, "kind": "improvement"},
            "Improvement in checkout_flow on 20 nodes: test execution time -20 %",
        ),
        ({"change": 0.0349}, "Regression in checkout_flow on 20 nodes: test execution time +3.49 % since"),
        ({"change": 11.4}, ": test execution time 12.4 times the old level since"),
        ({"metric": "memory_usage", "unit": "By"}, ": memory usage +14 % since"),
        ({"metric": "queue_wait_time"}, ": queue wait time +14 % since"),
        ({"change": float("inf"), "before": 0.0, "after": 3.0}, ": test execution time 0 s to 3 s since"),
        ({"change": float("nan"), "unit": "1"}, ": test execution time 12 to 13.7 since"),
        ({"cause": "unknown", "members": 1}, "(cause unknown)"),
        ({"scope": "node_type", "scope_name": "arm-large", "cause": "environment"}, "(environment, 20 series)"),
        (
            {"scope": "runner_image", "scope_name": "2026.10.2", "cause": "environment"},
            "Regression in runner image 2026.10.2: test execution time +14 % since",
        ),
        (
            {"scope": "commit", "scope_name": "abc1234", "members": 12, "reach": "of suite x"},
            "Regression in 12 series of suite x at commit abc1234: test execution time +14 % since",
        ),
        ({"reach": "in 2 suites (a, b)"}, "Regression in checkout_flow in 2 suites (a, b): "),
        ({"reach": f"in 2 suites (a, {'b' * 60})"}, "Regression in checkout_flow in 2 suites: "),
        ({"part_of_day": "night 00-06 UTC"}, "checkout_flow on 20 nodes (night 00-06 UTC): "),
        ({"first_bad_at": pd.NaT}, ": test execution time +14 % (code"),
    ],
)
def test_titles(changes, expected):
    assert expected in title(**changes)


@pytest.mark.parametrize(
    ("metric", "unit", "before", "after", "words"),
    [
        ("memory_usage", "By", 88e6, 102e6, "88 MB → 102 MB"),
        ("latency", "s", 0.00125, 0.0015, "1.25 ms → 1.5 ms"),
        ("test_failure_rate", "1", 0.0199, 0.0472, "1.99 % → 4.72 %"),
        ("temperature", "Cel", 61.0, 74.5, "61 °C → 74.5 °C"),
        ("throughput", "{test}/h", 1200.0, 900.0, "1,200 test/h → 900 test/h"),
    ],
)
def test_levels_are_written_as_in_the_report(metric, unit, before, after, words):
    row = {"metric": metric, "unit": unit, "before": before, "after": after}
    (alert,) = alerts_from_regressions(table(row))
    assert dict(alert.facts)["Before and after"] == words
    assert words.replace("→", "to") == findings.levels(SimpleNamespace(**(ROW | row)))


def test_a_runner_image_is_a_fact_of_its_own():
    (alert,) = alerts_from_regressions(table({"scope": "runner_image", "scope_name": "2026.10.2"}))
    assert ("Runner image", "2026.10.2") in alert.facts
    assert "Runner image" not in dict(alerts_from_regressions(table({}))[0].facts)


def test_simulated_data_is_labelled_in_title_and_facts():
    (alert,) = alerts_from_regressions(table({"simulated": True}))
    assert alert.simulated
    assert alert.title.startswith("[simulated] Regression in checkout_flow")
    assert ("Data", "simulated, not measured") in alert.facts


def test_only_confirmed_rows_newest_first():
    rows = table(
        {"regression_id": 1, "first_bad_at": pd.Timestamp("2026-01-01")},
        {"regression_id": 2, "state": "suspected"},
        {"regression_id": -3, "first_bad_at": pd.Timestamp("2026-03-01"), "kind": "improvement"},
        {"regression_id": 4, "first_bad_at": pd.NaT},
    )
    alerts = alerts_from_regressions(rows)
    assert [alert.alert_id for alert in alerts] == ["regression--3", "regression-1", "regression-4"]
    assert [alert.severity for alert in alerts] == ["improvement", "regression", "regression"]


def test_no_regressions_no_alerts():
    assert alerts_from_regressions(table()) == []


def test_failed_run():
    alert = failed_run_alert("run-1", "daily_analysis", "", datetime(2026, 9, 10, 6))  # noqa: DTZ001 - naive is UTC
    assert alert.alert_id == "failed-run-run-1"
    assert alert.title == "Run of daily_analysis failed at 2026-09-10 06:00 UTC"
    assert alert.summary == "The run left no error message."
    assert alert.severity == "failure"


@given(
    change=st.floats(),
    before=st.floats(),
    unit=st.sampled_from(["s", "1", "By", None]),
    scope=st.sampled_from(["series", "test", "node", "node_type", "runner_image", "environment", "commit"]),
    explanation=st.none() | st.text(),
)
def test_any_number_makes_a_title_of_one_line(change, before, unit, scope, explanation):
    changes = {"change": change, "before": before, "unit": unit, "scope": scope, "explanation": explanation}
    assert "\n" not in title(**changes)
