"""Group `trends`: what changed, when, and what matters."""

from collections.abc import Iterator, Sequence

import dagster as dg
import pandas as pd
from duckdb import DuckDBPyConnection

from perf_assets.analysis.anomalies import EPISODE_COLUMNS, find_anomalies
from perf_assets.analysis.causes import LOAD_METRICS, fields_that_changed
from perf_assets.analysis.causes import regression_causes as find_causes
from perf_assets.analysis.commits import place_between_commits
from perf_assets.analysis.drifts import drift_anchors, find_drifts, withdrawn_drifts
from perf_assets.analysis.endings import restoring
from perf_assets.analysis.group_shifts import find_group_shifts
from perf_assets.analysis.joint_anomalies import find_joint_anomalies
from perf_assets.analysis.level_changes import ALL_DAY, CHANGE_COLUMNS, analyse_levels, with_q_values
from perf_assets.analysis.limit_crossings import find_limit_crossings
from perf_assets.analysis.regressions import (
    DRIFT,
    MEMBER_COLUMNS,
    REGRESSION_COLUMNS,
    RegressionRules,
    find_regressions,
)
from perf_assets.analysis.reporting import stopped_reporting as find_stopped_reporting
from perf_assets.analysis.season_patterns import (
    CHANGE_COLUMNS as PATTERN_CHANGE_COLUMNS,
)
from perf_assets.analysis.season_patterns import (
    PATTERN_COLUMNS,
    PROFILE_COLUMNS,
    find_seasons,
)
from perf_assets.analysis.season_patterns import with_q_values as with_pattern_q_values
from perf_assets.analysis.sensitivity import LIMIT_COLUMNS
from perf_assets.analysis.short_incidents import find_short_incidents
from perf_assets.analysis.trends import FIT_COLUMNS, fit_trends, judge_trends
from perf_assets.analysis.withdrawals import WITHDRAWN_COLUMNS
from perf_assets.catalog import load_catalog
from perf_assets.defs.asset_spec import POOL, outcome, table_spec
from perf_assets.defs.pictures import picture
from perf_assets.report import charts
from perf_assets.settings import Settings
from perf_assets.state import open_state
from perf_assets.tables import (
    ANOMALIES,
    CHANGE_POINTS,
    DETECTION_LIMITS,
    DIFFERENCE_PARTS,
    JOINT_ANOMALIES,
    METRIC_TRENDS,
    PATTERN_CHANGES,
    REGRESSION_CAUSES,
    REGRESSION_MEMBERS,
    REGRESSIONS,
    SEASONAL_PATTERNS,
    SEASONAL_PROFILES,
    STOPPED_REPORTING,
    WITHDRAWN_FINDINGS,
    Table,
)
from perf_assets.warehouse import Warehouse
from perf_assets.warehouse.increments import complete, increment_of, joined, kept_rows
from perf_assets.warehouse.limits import buckets_beyond_limits, metric_limits
from perf_assets.warehouse.readings import (
    drifting_buckets,
    environments,
    first_runs,
    image_changes,
    levels_around_regressions,
    node_readings,
    recent_averages,
    reporting,
    short_histories,
    steps_shown,
    stretches,
)
from perf_assets.workers import Workers, split_by_series

_LEVEL_CONTENTS = """SELECT m.series_id, hash(m.content, max(c.changed_at)) AS content
    FROM metric_series m LEFT JOIN ({steps}) c USING (series_id) GROUP BY m.series_id, m.content"""
_PERIOD_CONTENTS = "SELECT series_id, hash(content, '{periods}') AS content FROM metric_series"
_BUCKETS_OF = """SELECT series_id, ts, value FROM series_buckets
    WHERE series_id IN (SELECT unnest(? :: BIGINT[])) ORDER BY series_id, ts"""
_MEASUREMENTS_OF = """SELECT series_id, run_id, ts, value FROM analysed_measurements
    WHERE series_id IN (SELECT unnest(? :: BIGINT[])) ORDER BY series_id, ts, run_id"""
# A group is anchored with the run of its clearest series; that of another member is not known.
_CONFIRMED = f"""SELECT DISTINCT series_id :: BIGINT AS series_id, r.run_id
    FROM anchors a JOIN runs r ON r.run_key = a.first_bad_run WHERE a.part_of_day = '{ALL_DAY}'"""  # noqa: S608 - a constant
# Only these can lie among the runs of one commit.
_WITH_COMMITS = """SELECT m.series_id, m.run_id, m.ts, m.value, r.commit_id
    FROM analysed_measurements m JOIN runs r USING (run_id) WHERE m.series_id IN (
      SELECT c.series_id FROM changes c JOIN runs i ON i.run_id = c.index_run_id
      JOIN runs p ON p.run_id = c.previous_run_id AND p.commit_id = i.commit_id)
    ORDER BY m.series_id, m.ts, m.run_id"""

# The medians of the quarters of a drift differ by less than it does from end to end.
_FIRST_LOOK = 0.5
_RUNS_OF_CHANGES = """SELECT run_id, run_key, commit_id FROM runs
    WHERE run_id IN (SELECT index_run_id FROM change_points UNION SELECT previous_run_id FROM change_points)"""
_SERIES_WITH_TAGS = """SELECT m.*, s.tags, s.benchmark_version
    FROM metric_series m JOIN series s USING (series_id) ORDER BY series_id"""


@dg.multi_asset(
    specs=[
        table_spec(
            CHANGE_POINTS,
            "trends",
            ["performance_metrics", "metric_series"],
            {"numpy"},
            "Robust to outliers, autocorrelation, seasons and drift; false discoveries are controlled over all series.",
        ),
        table_spec(DETECTION_LIMITS, "trends", ["performance_metrics", "metric_series"], {"numpy"}, ""),
    ],
    pool=POOL,
)
def change_points(
    settings: dg.ResourceParam[Settings],
    warehouse: dg.ResourceParam[Warehouse],
    workers: dg.ResourceParam[Workers],
) -> Iterator[dg.MaterializeResult[None]]:
    increment = increment_of(warehouse, "change_points")
    found = workers.map(analyse_levels, split_by_series(_measurements(settings, warehouse, increment.ids)))
    placed = _between_commits(warehouse, joined([each for each, _ in found], CHANGE_COLUMNS))
    changes = joined([kept_rows(warehouse, increment, CHANGE_POINTS), placed], CHANGE_COLUMNS)
    table = with_q_values(changes, increment.series)
    all_limits = joined(
        [kept_rows(warehouse, increment, DETECTION_LIMITS), *(each for _, each in found)], LIMIT_COLUMNS
    )
    complete(warehouse, increment, (CHANGE_POINTS, table), (DETECTION_LIMITS, all_limits))
    told = {"series_with_changes": int(table["series_id"].nunique()), "series_analysed_anew": len(increment.ids)}
    yield dg.MaterializeResult(asset_key=CHANGE_POINTS.name, metadata=outcome(table, told))
    yield dg.MaterializeResult(asset_key=DETECTION_LIMITS.name, metadata=outcome(all_limits))


def _measurements(settings: Settings, warehouse: Warehouse, series: list[int]) -> pd.DataFrame:
    """Measurements of the series as `find_change_points` takes them."""
    with open_state(settings.state) as state:
        anchors = state.anchors()
    with warehouse.reading() as con:
        con.register("anchors", anchors)
        measurements, confirmed = con.execute(_MEASUREMENTS_OF, [series]).df(), con.execute(_CONFIRMED).df()
    known = measurements["series_id"].isin(confirmed["series_id"]).to_numpy(copy=True)
    own = measurements.loc[known, ["series_id", "run_id"]]
    known[known] = own.merge(confirmed.assign(known=True), how="left")["known"].notna()
    return measurements.assign(known=known)


def _between_commits(warehouse: Warehouse, changes: pd.DataFrame) -> pd.DataFrame:
    if changes.empty:
        return changes
    with warehouse.reading() as con:
        con.register("changes", changes)
        return place_between_commits(changes, con.execute(_WITH_COMMITS).df())


@dg.multi_asset(
    specs=[
        table_spec(
            METRIC_TRENDS,
            "trends",
            ["metric_series", "change_points", "regressions"],
            {"numpy", "scipy"},
            "Taken since the last step; the error allows for autocorrelation, the q-value for the number of series.",
        )
    ],
    pool=POOL,
)
def metric_trends(warehouse: dg.ResourceParam[Warehouse]) -> dg.MaterializeResult[None]:
    with warehouse.reading() as con:
        steps, averages = steps_shown(con), recent_averages(con)
    increment = increment_of(warehouse, "metric_trends", _LEVEL_CONTENTS.format(steps=steps))
    series = warehouse.query("SELECT * FROM metric_series ORDER BY series_id")
    fits = fit_trends(warehouse.query(_BUCKETS_OF, [increment.ids]), warehouse.query(steps))
    table = judge_trends(joined([kept_rows(warehouse, increment, METRIC_TRENDS), fits], FIT_COLUMNS), series, averages)
    complete(warehouse, increment, (METRIC_TRENDS, table))
    shown = charts.clearest_trends(table)
    buckets = warehouse.query(_BUCKETS_OF, [[int(series_id) for series_id in shown["series_id"]]])
    return dg.MaterializeResult(
        metadata=outcome(
            table.sort_values("q_value").merge(series[["series_id", "title", "simulated"]], on="series_id")[
                ["title", "verdict", "change_per_week", "q_value", "points", "since", "simulated"]
            ],
            {
                "series_analysed_anew": len(increment.ids),
                "verdicts": {str(verdict): int(count) for verdict, count in table["verdict"].value_counts().items()},
                "strongest_trends": picture(charts.strongest_trends(table, series, buckets)),
            },
        )
    )


@dg.multi_asset(
    specs=[
        table_spec(
            SEASONAL_PATTERNS,
            "trends",
            ["metric_series"],
            {"numpy", "scipy"},
            "What the detection of changes takes out is decided by the same test.",
        ),
        table_spec(SEASONAL_PROFILES, "trends", ["metric_series"], {"numpy", "scipy"}, "Medians, in UTC."),
        table_spec(
            PATTERN_CHANGES,
            "trends",
            ["metric_series"],
            {"numpy", "scipy"},
            "The newest part of a series against the part before it, profile against profile.",
        ),
    ],
    pool=POOL,
)
def seasonal_patterns(
    settings: dg.ResourceParam[Settings], warehouse: dg.ResourceParam[Warehouse]
) -> Iterator[dg.MaterializeResult[None]]:
    periods = settings.seasonality.periods
    increment = increment_of(warehouse, "seasonal_patterns", _PERIOD_CONTENTS.format(periods=" ".join(periods)))
    widths = warehouse.query("SELECT series_id, bucket_seconds FROM metric_series").set_index("series_id")
    found = find_seasons(warehouse.query(_BUCKETS_OF, [increment.ids]), widths["bucket_seconds"], periods)

    def with_kept(table: Table, new: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
        return joined([kept_rows(warehouse, increment, table), new], columns)

    known = with_kept(SEASONAL_PATTERNS, found.patterns, PATTERN_COLUMNS)
    patterns = with_pattern_q_values(known, len(known))
    profiles = with_kept(SEASONAL_PROFILES, found.profiles, PROFILE_COLUMNS)
    moved = with_kept(PATTERN_CHANGES, found.changes, PATTERN_CHANGE_COLUMNS)
    changes = with_pattern_q_values(moved, len(known))
    complete(
        warehouse, increment, (SEASONAL_PATTERNS, patterns), (SEASONAL_PROFILES, profiles), (PATTERN_CHANGES, changes)
    )
    told = {"series_analysed_anew": len(increment.ids)}
    ordered = patterns.sort_values(["significant", "strength"], ascending=False)
    yield dg.MaterializeResult(asset_key=SEASONAL_PATTERNS.name, metadata=outcome(ordered, told))
    yield dg.MaterializeResult(asset_key=SEASONAL_PROFILES.name, metadata=outcome(profiles))
    yield dg.MaterializeResult(asset_key=PATTERN_CHANGES.name, metadata=outcome(changes.sort_values("q_value")))


@dg.multi_asset(
    specs=[
        table_spec(ANOMALIES, "trends", ["metric_series"], {"numpy"}, "Each value is held against its own past only.")
    ],
    pool=POOL,
)
def anomalies(warehouse: dg.ResourceParam[Warehouse], workers: dg.ResourceParam[Workers]) -> dg.MaterializeResult[None]:
    increment = increment_of(warehouse, "anomalies")
    found = workers.map(find_anomalies, split_by_series(warehouse.query(_BUCKETS_OF, [increment.ids])))
    table = joined([kept_rows(warehouse, increment, ANOMALIES), *found], EPISODE_COLUMNS)
    complete(warehouse, increment, (ANOMALIES, table))
    told = {"series_analysed_anew": len(increment.ids)}
    return dg.MaterializeResult(metadata=outcome(table.sort_values("score", ascending=False), told))


@dg.multi_asset(
    specs=[
        table_spec(
            JOINT_ANOMALIES,
            "trends",
            ["metric_series"],
            {"numpy", "scipy"},
            "What all metrics of a node do together is normal; Hotelling's statistic of the rest tells what is not.",
        )
    ],
    pool=POOL,
)
def joint_anomalies(warehouse: dg.ResourceParam[Warehouse]) -> dg.MaterializeResult[None]:
    with warehouse.reading() as con:
        table = find_joint_anomalies(node_readings(con))
    warehouse.replace((JOINT_ANOMALIES, table))
    return dg.MaterializeResult(metadata=outcome(table.sort_values("score", ascending=False)))


@dg.multi_asset(
    specs=[
        table_spec(
            STOPPED_REPORTING,
            "trends",
            ["performance_metrics", "metric_series"],
            {"numpy"},
            "A silence counts that is very unlikely by chance and several times the longest one before. A test or a "
            "group of tests that ended as a whole was removed.",
        )
    ],
    pool=POOL,
)
def stopped_reporting(warehouse: dg.ResourceParam[Warehouse]) -> dg.MaterializeResult[None]:
    with warehouse.reading() as con:
        table = find_stopped_reporting(reporting(con))
    warehouse.replace((STOPPED_REPORTING, table))
    shown = table[["project", "title", "verdict", "scope", "last_seen", "silent_hours", "probability"]]
    return dg.MaterializeResult(
        metadata=outcome(
            shown, {"removed": int((table["verdict"] == "removed").sum()), "dagster/row_count": len(table)}
        )
    )


@dg.multi_asset(
    specs=[
        table_spec(
            REGRESSIONS,
            "trends",
            ["change_points", "anomalies", "detection_limits", "metric_series"],
            {"numpy"},
            "A runner image, a slow node, a test or a commit that shifts many series is one finding with members "
            "(table regression_members).",
        )
    ],
    pool=POOL,
)
def regressions(
    settings: dg.ResourceParam[Settings], warehouse: dg.ResourceParam[Warehouse]
) -> dg.MaterializeResult[None]:
    rules = settings.regressions
    counted = RegressionRules(rules.threshold, rules.thresholds, rules.false_discovery_rate, rules.confirm_after)
    with open_state(settings.state) as state:
        anchors = state.anchors()
        with warehouse.reading() as con:
            series = con.execute(_SERIES_WITH_TAGS).df()
            limits = con.execute("SELECT series_id, smallest_detectable FROM detection_limits").df()
            changes = con.execute("SELECT * FROM change_points ORDER BY series_id, position").df()
            runs = con.execute(_RUNS_OF_CHANGES).df()
            episodes = con.execute("SELECT * FROM anomalies ORDER BY series_id, episode_start").df()
            images, surroundings, measured = image_changes(con), environments(con), stretches(con)
            short = short_histories(con)
        found = find_regressions(changes, series, runs, limits, counted, anchors, images, surroundings, measured)
        shifts = find_group_shifts(short, found.members, series, counted)
        with warehouse.reading() as con:
            drifts = _drifts(con, found.members, series, limits, counted, anchors)
            table, members = _together([(found.table, found.members), drifts, shifts])
            incidents = _with_runs(con, *find_short_incidents(episodes, changes, members, series, counted, anchors))
            crossings = _limit_crossings(con, table, members, series, settings, counted)
        table, members = _together([(table, members), incidents, crossings])
        least = table["metric"].map(counted.threshold_of).to_numpy(dtype=float)
        table = table.assign(restores=restoring(table, changes, least))
        # What was confirmed and is over within a day is an incident now.
        gone = found.withdrawn[~found.withdrawn["regression_id"].isin(incidents[0]["regression_id"])]
        withdrawn = joined([gone, withdrawn_drifts(anchors, table, members, series)], WITHDRAWN_COLUMNS)
        warehouse.replace((REGRESSIONS, table), (REGRESSION_MEMBERS, members), (WITHDRAWN_FINDINGS, withdrawn))
        state.add_anchors(found.anchors)
        state.add_anchors(drift_anchors(table, members, series))
    return dg.MaterializeResult(
        metadata=outcome(
            table[["scope_name", "kind", "state", "change", "first_bad_at", "explanation", "simulated"]],
            {
                "regressions": int((table["kind"] == "regression").sum()),
                "improvements": int((table["kind"] == "improvement").sum()),
                "series_that_moved": int(members["series_id"].nunique()),
                "withdrawn": len(withdrawn),
            },
        )
    )


@dg.multi_asset(
    specs=[
        table_spec(
            REGRESSION_CAUSES,
            "trends",
            ["regressions", "metric_series", "performance_metrics"],
            {"numpy"},
            "Of the newest regressions that stand; table difference_parts has what makes up the difference.",
        )
    ],
    pool=POOL,
)
def regression_causes(warehouse: dg.ResourceParam[Warehouse]) -> dg.MaterializeResult[None]:
    with warehouse.transaction() as con:
        standing, levels = levels_around_regressions(con, LOAD_METRICS)
        surroundings = environments(con)
    found = find_causes(standing, levels, fields_that_changed(standing, surroundings))
    warehouse.replace((REGRESSION_CAUSES, found.ranked), (DIFFERENCE_PARTS, found.parts))
    shown = found.ranked.drop(columns="regression_id")
    return dg.MaterializeResult(metadata=outcome(shown, {"regressions": len(standing)}))


Findings = tuple[pd.DataFrame, pd.DataFrame]
"""Rows of regressions, and of regression_members."""


def _together(findings: Sequence[Findings]) -> Findings:
    tables, members = zip(*findings, strict=True)
    return joined(tables, REGRESSION_COLUMNS), joined(members, MEMBER_COLUMNS)


def _with_runs(con: DuckDBPyConnection, table: pd.DataFrame, members: pd.DataFrame) -> Findings:
    """Findings that were found in buckets, with the runs and commits they begin with."""
    runs = first_runs(con, table["series_id"].tolist(), table["first_bad_at"].tolist())
    begun = table.assign(first_bad_run=runs["run_key"].to_numpy(), first_bad_commit=runs["commit_id"].to_numpy())
    return begun, members


def _drifts(
    con: DuckDBPyConnection,
    steps: pd.DataFrame,
    series: pd.DataFrame,
    limits: pd.DataFrame,
    rules: RegressionRules,
    anchors: pd.DataFrame,
) -> Findings:
    """Findings without a step."""
    least = min((rules.threshold, *(rules.thresholds or {}).values())) * _FIRST_LOOK
    known = anchors.loc[anchors["part_of_day"] == DRIFT, "series_id"].astype("int64").unique().tolist()
    buckets = drifting_buckets(con, steps, least, known)
    return _with_runs(con, *find_drifts(buckets, steps, series, limits, rules, anchors))


def _limit_crossings(
    con: DuckDBPyConnection,
    table: pd.DataFrame,
    members: pd.DataFrame,
    series: pd.DataFrame,
    settings: Settings,
    rules: RegressionRules,
) -> Findings:
    """Findings of series beyond their limit, of which no other finding that stands tells."""
    limits, buckets = buckets_beyond_limits(
        con, metric_limits(load_catalog(settings.metrics_file), settings.forecast.limits)
    )
    standing = table.loc[(table["kind"] == "regression") & table["recovered_at"].isna(), "regression_id"]
    told = members[members["regression_id"].isin(standing)]
    return _with_runs(con, *find_limit_crossings(buckets, limits, told, series, rules))
