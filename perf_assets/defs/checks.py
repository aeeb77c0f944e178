"""Asset checks: what must hold of the tables; each names the rows that break it.

A check that must hold blocks: what rests on the table is not computed, the run fails, and an alert says so. The others
warn.
"""

from collections.abc import Callable
from datetime import datetime

import dagster as dg

from perf_assets.advice.silence import overdue
from perf_assets.defs.asset_spec import POOL
from perf_assets.settings import Settings
from perf_assets.tables import TABLES
from perf_assets.warehouse import Warehouse
from perf_assets.warehouse.names import unstable_names
from perf_assets.warehouse.readings import newest_results
from perf_assets.wording.moments import day, moment
from perf_assets.wording.quantities import ROUGH, share

_NEWEST_MUST_BE_WITHIN_DAYS = 7
_VOLUME_MAY_FALL_TO = 0.5
_ANALYSED_AT_LEAST, _LONG = 0.5, 30
_COVERAGE_80, _FORECASTS_TO_JUDGE = (0.70, 0.90), 200
"""Shares that values of an 80 % interval may have, and forecasts from which a metric's share is judged."""


@dg.asset_check(
    asset="performance_metrics", description="Every table has the columns its schema says.", pool=POOL, blocking=True
)
def schema_is_as_documented(warehouse: dg.ResourceParam[Warehouse]) -> dg.AssetCheckResult:
    found = warehouse.query("SELECT table_name, column_name FROM information_schema.columns")
    columns = {(row.table_name, row.column_name) for row in found.itertuples()}
    wrong = [f"{t.name}.{c.name}" for t in TABLES for c in t.columns if (t.name, c.name) not in columns]
    return dg.AssetCheckResult(
        passed=not wrong, metadata={"tables": len(TABLES), "missing": ", ".join(wrong) or "none"}
    )


@dg.asset_check(
    asset="performance_metrics", description="No measurement of a run is stored twice.", pool=POOL, blocking=True
)
def measurements_are_unique(warehouse: dg.ResourceParam[Warehouse]) -> dg.AssetCheckResult:
    table = warehouse.query(
        "SELECT series_id, run_id, count(*) AS copies FROM measurements GROUP BY ALL HAVING copies > 1 LIMIT 100"
    )
    return dg.AssetCheckResult(passed=table.empty, metadata={"duplicates": len(table)})


@dg.asset_check(
    asset="performance_metrics",
    description="Every measurement is of one series and one run that are described, each under one id.",
    pool=POOL,
    blocking=True,
)
def identity_holds(warehouse: dg.ResourceParam[Warehouse]) -> dg.AssetCheckResult:
    table = warehouse.query(
        """SELECT
          (SELECT count(*) FROM (SELECT series_id FROM series GROUP BY ALL HAVING count(*) > 1)) AS series_twice,
          (SELECT count(*) FROM (SELECT run_id FROM runs GROUP BY ALL HAVING count(*) > 1)) AS runs_twice,
          (SELECT count(*) FROM measurements ANTI JOIN series USING (series_id)) AS without_series,
          (SELECT count(*) FROM measurements ANTI JOIN runs USING (run_id)) AS without_run"""
    )
    broken = {str(name): int(table[name].iloc[0]) for name in table.columns}
    return dg.AssetCheckResult(passed=not any(broken.values()), metadata=broken)


@dg.asset_check(
    asset="performance_metrics",
    description="The last full day brought at least half as many measurements as the median of the four weeks before.",
    pool=POOL,
)
def volume_is_usual(warehouse: dg.ResourceParam[Warehouse]) -> dg.AssetCheckResult:
    table = warehouse.query(
        """WITH daily AS (
          SELECT s.project, date_trunc('day', m.ts) AS day, count(*) AS n, max(max(m.ts)) OVER (PARTITION BY
          s.project) AS newest
          FROM series_measurements m JOIN analysed_series s USING (series_id) GROUP BY s.project, day
        ), last AS (SELECT project, arg_max(n, day) AS last_day FROM daily WHERE day < date_trunc('day', newest)
        GROUP BY project)
        SELECT project, any_value(last_day) AS last_day, median(n) AS usual
        FROM daily JOIN last USING (project) WHERE day > newest - INTERVAL 28 DAY GROUP BY project"""
    )
    low = table[table["last_day"] < _VOLUME_MAY_FALL_TO * table["usual"]]
    return dg.AssetCheckResult(
        passed=low.empty,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"projects": len(table), "fewer_than_usual": ", ".join(low["project"]) or "none"},
    )


@dg.asset_check(
    asset="metric_series",
    description=f"Every series was seen in the {_NEWEST_MUST_BE_WITHIN_DAYS} days before the project's newest result.",
    pool=POOL,
)
def series_are_fresh(warehouse: dg.ResourceParam[Warehouse]) -> dg.AssetCheckResult:
    table = warehouse.query(
        "SELECT title, last_seen FROM metric_series WHERE last_seen < as_of - to_days(?) ORDER BY last_seen",
        [_NEWEST_MUST_BE_WITHIN_DAYS],
    )
    stale = "; ".join(f"{row.title} ({day(row.last_seen)})" for row in table.head(20).itertuples())
    return dg.AssetCheckResult(
        passed=table.empty,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"series_not_seen_lately": len(table), "which": stale or "none"},
    )


@dg.asset_check(
    asset="performance_metrics",
    description="The newest results are as new as the settings expect, or as each source's were before, by the clock.",
    pool=POOL,
)
def results_keep_coming(
    warehouse: dg.ResourceParam[Warehouse],
    settings: dg.ResourceParam[Settings],
    clock: dg.ResourceParam[Callable[[], datetime]],
) -> dg.AssetCheckResult:
    with warehouse.reading() as con:
        results = newest_results(con)
    late = overdue(results, clock(), settings.collection.intervals, settings.pulled)
    return dg.AssetCheckResult(
        passed=not late,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"newest_result": moment(results["newest"].max()), "overdue": " ".join(late) or "none"},
    )


@dg.asset_check(
    asset="performance_metrics",
    description="No name changes with every run, as one with a commit or a build number in it does.",
    pool=POOL,
)
def names_are_stable(warehouse: dg.ResourceParam[Warehouse]) -> dg.AssetCheckResult:
    with warehouse.reading() as con:
        names = unstable_names(con)
    return dg.AssetCheckResult(
        passed=not names,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"patterns": len(names), "which": "; ".join(name.message for name in names[:20]) or "none"},
    )


@dg.asset_check(
    asset="metric_series", description="Every metric is in the catalogue, so that its direction is known.", pool=POOL
)
def metrics_are_in_the_catalogue(warehouse: dg.ResourceParam[Warehouse]) -> dg.AssetCheckResult:
    table = warehouse.query("SELECT DISTINCT metric FROM metric_series WHERE NOT in_catalogue ORDER BY metric")
    return dg.AssetCheckResult(
        passed=table.empty,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"not_in_the_catalogue": ", ".join(table["metric"]) or "none"},
    )


@dg.asset_check(asset="quarantined_results", description="Nothing was sent to quarantine.", pool=POOL)
def nothing_is_quarantined(warehouse: dg.ResourceParam[Warehouse]) -> dg.AssetCheckResult:
    table = warehouse.query("SELECT reason, count(*) AS n FROM quarantined_results GROUP BY reason ORDER BY n DESC")
    return dg.AssetCheckResult(
        passed=table.empty,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={str(row.reason): int(str(row.n)) for row in table.itertuples()} or {"quarantined": 0},
    )


@dg.asset_check(
    asset="metric_forecasts",
    description="Intervals contain the forecast and the wider one the narrower.",
    pool=POOL,
    blocking=True,
)
def forecast_intervals_are_nested(warehouse: dg.ResourceParam[Warehouse]) -> dg.AssetCheckResult:
    table = warehouse.query(
        """SELECT count(*) AS n FROM metric_forecasts
        WHERE NOT ("lo-95" <= "lo-80" AND "lo-80" <= mean AND mean <= "hi-80" AND "hi-80" <= "hi-95")"""
    )
    crossed = int(table["n"].iloc[0])
    return dg.AssetCheckResult(passed=crossed == 0, metadata={"crossed": crossed})


@dg.asset_check(
    asset="detection_limits",
    description=f"In half of each project's series with {_LONG} measurements or more a change would be seen: they have "
    "enough of them at their present level.",
    pool=POOL,
)
def series_are_analysed(warehouse: dg.ResourceParam[Warehouse]) -> dg.AssetCheckResult:
    table = warehouse.query(
        """SELECT s.project, count(*) AS series, count(l.smallest_detectable) AS analysed
        FROM metric_series s LEFT JOIN detection_limits l USING (series_id) WHERE s.measurements >= ?
        GROUP BY s.project ORDER BY s.project""",
        [_LONG],
    )
    few = table[table["analysed"] < _ANALYSED_AT_LEAST * table["series"]]
    names = ", ".join(f"{row.project} {share(row.analysed / row.series, ROUGH)}" for row in few.itertuples())
    return dg.AssetCheckResult(
        passed=few.empty,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={
            "series": int(table["series"].sum()),
            "analysed": int(table["analysed"].sum()),
            "projects_below_half": names or "none",
        },
    )


@dg.asset_check(
    asset="forecast_accuracy",
    description="Of each metric 70 to 90 % of the values of the last four weeks lay inside the 80 % interval.",
    pool=POOL,
)
def forecasts_cover_what_they_say(warehouse: dg.ResourceParam[Warehouse]) -> dg.AssetCheckResult:
    table = warehouse.query(
        """SELECT project, metric, sum(forecasts) AS forecasts, sum(inside_80) / sum(forecasts) AS coverage
        FROM forecast_accuracy WHERE week > (SELECT max(week) FROM forecast_accuracy) - INTERVAL 28 DAY
        GROUP BY project, metric ORDER BY project, metric"""
    )
    known = table[table["forecasts"] >= _FORECASTS_TO_JUDGE]
    low, high = _COVERAGE_80
    off = known[(known["coverage"] < low) | (known["coverage"] > high)]
    names = ", ".join(f"{row.metric} of {row.project} {share(row.coverage, ROUGH)}" for row in off.itertuples())
    return dg.AssetCheckResult(
        passed=off.empty,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"metrics_judged": len(known), "outside": names or "none"},
    )


@dg.asset_check(
    asset="recommendations",
    description="Every recommendation names rows that exist as evidence.",
    pool=POOL,
    blocking=True,
)
def recommendations_have_evidence(warehouse: dg.ResourceParam[Warehouse]) -> dg.AssetCheckResult:
    table = warehouse.query(
        """WITH named AS (SELECT recommendation_id, unnest(evidence :: JSON[]) AS e FROM recommendations), rows AS (
          SELECT 'regressions' AS table_name, regression_id :: VARCHAR AS key FROM regressions
          UNION ALL SELECT 'breach_outlook', series_id :: VARCHAR FROM breach_outlook
          UNION ALL SELECT 'metric_trends', series_id :: VARCHAR FROM metric_trends
          UNION ALL SELECT 'metric_series', metric FROM metric_series
        )
        SELECT count(*) AS n FROM named ANTI JOIN rows ON table_name = (e ->> 'table')
          AND key = coalesce(e ->> 'regression_id', e ->> 'series_id', e ->> 'metric')"""
    )
    missing = int(table["n"].iloc[0])
    return dg.AssetCheckResult(passed=missing == 0, metadata={"without_evidence": missing})


CHECKS = [
    schema_is_as_documented,
    measurements_are_unique,
    identity_holds,
    volume_is_usual,
    results_keep_coming,
    names_are_stable,
    series_are_fresh,
    metrics_are_in_the_catalogue,
    nothing_is_quarantined,
    series_are_analysed,
    forecast_intervals_are_nested,
    forecasts_cover_what_they_say,
    recommendations_have_evidence,
]
