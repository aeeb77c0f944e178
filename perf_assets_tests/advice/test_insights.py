"""Key insights: what is said about changes, limits and scenario runs, and that words follow figures."""

from __future__ import annotations

import json
import re

import numpy as np
import pandas as pd
import pytest

from perf_assets.advice.insights import INSIGHT_COLUMNS, Behaviour, key_insights
from perf_assets.advice.recommendations import Findings
from perf_assets.analysis.duration_models import drivers_and_models, judge
from perf_assets.analysis.durations import scenario_efficiency
from perf_assets.analysis.reporting import stopped_reporting
from perf_assets.catalog import load_catalog
from perf_assets.landing import Landing
from perf_assets.settings import Settings
from perf_assets.sources.files import _SCENARIO_RUNS
from perf_assets.tables import ANOMALIES, JOINT_ANOMALIES, PATTERN_CHANGES, SEASONAL_PATTERNS, Table
from perf_assets.warehouse import Warehouse
from perf_assets.warehouse.loading import Rules, load_files
from perf_assets.warehouse.readings import scenario_runs
from perf_assets.wording.findings import title as title_of
from perf_assets_tests.advice.building import AS_OF, findings
from perf_assets_tests.warehouse.building import RECEIVED_AT

NO_RUNS = pd.DataFrame(columns=["project", "run_id", "scenario", "duration", "nodes", "edges", "observations", "risks"])


def empty(table: Table) -> pd.DataFrame:
    return pd.DataFrame(columns=[column.name for column in table.columns])


def behaviour(**known: pd.DataFrame) -> Behaviour:
    """What is given; of everything else there is nothing."""
    nothing = {
        "stopped_reporting": stopped_reporting(pd.DataFrame()),
        "anomalies": empty(ANOMALIES),
        "joint_anomalies": empty(JOINT_ANOMALIES),
        "patterns": empty(SEASONAL_PATTERNS),
        "pattern_changes": empty(PATTERN_CHANGES),
    }
    return Behaviour(**(nothing | known))


def nothing_run(about: Findings, **known: pd.DataFrame) -> pd.DataFrame:
    """Insights where there are no scenario runs."""
    return key_insights(about, behaviour(**known), NO_RUNS, *drivers_and_models(NO_RUNS), scenario_efficiency(NO_RUNS))


def insights_of(runs: pd.DataFrame) -> pd.DataFrame:
    """Insights about scenario runs alone, by kind."""
    found = key_insights(findings([]), behaviour(), runs, *drivers_and_models(runs), scenario_efficiency(runs))
    return found.set_index("kind")


def made_up(noise: float, runs: int = 40) -> pd.DataFrame:
    """Runs whose duration follows nodes, edges and observations, but for noise (in s)."""
    random = np.random.default_rng(3)
    nodes, edges, observations = random.uniform(100, 1000, (3, runs))
    return pd.DataFrame(
        {
            "project": "own", "run_id": range(runs), "scenario": [f"scenario-{n % 4}" for n in range(runs)],
            "duration": nodes + 0.5 * edges + 2 * observations + noise * random.normal(size=runs),
            "nodes": nodes, "edges": edges, "observations": observations, "risks": 0.0,
        }
    )  # fmt: skip


@pytest.fixture(scope="module")
def sample_runs(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """The 14 real runs that come with the product."""
    home = tmp_path_factory.mktemp("home")
    settings = Settings(home=home)
    file = Landing(settings.landing).land(
        _SCENARIO_RUNS, name="scenario_runs.json", received_at=RECEIVED_AT, origin="sample"
    )
    warehouse = Warehouse(settings.database, settings.snapshots)
    list(load_files(warehouse, [file], Rules(load_catalog(), settings.identity, settings.quality), settings.scratch))
    with warehouse.reading() as con:
        return scenario_runs(con)


def test_the_samples_fit_is_called_unreliable_and_why(sample_runs):
    assert len(sample_runs) == 14
    row = insights_of(sample_runs).loc["prediction_accuracy"]
    assert row["title"] == "Duration is not explained reliably by what is recorded"
    assert "New runs do not show that it explains anything." in row["text"]
    assert "R² 0.76 of the linear model of nodes, edges and observations on the 14 runs it was" in row["text"]
    assert "does not carry over to runs it has not seen: 0.16 leaving each one out" in row["text"]
    assert "One run of lambda_timeout (12,010 edges) has a leverage of" in row["text"]
    # What a model without the run says, not what one run decides.
    assert "without it." in row["text"]
    assert "Without that run the model above has R²" in row["text"]
    assert "alone decides" not in row["text"]
    # 14 runs cannot exclude that what is recorded decides much of it.
    assert "has not been recorded" not in row["text"]
    assert row["text"].endswith("More runs will show how much nodes, edges, observations, risks, scenario decide.")


def in_time(runs: pd.DataFrame) -> pd.DataFrame:
    """With one run an hour."""
    return runs.assign(ts=pd.Timestamp("2026-09-01") + pd.to_timedelta(np.arange(len(runs)), "h"))


@pytest.mark.parametrize("when", [in_time, lambda runs: runs])
def test_recorded_causes_are_named_and_not_said_to_be_missing(when):
    random = np.random.default_rng(2)
    runs = when(made_up(6000.0, 60))
    risks = random.integers(0, 4, len(runs)).astype(float)
    of_risks = runs.assign(risks=risks, duration=500.0 + 400.0 * risks + 20 * random.normal(size=len(runs)))
    row = insights_of(of_risks).loc["prediction_accuracy"]
    assert "is well explained by" in row["title"]
    assert "risks" in row["title"]
    assert "% comes from risks (95 % interval" in row["text"]
    assert "has not been recorded" not in row["text"]
    scenario = runs.assign(duration=[500.0 + 300.0 * (n % 4) for n in range(len(runs))])
    scenario["duration"] += 20 * random.normal(size=len(runs))
    row = insights_of(scenario).loc["prediction_accuracy"]
    assert "is well explained by" in row["title"]
    assert "% comes from scenario (95 % interval" in row["text"]
    assert "A scenario that it has not seen is beyond the model." in row["text"]
    assert "has not been recorded" not in row["text"]


def test_a_cause_is_said_to_be_missing_where_no_model_explains_much():
    random = np.random.default_rng(4)
    runs = in_time(made_up(0.0, 200))
    noise = runs.assign(duration=500.0 + 20 * random.normal(size=len(runs)), risks=random.integers(0, 4, len(runs)))
    row = insights_of(noise).loc["prediction_accuracy"]
    assert row["title"] == "Duration is not explained reliably by what is recorded"
    assert "What decides most of it has not been recorded: no model of nodes, edges, observations, risks" in row["text"]
    assert "comes from" not in row["text"]


def test_claims_hold_for_runs_to_come():
    random = np.random.default_rng(3)
    claimed_more = []
    for _ in range(8):

        def drawn(count):
            edges = np.exp(random.normal(6, 1.5, count))
            nodes, observations = random.uniform(100, 900, count), random.uniform(50, 300, count)
            return in_time(pd.DataFrame(
                {"project": "own", "run_id": range(count), "scenario": "s", "nodes": nodes, "edges": edges,
                 "observations": observations, "risks": 0.0,
                 "duration": 300.0 * np.log(edges) + 250.0 * random.normal(size=count)}
            ))  # fmt: skip

        known, future = drawn(50), drawn(2_000)
        errors = future["duration"] - judge(known).expect(future)["expected"]
        truth = 1 - (errors**2).sum() / ((future["duration"] - future["duration"].mean()) ** 2).sum()
        row = insights_of(known).loc["prediction_accuracy"]
        least = re.search(r"explains at least (\d+) %", row["text"])
        claimed_more.append(
            ("well" in row["title"] and truth < 0.7)
            or ("partly" in row["title"] and truth < 0.35)
            or (least is not None and int(least[1]) / 100 > truth)
        )
    assert np.mean(claimed_more) <= 0.05


@pytest.mark.parametrize(
    ("noise", "words"),
    [(10.0, "is well explained"), (300.0, "is partly explained"), (6000.0, "is not explained reliably")],
)
def test_words_follow_the_lower_end_of_what_new_runs_bear_out(noise, words):
    runs = made_up(noise, 60)
    _, models = drivers_and_models(runs)
    row = insights_of(runs).loc["prediction_accuracy"]
    assert words in row["title"]
    chosen = models[models["chosen"]].iloc[0]
    assert f"R² {chosen['r_squared_left_out']:.2f} (95 % interval {chosen['r_squared_left_out_low']:.2f}" in row["text"]
    claim = f"It explains at least {int(100 * chosen['borne_out'])} % of how their durations differ."
    assert (claim in row["text"]) == (chosen["borne_out"] > 0)


def test_scenarios_are_compared(sample_runs):
    found = insights_of(sample_runs)
    means = sample_runs.groupby("scenario")["duration"].mean()
    assert found.loc["slowest_scenario", "title"] == f"Slowest scenario: {means.idxmax()}"
    assert found.loc["most_variable_scenario", "text"].endswith("run it again before acting.")
    assert "A correlation is no cause." in found.loc["strongest_predictor", "text"]


def test_no_runs_are_no_insights():
    assert nothing_run(findings([])).empty


def test_changes_and_limits_come_first_with_their_evidence():
    found = findings(
        [{"metric": "memory_usage", "unit": "1"}],
        regressions=[{"kind": "improvement", "regression_id": 7}, {"regression_id": 8}],
        breaches=[{}],
        trends=[{}],
    )
    runs = made_up(10.0)
    insights = key_insights(found, behaviour(), runs, *drivers_and_models(runs), scenario_efficiency(runs))
    assert list(insights.columns) == list(INSIGHT_COLUMNS)
    assert insights["kind"].tolist()[:3] == ["regression", "improvement", "breach"]
    assert insights["rank"].tolist() == list(range(1, len(insights) + 1))
    assert insights["insight_id"].is_unique
    assert json.loads(insights["evidence"][0]) == {"table": "regressions", "regression_id": "8"}
    assert "From 10 s to 14 s (+40 %, 95 % interval +38 % to +42 %), confirmed" in insights["text"][0]
    assert (
        "limit 90 %: its level passes it within 7 days with 10 %, within 30 days with 80 % (95 % interval of the day: "
        in insights["text"][2]
    )
    assert "2026-09-15 or later)" in insights["text"][2]
    assert "will pass its limit about 2026-09-20" in insights["title"][2]
    again = key_insights(found, behaviour(), runs, *drivers_and_models(runs), scenario_efficiency(runs))
    pd.testing.assert_frame_equal(again, insights)


def test_recovery_is_told():
    found = findings(regressions=[{"recovered_at": AS_OF}])
    (text,) = nothing_run(found)["text"]
    assert "confirmed, recovered 2026-09-10; last good run run-24, first of the new level run-25." in text


@pytest.mark.parametrize(
    ("scope", "part_of_day", "title"),
    [
        ("series", "all day", "x: +40 % since 2026-09-10 00:00 UTC"),
        ("test", "all day", "x in 3 suites (a, b, c): test execution time +40 % since 2026-09-10 00:00 UTC"),
        ("node", "all day", "node x: test execution time +40 % since 2026-09-10 00:00 UTC"),
        ("commit", "all day",
         "3 series in 3 suites (a, b, c) at commit x: test execution time +40 % since 2026-09-10 00:00 UTC"),
        ("environment", "all day", "x: test execution time +40 % since 2026-09-10 00:00 UTC"),
        ("runner_image", "all day", "runner image x: test execution time +40 % since 2026-09-10 00:00 UTC"),
        ("node_type", "by night", "all x nodes (by night): test execution time +40 % since 2026-09-10 00:00 UTC"),
    ],
)  # fmt: skip
def test_titles_name_what_moved(scope, part_of_day, title):
    changes = {"scope": scope, "scope_name": "x", "members": 3, "part_of_day": part_of_day,
               "reach": "in 3 suites (a, b, c)", "first_bad_commit": "x"}  # fmt: skip
    (row,) = findings(regressions=[changes]).regressions.itertuples()
    assert title_of(row) == title


def test_a_silent_node_is_one_insight_and_what_was_removed_is_none() -> None:
    silent = pd.DataFrame(
        {
            "series_id": [1, 2, 3],
            "project": "fleet",
            "title": ["cpu", "memory", "login"],
            "verdict": ["stopped_reporting", "stopped_reporting", "removed"],
            "scope": ["node", "node", "test"],
            "scope_name": ["linux-07", "linux-07", "login"],
            "members": [2, 2, 2],
            "last_seen": AS_OF - pd.Timedelta(days=3),
            "reports": 100,
            "expected_share": 0.5,
            "silent_hours": 48,
            "longest_gap_hours": 3,
            "probability": 1e-9,
            "simulated": False,
        }
    )

    def told(stopped: pd.DataFrame) -> pd.DataFrame:
        about = findings([{"project": "fleet"}])
        found = nothing_run(about, stopped_reporting=stopped)
        return found[found["kind"] == "stopped_reporting"].reset_index(drop=True)

    found = told(silent)
    assert found["title"][0].startswith("node linux-07 has not reported since ")
    assert len(found) == 1
    assert "2 series reported in 50 %" in found["text"][0]
    assert "none of the last 48" in found["text"][0]
    assert told(silent.assign(last_seen=AS_OF - pd.Timedelta(days=40))).empty


def test_a_change_of_pattern_is_news_where_few_of_its_kind_are_false() -> None:
    about = findings([{"series_id": 1, "project": "fleet", "title": "cpu"}, {"series_id": 2, "project": "fleet"}])
    sentence = "The daily pattern changed on 2026-06-13: before, peak 02:00 to 05:00; since then, peak 14:00 to 17:00."
    changes = pd.DataFrame(
        {
            "series_id": [1, 2], "period": "daily", "changed_at": pd.Timestamp("2026-06-13"), "p_value": 1e-6,
            "q_value": [0.05, 0.06], "before": "a", "after": "b", "sentence": sentence,
        }
    )  # fmt: skip
    found = nothing_run(about, pattern_changes=changes)
    (row,) = found[found["kind"] == "pattern_changed"].to_dict("records")
    assert row["title"] == "cpu: daily pattern changed on 2026-06-13"
    assert row["text"] == sentence
    assert json.loads(row["evidence"]) == {"table": "pattern_changes", "series_id": "1", "period": "daily"}


def test_what_was_unusual_lately_is_one_insight_and_what_is_old_is_none() -> None:
    about = findings(
        [{"series_id": 1, "project": "fleet", "title": "cpu", "unit": "1"}, {"series_id": 2, "project": "fleet"}]
    )
    day = pd.Timedelta(days=1)
    episodes = pd.DataFrame(
        {
            "series_id": [1, 1, 2], "episode_start": [AS_OF - n * day for n in (1, 2, 9)],
            "episode_end": [AS_OF - n * day for n in (1, 1, 8)],
            "buckets": 3, "score": [0.6, 0.9, 1.0], "value": [0.7, 0.95, 9.0], "expected": [0.5, 0.4, 1.0],
            "side": "high",
        }
    )  # fmt: skip
    found = nothing_run(about, anomalies=episodes)
    (row,) = found[found["kind"] == "anomalies"].to_dict("records")
    assert row["title"] == "1 series left the usual range in the last 7 days"
    assert row["text"] == "Furthest: cpu on 2026-09-08 00:00 UTC, 95 % where 40 % was expected, for 24 hours."
    assert json.loads(row["evidence"])["series_id"] == "1"
    assert nothing_run(about, anomalies=episodes.tail(1)).empty
    once = nothing_run(about, anomalies=episodes.head(1))["text"][0]
    assert once == "It is: cpu on 2026-09-09 00:00 UTC, 70 % where 50 % was expected, once."


def test_metrics_that_were_unusual_together_are_named_with_their_node() -> None:
    together = pd.DataFrame(
        {
            "project": "fleet", "node_id": "linux-07", "episode_start": [AS_OF - pd.Timedelta(hours=9)],
            "episode_end": AS_OF, "buckets": 10, "score": 3.0, "p_value": 1e-5, "q_value": 0.001,
            "metrics": "cpu_usage, load_average",
        }
    )  # fmt: skip
    (row,) = nothing_run(findings([{"project": "fleet"}]), joint_anomalies=together).to_dict("records")
    assert row["title"] == "Metrics of node linux-07 were unusual together on 2026-09-09"
    assert row["text"].startswith("cpu usage, load average, from 2026-09-09 15:00 UTC to 2026-09-10 00:00 UTC")
    assert "(q = .001)" in row["text"]


def test_patterns_are_counted_and_the_clearest_is_named() -> None:
    about = findings([{"series_id": n, "project": "fleet", "title": f"cpu of {n}"} for n in (1, 2, 3)])
    patterns = pd.DataFrame(
        {
            "series_id": [1, 2, 3, 1], "period": ["daily", "daily", "daily", "weekly"],
            "significant": [True, True, False, True], "p_value": 1e-6, "q_value": 1e-5,
            "strength": [0.2, 0.75, 0.01, 0.3], "amplitude": 1.0, "peak": "12:00 to 20:00, 16 % above the median",
            "trough": [None] * 4, "cycles": 60.0,
        }
    )  # fmt: skip
    (row,) = nothing_run(about, patterns=patterns).to_dict("records")
    assert row["title"] == "Series that repeat: 2 of 3 daily, 1 of 1 weekly"
    assert row["text"] == (
        "The clearest is the daily one of cpu of 2, 75 % of its variance: "
        "highest 12:00 to 20:00, 16 % above the median."
    )
    assert nothing_run(about, patterns=patterns.assign(significant=False)).empty
