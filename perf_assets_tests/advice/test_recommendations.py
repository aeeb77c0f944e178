"""Recommendations: each kind from the rows that call for it, with evidence that exists and ids that stay."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from perf_assets.advice.recommendations import RECOMMENDATION_COLUMNS, breaches_ahead, recommend
from perf_assets_tests.advice.building import AS_OF, BREACH, SERIES, findings

MEMORY = {"metric": "memory_usage", "unit": "1", "test_name": None}
CASES = {
    "high_memory_usage": findings([MEMORY], breaches=[{}], trends=[{}]),
    "limit_breach": findings([{"metric": "disk_usage", "unit": "1", "test_name": None}], breaches=[{}], trends=[{}]),
    "runner_image_regression": findings(regressions=[{"scope": "node_type", "scope_name": "linux", "members": 9}]),
    "slow_node": findings(regressions=[{"scope": "node", "scope_name": "node-1", "members": 5}]),
    "slow_test_execution": findings(regressions=[{"scope": "test", "scope_name": "login", "members": 3}]),
    "queue_saturation": findings(regressions=[{"metric": "queue_wait_time", "part_of_day": "09:00 to 12:00"}]),
    "flaky_test": findings(regressions=[{"metric": "test_failure_rate", "unit": "1"}]),
    "regression": findings(regressions=[{"metric": "build_time"}]),
    "high_node_failure_rate": findings([{"metric": "node_failure_rate", "unit": "1"}], trends=[{"average_7d": 0.07}]),
    "metric_not_in_catalogue": findings([{"metric": "odd", "in_catalogue": False, "direction": "neutral"}]),
}


@pytest.mark.parametrize("kind", CASES)
def test_each_kind_comes_from_its_rows(kind):
    advice = recommend(CASES[kind])
    assert list(advice.columns) == list(RECOMMENDATION_COLUMNS)
    (row,) = advice.itertuples()
    assert (row.kind, row.state, row.project, row.rank) == (kind, "proposed", "fleet", 1)
    assert pd.Timestamp(row.as_of) == AS_OF
    for text in (row.title, row.action, row.expected_effect, row.subject):
        assert text
        assert not {"nan", "None", "NaT"} & set(text.replace(".", " ").replace(":", " ").split())


@pytest.mark.parametrize("kind", CASES)
def test_evidence_exists(kind):
    found = CASES[kind]
    rows = {
        "regressions": set(found.regressions["regression_id"].astype(str)),
        "breach_outlook": set(found.breaches["series_id"].astype(str)),
        "metric_trends": set(found.trends["series_id"].astype(str)),
        "metric_series": set(found.series["metric"]),
    }
    (evidence,) = recommend(found)["evidence"]
    for entry in json.loads(evidence):
        (key,) = set(entry) - {"table"}
        assert entry[key] in rows[entry["table"]]


@pytest.mark.parametrize("kind", CASES)
def test_ids_depend_on_kind_and_subject_alone(kind):
    (first,) = recommend(CASES[kind])["recommendation_id"]
    assert -(2**63) <= first < 2**63
    assert recommend(CASES[kind])["recommendation_id"].tolist() == [first]
    assert sum(first in recommend(found)["recommendation_id"].tolist() for found in CASES.values()) == 1


def test_an_image_is_to_be_rolled_back_by_its_name():
    (row,) = recommend(
        findings(regressions=[{"scope": "runner_image", "scope_name": "2026.10.2", "members": 31}])
    ).itertuples()
    assert (row.kind, row.subject) == ("runner_image_regression", "2026.10.2")
    assert row.title.startswith("Runner image 2026.10.2: test execution time +40 % since")
    assert row.action.startswith("Roll runner image 2026.10.2 back")


def test_ids_are_the_same_on_every_machine():
    assert recommend(CASES["slow_node"])["recommendation_id"].tolist() == [1734462351282280324]


def test_two_limits_of_one_node_are_two_proposals():
    other = SERIES["series_id"] + 1
    found = findings(
        [MEMORY | {"metric": "disk_usage"}, MEMORY | {"metric": "cpu_usage", "series_id": other}],
        breaches=[{}, {"series_id": other}],
        trends=[{}, {"series_id": other}],
    )
    assert recommend(found)["subject"].tolist() == ["disk usage of node-1", "cpu usage of node-1"]


@pytest.mark.parametrize(("node", "test", "place"), [("n", "t", "n"), (None, "t", "t"), (None, None, "fleet")], ids=str)
def test_a_limit_names_the_place_that_is_known(node, test, place):
    found = findings([MEMORY | {"node_id": node, "test_name": test}], breaches=[{}], trends=[{}])
    (row,) = recommend(found).itertuples()
    assert row.subject == place
    assert row.title == f"memory usage of {place} will pass its limit of 90 % about 2026-09-20"


def test_only_levels_that_more_likely_than_not_pass_count():
    assert breaches_ahead(findings(breaches=[{"level_by_30": 0.4, "value_by_30": 0.9}])).empty
    assert len(breaches_ahead(findings(breaches=[{"level_by_30": 0.5}]))) == 1
    assert len(breaches_ahead(findings(breaches=[{"already_breached": True, "level_by_30": 1.0}]))) == 1


def test_improvements_and_what_has_recovered_or_only_ends_an_improvement_need_no_action():
    assert recommend(findings(regressions=[{"kind": "improvement"}])).empty
    assert recommend(findings(regressions=[{"recovered_at": AS_OF}])).empty
    assert recommend(findings(regressions=[{"restores": True}])).empty


def test_the_most_urgent_comes_first_and_ranks_have_no_gaps():
    found = findings(
        [
            {},
            {"series_id": 5, "metric": "memory_usage"},
            {"series_id": 6, "metric": "odd", "in_catalogue": False, "direction": "neutral"},
        ],
        regressions=[{}, {"regression_id": 3, "first_bad_run": "run-7"}, {"scope": "node", "scope_name": "node-1"}],
        breaches=[BREACH | {"series_id": 5}],
        trends=[{"series_id": 5}],
    )
    advice = recommend(found)
    assert advice["kind"].tolist() == [
        "high_memory_usage", "slow_node", "slow_test_execution", "metric_not_in_catalogue",
    ]  # fmt: skip
    assert advice["rank"].tolist() == [1, 2, 3, 4]


def test_metrics_without_direction_are_one_recommendation_and_others_none():
    unknown = {"in_catalogue": False, "direction": "neutral"}
    series = [{"series_id": number, "metric": f"odd_{number}"} | unknown for number in range(1, 6)]
    told = {"series_id": 9, "metric": "told", "in_catalogue": False, "direction": "lower_is_better"}
    (row,) = recommend(findings([*series, told])).itertuples()
    assert row.title.startswith("odd_1, odd_2, odd_3 and others: not in the catalogue")
    assert "5 series" in row.action


def test_commits_are_named_where_they_are_known():
    commits = {"last_good_commit": "a" * 40, "first_bad_commit": "b" * 40}
    (action,) = recommend(findings(regressions=[commits]))["action"]
    assert "between the commits aaaaaaaaaaaa and bbbbbbbbbbbb" in action
    (action,) = recommend(findings(regressions=[{}]))["action"]
    assert "between the runs run-24 and run-25" in action


def test_of_one_commit_on_both_sides_the_environment_is_to_be_compared():
    same = {"last_good_commit": "a" * 40, "first_bad_commit": "a" * 40, "cause": "environment"}
    (row,) = recommend(findings(regressions=[same])).itertuples()
    assert row.kind == "environment_regression"
    assert row.action.startswith("Compare the environment between the runs run-24 and run-25.")
    assert "aaaa" not in row.action


def test_a_commit_names_the_series_that_it_changed():
    commits = {"last_good_commit": "a" * 40, "first_bad_commit": "b" * 40, "scope": "commit", "scope_name": "b" * 40}
    code = commits | {"members": 12, "cause": "code", "reach": "of suite x"}
    (row,) = recommend(findings(regressions=[code])).itertuples()
    assert (row.kind, row.subject) == ("regression", f"{'b' * 40} of suite x")
    assert row.title.startswith("12 series of suite x at commit bbbbbbbbbbbb: test execution time +40 % since")
    assert row.action.startswith("Look at the change between the commits aaaaaaaaaaaa and bbbbbbbbbbbb.")
    both = recommend(findings(regressions=[code, code | {"regression_id": 5, "reach": "of suite y"}]))
    assert len(both) == 2


def test_an_environment_is_to_be_compared():
    cpu = {"scope": "environment", "scope_name": "cpu_model EPYC 9V74", "members": 5, "cause": "environment"}
    (row,) = recommend(findings(regressions=[cpu])).itertuples()
    assert (row.kind, row.subject) == ("environment_regression", "cpu_model EPYC 9V74")
    assert row.title.startswith("cpu_model EPYC 9V74: test execution time +40 % since")
    assert row.action.startswith("Compare the environment between the runs run-24 and run-25.")


def test_suites_of_one_test_are_told_apart():
    titles = [f"test_execution_time · login · node-1 · {suite}" for suite in ("a", "b")]
    advice = recommend(findings(regressions=[{"scope_name": title} for title in titles]))
    assert [title.split(" is ")[0] for title in advice["title"]] == ["login · a", "login · b"]


def test_a_test_that_needs_more_memory_is_not_called_slow():
    memory = {"metric": "memory_usage", "unit": "1", "scope": "test", "scope_name": "login"}
    (row,) = recommend(findings(regressions=[memory])).itertuples()
    assert row.kind == "regression"


def test_a_duration_without_a_test_names_its_node():
    (row,) = recommend(findings(regressions=[{"test_name": None}])).itertuples()
    assert (row.subject, row.title.split(" is ")[0]) == ("node-1", "node-1")


def test_the_gain_is_what_is_lost_a_day():
    # 400 s longer, twice a day, in three series.
    longer = {"before": 1000.0, "after": 1400.0, "members": 3}
    (effect,) = recommend(findings(regressions=[longer]))["expected_effect"]
    assert effect == "40 min less a day over 3 series"
    (effect,) = recommend(findings(regressions=[{"before": 1.0, "after": 0.5}]))["expected_effect"]
    assert effect == "back to 1 s"


def test_nothing_found_is_nothing_proposed():
    assert recommend(findings([])).empty
    assert list(recommend(findings([])).columns) == list(RECOMMENDATION_COLUMNS)


def test_what_is_sure_comes_before_what_is_suspected_and_the_worst_first():
    changes = [
        {"regression_id": 1, "scope_name": "suspected", "change": 9.0, "state": "suspected"},
        {"regression_id": 2, "scope_name": "small", "change": 0.2},
        {"regression_id": 3, "scope_name": "large", "change": 0.9},
        {"regression_id": 4, "scope_name": "many", "change": 0.2, "members": 40},
    ]
    found = findings(regressions=[{"scope": "node", **change} for change in changes])
    assert recommend(found)["subject"].tolist() == ["many", "large", "small", "suspected"]


@pytest.mark.parametrize(
    ("metric", "action"),
    [
        ("node_failure_rate", "Look at why n fails (now 85 %), and drain it before then."),
        ("disk_usage", "Free disk space on n (now 85 %), or add some, before then."),
        ("swap_usage", "Find what drives swap usage on n (now 85 %) before then, or correct the limit."),
    ],
)
def test_what_to_do_at_a_limit_fits_the_metric(metric, action):
    found = findings([MEMORY | {"metric": metric, "node_id": "n"}], breaches=[{"last_value": 0.85}], trends=[{}])
    (row,) = recommend(found).itertuples()
    assert row.action == action
