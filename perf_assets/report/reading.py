"""What page and terminal share: the finished tables of a snapshot, and the sentences about them.

Belongs here: reading, choosing and counting what is shown, and its words. Does not belong here: HTML, pictures.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from duckdb import DuckDBPyConnection

from perf_assets.advice.recommendations import Findings, breaches_ahead
from perf_assets.advice.severity import badness
from perf_assets.analysis.anomalies import passing
from perf_assets.analysis.near_changes import near_changes
from perf_assets.analysis.regressions import DRIFT, INCIDENT, RegressionRules
from perf_assets.warehouse.branches import OtherBranches, other_branches
from perf_assets.warehouse.readings import findings, scenario_runs
from perf_assets.wording.findings import change_of, only
from perf_assets.wording.moments import day
from perf_assets.wording.quantities import ROUGH, counted, missing, number, quantity, share

RECENT = pd.Timedelta(days=30)
_ALIKE = 1.5
"""The third quartile of distances over the first, up to which measurements have a rhythm."""
_DAILY = 1.5 * 86400.0
_PAUSE = 6.0
"""Usual distances that a pause is long; where one distance of twenty is, measurements come in bursts."""
_DAY = pd.Timedelta(days=1)
_MOST_FACTORS, _LEAST_SHARE = 20, 0.05
_SCENARIO_INSIGHTS = ("strongest_predictor", "prediction_accuracy", "slowest_scenario", "most_variable_scenario")


@dataclass(frozen=True)
class Report:
    """Tables of one snapshot in the schemas of the warehouse. `series` is metric_series; `regressions` and
    `improvements` are rows of regressions, the worst or best and the newest first, with their `situation`; `lost` are
    improvements whose level before came back; `near` are near_changes; `withdrawn` is withdrawn_findings; `limits` is
    detection_limits; `breaches` is breach_outlook joined with metric_series, the limits about to be crossed; `trends`
    is metric_trends joined with title, metric, unit, project and simulated, and so is `patterns` (seasonal_patterns,
    the significant ones, the strongest first) and `anomalies` (those of the last 30 days that no change explains, the
    newest first, like `joint_anomalies`); `pattern_changes` are the key_insights about them. `overdue` are sentences
    about results that were expected and have not come.
    """

    series: pd.DataFrame
    regressions: pd.DataFrame
    improvements: pd.DataFrame
    lost: pd.DataFrame
    members: pd.DataFrame
    causes: pd.DataFrame
    near: pd.DataFrame
    withdrawn: pd.DataFrame
    limits: pd.DataFrame
    rhythms: pd.DataFrame
    breaches: pd.DataFrame
    trends: pd.DataFrame
    recommendations: pd.DataFrame
    node_scores: pd.DataFrame
    plan: pd.DataFrame
    correlations: pd.DataFrame
    factors: pd.DataFrame
    runs: pd.DataFrame
    drivers: pd.DataFrame
    duration_models: pd.DataFrame
    outliers: pd.DataFrame
    efficiency: pd.DataFrame
    scenario_insights: pd.DataFrame
    models: pd.DataFrame
    quarantined: pd.DataFrame
    incidents: pd.DataFrame
    epochs: pd.DataFrame
    silent: pd.DataFrame
    anomalies: pd.DataFrame
    joint_anomalies: pd.DataFrame
    patterns: pd.DataFrame
    pattern_changes: pd.DataFrame
    overdue: Sequence[str]
    files: pd.DataFrame
    others: OtherBranches

    @property
    def empty(self) -> bool:
        return bool(self.series.empty)

    @property
    def as_of(self) -> pd.Timestamp:
        return pd.Timestamp(self.series["as_of"].max())

    @property
    def simulated_projects(self) -> frozenset[str]:
        return frozenset(self.series.loc[self.series["simulated"].astype(bool), "project"])

    @property
    def standing(self) -> pd.DataFrame:
        """Confirmed regressions whose level has not come back."""
        return self._in("standing")

    @property
    def suspected(self) -> pd.DataFrame:
        """Regressions that may be confirmed by the next runs."""
        return self._in("suspected")

    @property
    def drifts(self) -> pd.DataFrame:
        """Regressions that came little by little, and last."""
        return self._in("drift")

    @property
    def recovered(self) -> pd.DataFrame:
        """Regressions that are over, the last one first."""
        return self._in("recovered").sort_values("recovered_at", ascending=False, kind="stable")

    @property
    def back(self) -> pd.DataFrame:
        """Regressions that only end a short improvement."""
        return self._in("back")

    def _in(self, situation: str) -> pd.DataFrame:
        return self.regressions[self.regressions["situation"] == situation]

    @property
    def telling_factors(self) -> pd.DataFrame:
        """The significant rows of metric_factors with the largest shares of their own, at least a twentieth: what a
        factor adds to the others, or its whole share where others determine it."""
        factors = self.factors.assign(own=self.factors["unique_share"].fillna(self.factors["share"]))
        telling = factors[(factors["q_value"] <= 0.05) & (factors["own"] >= _LEAST_SHARE)]
        return telling.sort_values("own", ascending=False, kind="stable").head(_MOST_FACTORS)

    @property
    def unknown_metrics(self) -> pd.DataFrame:
        """project, metric, series: metrics without direction, since neither the catalogue nor a result tells one."""
        unknown = self.series[~self.series["in_catalogue"].astype(bool) & (self.series["direction"] == "neutral")]
        return unknown.groupby(["project", "metric"], as_index=False).agg(series=("series_id", "size"))

    @property
    def gappy(self) -> pd.DataFrame:
        """Series with a rhythm, at least daily, that missed a tenth of it, or were silent for a tenth of their span;
        the worst first, with silent_days, and `missing_share` as the share of their rhythm that they missed.

        A rhythm is there where the middle half of the distances between measurements is alike, and long pauses are
        rare; what comes with commits, or in bursts, has none, and no gaps.
        """
        table = self.series.drop(columns="missing_share").merge(self.rhythms, on="series_id")
        expected = 1.0 + table["span_days"] * 86400.0 / table["usual"]
        table["missing_share"] = (1.0 - (1.0 + table["steps"]) / expected).clip(lower=0.0)
        table["silent_days"] = (table["as_of"] - table["last_seen"]).dt.total_seconds() / 86400.0
        regular = (table["long"] <= _ALIKE * table["short"]) & (table["usual"] <= _DAILY)
        regular &= table["longest"] <= _PAUSE * table["usual"]
        silent = table["silent_days"] > (0.1 * table["span_days"]).clip(lower=2.0)
        gaps = regular & (silent | (table["missing_share"] >= 0.1))
        return table[gaps].sort_values(["silent_days", "missing_share", "title"], ascending=[False, False, True])


@dataclass(frozen=True)
class Handling:
    """What has been done about regressions, by id as text: taken on by somebody, or alerted (in words: where, when)."""

    acknowledged: frozenset[str] = frozenset()
    alerted: Mapping[str, str] = field(default_factory=dict)


def read_report(
    con: DuckDBPyConnection,
    handling: Handling | None = None,
    overdue: Sequence[str] = (),
    rules: RegressionRules | None = None,
) -> Report:
    """Read a snapshot, and mark in it what has been done. `rules` are those that the regressions were found by."""
    handling, rules = handling or Handling(), rules or RegressionRules()

    def table(sql: str) -> pd.DataFrame:
        return con.execute(sql).df()

    series = table("SELECT * FROM metric_series ORDER BY series_id")
    trends = table("SELECT * FROM metric_trends ORDER BY q_value NULLS LAST, abs(change_per_week) DESC, series_id")
    changes = findings(con)
    ids = changes["regression_id"].astype(str)
    changes = changes.assign(acknowledged=ids.isin(handling.acknowledged), alert=ids.map(dict(handling.alerted)))
    points = table("SELECT * FROM change_points ORDER BY series_id, position")
    changes["situation"] = _situations(changes)
    regressions, better = (changes[changes["kind"] == kind] for kind in ("regression", "improvement"))
    members = table("SELECT * FROM regression_members ORDER BY regression_id, abs(change) DESC, series_id")
    outlook = table("SELECT * FROM breach_outlook ORDER BY series_id")
    scores = table("SELECT * FROM node_scores ORDER BY project, rank, node_id")
    named = series[["series_id", "title", "metric", "unit", "project", "test_name", "node_id", "simulated"]]
    insights = table("SELECT * FROM key_insights ORDER BY rank, insight_id")
    newest = series.groupby("project")["as_of"].max()
    return Report(
        series=series,
        regressions=worst_first(regressions).reset_index(drop=True),
        improvements=better[~better["situation"].isin(["recovered", "back"])].reset_index(drop=True),
        lost=better[better["situation"] == "recovered"].reset_index(drop=True),
        members=members.merge(
            series[["series_id", "title", "metric", "test_name", "node_id", "node_type"]], on="series_id"
        ),
        causes=table("SELECT * FROM regression_causes WHERE consistent ORDER BY regression_id, rank"),
        near=near_changes(points, series, _told(members, changes, points), rules).merge(
            series[["series_id", "simulated"]], on="series_id"
        ),
        withdrawn=table("SELECT * FROM withdrawn_findings ORDER BY confirmed_at DESC, regression_id"),
        limits=table("SELECT * FROM detection_limits ORDER BY series_id"),
        rhythms=table(_RHYTHMS),
        breaches=breaches_ahead(Findings(series, changes, outlook, trends, scores)),
        trends=trends.merge(named, on="series_id"),
        recommendations=table("SELECT * FROM recommendations ORDER BY rank, recommendation_id"),
        node_scores=scores,
        plan=table("SELECT * FROM schedule_plan ORDER BY project, node_id, position"),
        correlations=table("SELECT * FROM metric_correlations ORDER BY q_value NULLS LAST, abs(rho) DESC"),
        factors=table("SELECT * FROM metric_factors ORDER BY project, metric, factor"),
        runs=scenario_runs(con),
        drivers=table("SELECT * FROM duration_drivers ORDER BY project, abs(correlation) DESC NULLS LAST, driver"),
        duration_models=table("SELECT * FROM duration_models ORDER BY project, chosen DESC, model"),
        outliers=table("SELECT * FROM run_outliers ORDER BY abs(residual_share) DESC, run_id"),
        efficiency=table("SELECT * FROM scenario_efficiency ORDER BY seconds_per_1k_edges DESC NULLS LAST, scenario"),
        scenario_insights=insights[insights["kind"].isin(_SCENARIO_INSIGHTS)].reset_index(drop=True),
        models=table("SELECT * FROM forecast_models ORDER BY series_id, model"),
        quarantined=table(
            """SELECT reason, count(*) AS rows, count(DISTINCT content_hash) AS files,
              arg_min(message, location) AS example, arg_min(name, location) AS name, min(location) AS location
            FROM quarantined_results GROUP BY reason ORDER BY rows DESC, reason"""
        ),
        incidents=table("SELECT * FROM incidents ORDER BY incident_id"),
        epochs=table("SELECT * FROM epochs ORDER BY starts_at DESC, epoch_id"),
        silent=insights[insights["kind"] == "stopped_reporting"].reset_index(drop=True),
        anomalies=_recent(passing(table("SELECT * FROM anomalies"), points).merge(named, on="series_id"), newest),
        joint_anomalies=_recent(table("SELECT * FROM joint_anomalies"), newest),
        patterns=table(
            "SELECT * FROM seasonal_patterns WHERE significant ORDER BY strength DESC NULLS LAST, series_id, period"
        ).merge(named, on="series_id"),
        pattern_changes=insights[insights["kind"] == "pattern_changed"].reset_index(drop=True),
        overdue=overdue,
        files=table(
            """SELECT name, any_value(format) AS format, sum(measurements) AS measurements,
              any_value(simulated) AS simulated FROM batches GROUP BY name ORDER BY name"""
        ),
        others=other_branches(con),
    )


# Repetitions within the hour are one.
_RHYTHMS = """
WITH hours AS (SELECT series_id, ts, epoch(date_trunc('hour', ts)) AS hour FROM analysed_measurements),
steps AS (SELECT series_id, hour - lag(hour) OVER (PARTITION BY series_id ORDER BY ts) AS step FROM hours)
SELECT series_id, count(*) AS steps, quantile_cont(step, 0.25) AS short, median(step) AS usual,
  quantile_cont(step, 0.75) AS long, quantile_cont(step, 0.95) AS longest
FROM steps WHERE step > 0 GROUP BY series_id ORDER BY series_id
"""


def _recent(episodes: pd.DataFrame, newest: pd.Series) -> pd.DataFrame:
    """Episodes that ended in the last 30 days of their project's results, the newest first."""
    # Where there is no episode, or no series, columns have no types of their own.
    of_project = pd.to_datetime(episodes["project"].map(newest.to_dict()))
    recent = episodes[pd.to_datetime(episodes["episode_end"]) >= of_project - RECENT]
    return recent.sort_values(["episode_start", "score"], ascending=False, kind="stable", ignore_index=True)


def _situations(changes: pd.DataFrame) -> Any:
    """Of each row of regressions: recovered, back, drift, suspected, or standing."""
    conditions = [
        changes["recovered_at"].notna(),
        changes["restores"].astype(bool),
        changes["shape"] == DRIFT,
        changes["state"] != "confirmed",
    ]
    return np.select(conditions, ["recovered", "back", "drift", "suspected"], "standing")


def _told(members: pd.DataFrame, changes: pd.DataFrame, points: pd.DataFrame) -> pd.DataFrame:
    """series_id, changed_at of what the findings `changes` tell: where their members changed, and where incidents came
    and went. `points`: rows of change_points.
    """
    own = members[["series_id", "changed_at"]]
    over = changes.loc[
        (changes["shape"] == INCIDENT) & changes["recovered_at"].notna(), ["regression_id", "recovered_at"]
    ]
    pairs = members.merge(over, on="regression_id").merge(points[["series_id", "changed_at"]], on="series_id")
    beside = (pairs["changed_at_y"] >= pairs["changed_at_x"] - _DAY) & (
        pairs["changed_at_y"] <= pairs["recovered_at"] + _DAY
    )
    ends = pairs.loc[beside, ["series_id", "changed_at_y"]].rename(columns={"changed_at_y": "changed_at"})
    return pd.concat((own, ends), ignore_index=True)


def worst_first(changes: pd.DataFrame) -> pd.DataFrame:
    """Rows of regressions (with `acknowledged`) by how bad they are, those that somebody has taken on last."""
    order = changes.assign(badness=badness(changes)).sort_values(
        ["acknowledged", "badness", "first_bad_at", "regression_id"], ascending=[True, False, False, True]
    )
    return order.drop(columns="badness")


def without_news(report: Report) -> str:
    """That nothing is worse now, and what that is worth."""
    if report.regressions.empty:
        news = "Nothing got worse"
    elif len(report.drifts):
        news = "Nothing got worse at one time and stayed so; gradual regressions are listed below"
    elif len(report.suspected):
        news = "Nothing is certainly worse now"
    else:
        news = "Nothing is worse now: all regressions have recovered"
    return f"{news}. {watched(report)}"


def watched(report: Report) -> str:
    """How many series were looked at, up to when, and how small a change would have been seen in them."""
    verb = "was" if len(report.series) == 1 else "were"
    looked_at = f"{counted(len(report.series), 'series')} {verb} watched, up to {day(report.as_of)}"
    sizes = report.limits["smallest_detectable"].dropna()
    if sizes.empty:
        return f"{looked_at}; none has enough values at its present level for a change to be seen."
    half, most = (share(size, ROUGH) for size in sizes.quantile([0.5, 0.9]))
    if len(report.series) == 1:
        return f"{looked_at}; a change of {half} would have been seen."
    known = "" if len(sizes) == len(report.series) else f" of the {number(len(sizes))} with enough values"
    return f"{looked_at}; in half{known} a change of {half} would have been seen, in nine of ten one of {most}."


def what_recovered(report: Report) -> str:
    """How many levels came back, and how many incidents are over."""
    total = _count(report, "", None)
    parts = [(total.recovered, "regression"), (total.incidents, "incident")]
    return " and ".join(counted(number, noun) for number, noun in parts if number)


def rows_of(table: pd.DataFrame) -> Iterator[Any]:
    """The rows as named tuples."""
    return iter(table.itertuples())


@dataclass(frozen=True)
class Count:
    """What there is of one project, or of all."""

    project: str
    regressions: int
    """Confirmed, not recovered, and not taken on by anybody."""
    recent: int
    """Those of the last 30 days of their project's data."""
    acknowledged: int
    suspected: int
    drifts: int
    recovered: int
    """Levels that came back; incidents that are over are counted by themselves."""
    incidents: int
    improvements: int
    breaches: int
    series: int
    simulated: bool
    as_of: pd.Timestamp

    @property
    def words(self) -> str:
        """What there is, and of regressions, improvements and limits that there are none."""
        return ", ".join(part or none for part, none in self._parts() if part or none)

    @property
    def found(self) -> str:
        """What there is."""
        return ", ".join(part for part, _ in self._parts() if part) or "no findings"

    def _parts(self) -> list[tuple[str, str]]:
        """Each in words, empty where there is none, and what is said then."""
        worse = counted(self.regressions, "regression") if self.regressions else ""
        if 0 <= self.recent < self.regressions:
            worse += f" ({self.recent or 'none'} in the last {counted(RECENT.days, 'day')} of data)"
        if self.acknowledged:
            worse = f"{worse or 'no regressions'} and {number(self.acknowledged)} acknowledged"
        limits = f"{counted(self.breaches, 'limit')} crossed or about to be" if self.breaches else ""
        return [
            (worse, "" if self.drifts else "no regressions"),
            (f"{number(self.suspected)} suspected" if self.suspected else "", ""),
            (f"{counted(self.drifts, 'regression')} little by little" if self.drifts else "", ""),
            (counted(self.improvements, "improvement") if self.improvements else "", "no improvements"),
            (limits, "no limit in danger"),
            (f"{number(self.recovered)} recovered" if self.recovered else "", ""),
            (f"{counted(self.incidents, 'incident')} over" if self.incidents else "", ""),
        ]


def counts(report: Report) -> tuple[Count, list[Count]]:
    """Of everything, and of each project, the one with most to say first."""
    projects = [_count(report, str(name), str(name)) for name in sorted(report.series["project"].unique())]
    order = sorted(projects, key=lambda c: (-c.regressions - c.breaches, -c.suspected, -c.series, c.project))
    return _count(report, "", None), order


def _count(report: Report, name: str, project: str | None) -> Count:
    def own(table: pd.DataFrame) -> pd.DataFrame:
        return table if project is None else table[table["project"] == project]

    series, standing = own(report.series), own(report.standing)
    new = standing[~standing["acknowledged"].astype(bool)]
    newest = new["project"].map(series.groupby("project")["as_of"].max())
    over = own(report.recovered)
    # A snapshot of an earlier version knows no shapes.
    incidents = int((over["shape"] == INCIDENT).sum())
    return Count(
        project=name,
        regressions=len(new),
        recent=int((new["first_bad_at"] >= newest - RECENT).sum()),
        acknowledged=len(standing) - len(new),
        suspected=len(own(report.suspected)),
        drifts=len(own(report.drifts)),
        recovered=len(over) - incidents,
        incidents=incidents,
        improvements=len(own(report.improvements)),
        breaches=len(own(report.breaches)),
        series=len(series),
        simulated=bool(series["simulated"].astype(bool).any()),
        as_of=series["as_of"].max(),
    )


def near_title(row: Any) -> str:
    """One line for a change that is no finding (a row of near_changes): what, how much, since when."""
    return f"{row.title}{only(row)}: {change_of(row)} since {day(row.changed_at)}"


def formula(drivers: pd.DataFrame) -> str:
    """`duration = 12 s + 0.3 s × nodes - 1.2 s × risks`: the linear model of one project's rows of duration_drivers;
    empty where there is none.
    """
    fitted = drivers[drivers["coefficient"].notna() & drivers["intercept"].notna()]
    if fitted.empty:
        return ""
    terms = [quantity(fitted["intercept"].iloc[0], "s")]
    for row in rows_of(fitted):
        sign = "-" if row.coefficient < 0 else "+"
        terms.append(f"{sign} {quantity(abs(row.coefficient), 's')} × {row.driver}")
    return f"duration = {' '.join(terms)}"


def furthest(setting: object, ratio: float) -> str:
    """`node-7 (1.31 times the middle)`: a setting of a row of metric_factors and its ratio to the median setting."""
    if missing(setting):
        return ""
    return str(setting) if pd.isna(ratio) else f"{setting} ({number(ratio)} times the middle)"


def rests_on(evidence: str) -> str:
    """`regressions 12, metric_trends 34`: the rows named by the JSON of a recommendation or insight."""
    entries = json.loads(evidence)
    return ", ".join(" ".join(str(value) for value in entry.values()) for entry in entries)
