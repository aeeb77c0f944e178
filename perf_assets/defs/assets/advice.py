"""Group `advice`: what to do."""

import dagster as dg

from perf_assets.advice.insights import Behaviour
from perf_assets.advice.insights import key_insights as find_insights
from perf_assets.advice.node_scores import node_alarms, score_nodes
from perf_assets.advice.recommendations import Findings, recommend
from perf_assets.advice.schedule_plan import plan_schedule
from perf_assets.analysis.anomalies import passing
from perf_assets.defs.asset_spec import POOL, outcome, table_spec
from perf_assets.defs.pictures import picture
from perf_assets.report import charts
from perf_assets.tables import KEY_INSIGHTS, NODE_SCORES, RECOMMENDATIONS, SCHEDULE_PLAN
from perf_assets.warehouse import Warehouse
from perf_assets.warehouse.readings import recent_durations, scenario_runs


@dg.multi_asset(
    specs=[
        table_spec(
            NODE_SCORES,
            "advice",
            [
                "performance_metrics",
                "metric_series",
                "breach_outlook",
                "metric_trends",
                "regressions",
                "stopped_reporting",
            ],
            {"pandas"},
            "50 is the middle of the fleet; unhealthy nodes are left out of the schedule plan.",
        )
    ],
    pool=POOL,
)
def node_scores(warehouse: dg.ResourceParam[Warehouse]) -> dg.MaterializeResult[None]:
    with warehouse.reading() as con:
        durations = recent_durations(con)
    stopped = warehouse.query("SELECT * FROM stopped_reporting ORDER BY series_id")
    table = score_nodes(durations, node_alarms(read_findings(warehouse), stopped))
    warehouse.replace((NODE_SCORES, table))
    return dg.MaterializeResult(metadata=outcome(table, {"ranking": picture(charts.node_ranking(table))}))


@dg.multi_asset(
    specs=[
        table_spec(
            RECOMMENDATIONS,
            "advice",
            ["regressions", "breach_outlook", "metric_trends", "node_scores", "metric_series"],
            {"pandas"},
            "Each names its evidence and waits as `proposed`.",
        )
    ],
    pool=POOL,
)
def recommendations(warehouse: dg.ResourceParam[Warehouse]) -> dg.MaterializeResult[None]:
    table = recommend(read_findings(warehouse))
    warehouse.replace((RECOMMENDATIONS, table))
    return dg.MaterializeResult(
        metadata=outcome(table[["rank", "kind", "title", "action", "expected_effect", "state", "simulated"]])
    )


@dg.multi_asset(
    specs=[
        table_spec(
            SCHEDULE_PLAN,
            "advice",
            ["node_scores", "performance_metrics"],
            {"pandas"},
            "Longest tests first; unhealthy nodes left out.",
        )
    ],
    pool=POOL,
)
def schedule_plan(warehouse: dg.ResourceParam[Warehouse]) -> dg.MaterializeResult[None]:
    with warehouse.reading() as con:
        durations = recent_durations(con)
    table = plan_schedule(durations, warehouse.query("SELECT * FROM node_scores"))
    warehouse.replace((SCHEDULE_PLAN, table))
    return dg.MaterializeResult(metadata=outcome(table, {"plan": picture(charts.schedule(table))}))


@dg.multi_asset(
    specs=[
        table_spec(
            KEY_INSIGHTS,
            "advice",
            [
                "regressions",
                "breach_outlook",
                "metric_trends",
                "duration_drivers",
                "duration_models",
                "scenario_efficiency",
                "node_scores",
                "stopped_reporting",
                "change_points",
                "anomalies",
                "joint_anomalies",
                "seasonal_patterns",
                "pattern_changes",
            ],
            {"pandas"},
            "",
        )
    ],
    pool=POOL,
)
def key_insights(warehouse: dg.ResourceParam[Warehouse]) -> dg.MaterializeResult[None]:
    with warehouse.reading() as con:
        runs = scenario_runs(con)
    table = find_insights(
        read_findings(warehouse),
        Behaviour(
            stopped_reporting=warehouse.query("SELECT * FROM stopped_reporting ORDER BY series_id"),
            anomalies=passing(
                warehouse.query("SELECT * FROM anomalies ORDER BY series_id, episode_start"),
                warehouse.query("SELECT series_id, changed_at FROM change_points"),
            ),
            joint_anomalies=warehouse.query("SELECT * FROM joint_anomalies ORDER BY project, node_id, episode_start"),
            patterns=warehouse.query("SELECT * FROM seasonal_patterns ORDER BY series_id, period"),
            pattern_changes=warehouse.query("SELECT * FROM pattern_changes ORDER BY series_id, period"),
        ),
        runs,
        warehouse.query("SELECT * FROM duration_drivers ORDER BY project, driver"),
        warehouse.query("SELECT * FROM duration_models ORDER BY project, model"),
        warehouse.query("SELECT * FROM scenario_efficiency ORDER BY project, scenario"),
    )
    warehouse.replace((KEY_INSIGHTS, table))
    return dg.MaterializeResult(metadata=outcome(table[["rank", "kind", "title", "text", "simulated"]]))


def read_findings(warehouse: Warehouse) -> Findings:
    return Findings(
        series=warehouse.query("SELECT * FROM metric_series ORDER BY series_id"),
        regressions=warehouse.query("SELECT * FROM regressions ORDER BY first_bad_at DESC, regression_id"),
        breaches=warehouse.query("SELECT * FROM breach_outlook ORDER BY series_id"),
        trends=warehouse.query("SELECT * FROM metric_trends ORDER BY series_id"),
        node_scores=warehouse.query("SELECT * FROM node_scores ORDER BY project, rank, node_id"),
    )
