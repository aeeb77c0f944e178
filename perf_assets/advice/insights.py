"""Key insights: what to read first, in words, with the figures it rests on."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd

from perf_assets.advice.identifiers import advice_id
from perf_assets.advice.recommendations import Findings, breaches_ahead
from perf_assets.analysis.durations import WELL_EXPLAINED, complete_runs, fit_duration_model, largest_influence
from perf_assets.analysis.season_words import pattern_name
from perf_assets.tables import KEY_INSIGHTS
from perf_assets.wording.findings import (
    breach,
    breach_odds,
    change_with_interval,
    episode,
    levels,
    metric_words,
    pattern,
    recovery,
    run_name,
    title,
)
from perf_assets.wording.moments import day, moment, span
from perf_assets.wording.quantities import ROUGH, coefficient, counted, interval, number, q_value, quantity, share

SILENCE_IS_NEWS_DAYS, ANOMALY_IS_NEWS_DAYS = 30, 7
_MOST_FALSE = 0.05
"""False-discovery rate up to which a change of pattern is news."""
INSIGHT_COLUMNS = KEY_INSIGHTS.names


@dataclass(frozen=True)
class Behaviour:
    """How series behave: the tables of these names (`patterns` is seasonal_patterns)."""

    stopped_reporting: pd.DataFrame
    anomalies: pd.DataFrame
    """Those that no change of level explains (`perf_assets.analysis.anomalies.passing`)."""
    joint_anomalies: pd.DataFrame
    patterns: pd.DataFrame
    pattern_changes: pd.DataFrame


def key_insights(
    findings: Findings,
    behaviour: Behaviour,
    runs: pd.DataFrame,
    drivers: pd.DataFrame,
    models: pd.DataFrame,
    efficiency: pd.DataFrame,
) -> pd.DataFrame:
    """Insights with the columns INSIGHT_COLUMNS, in order of reading.

    `runs`: scenario runs (project, run_id, scenario, duration, nodes, edges, observations, risks); `drivers`, `models`
    and `efficiency`: the tables duration_drivers, duration_models and scenario_efficiency.
    """
    found = [
        *_about_changes(findings),
        *_about_breaches(findings),
        *_about_silence(behaviour.stopped_reporting, findings.series),
        *_about_pattern_changes(behaviour.pattern_changes, findings.series),
        *_about_anomalies(behaviour.anomalies, findings.series),
        *_about_joint_anomalies(behaviour.joint_anomalies, findings.series),
        *about_scenarios(runs, drivers, models, efficiency),
        *_about_patterns(behaviour.patterns, findings.series),
    ]
    rows = [
        {**insight, "insight_id": advice_id(insight["project"], insight["kind"], insight["subject"])}
        for insight in found
    ]
    table = pd.DataFrame(rows, columns=list(INSIGHT_COLUMNS)).drop_duplicates("insight_id", ignore_index=True)
    return table.assign(rank=range(1, len(table) + 1))


def _about_changes(findings: Findings) -> Iterator[dict[str, object]]:
    ordered = findings.regressions.sort_values(["kind", "members"], ascending=[False, False])
    for row in ordered.itertuples():
        yield {
            "project": row.project,
            "kind": row.kind,
            "subject": row.regression_id,
            "title": title(row),
            "text": f"{row.explanation} {_levels_and_size(row)}, {row.state}{recovery(row)}; {_runs(row)}.",
            "evidence": json.dumps({"table": "regressions", "regression_id": str(row.regression_id)}),
            "simulated": bool(row.simulated),
        }


def _runs(row: Any) -> str:
    if pd.isna(row.last_good_run):
        return f"it began with run {run_name(row.first_bad_run)}"
    return f"last good run {run_name(row.last_good_run)}, first of the new level {run_name(row.first_bad_run)}"


def _levels_and_size(row: Any) -> str:
    size = change_with_interval(row).replace(" (", ", ").removesuffix(")")
    return f"From {levels(row)}" + (f" ({size})" if size else "")


def _about_breaches(findings: Findings) -> Iterator[dict[str, object]]:
    for row in breaches_ahead(findings).itertuples():
        yield {
            "project": row.project,
            "kind": "breach",
            "subject": row.series_id,
            "title": f"{row.title} {breach(row)}",
            "text": f"Now {quantity(row.last_value, row.unit)}, limit {quantity(row.limit_value, row.unit)}"
            f"{'' if row.already_breached else ': ' + breach_odds(row)}.",
            "evidence": json.dumps({"table": "breach_outlook", "series_id": str(row.series_id)}),
            "simulated": bool(row.simulated),
        }


def _about_silence(stopped: pd.DataFrame, series: pd.DataFrame) -> Iterator[dict[str, object]]:
    # What was removed as a whole is no news, and neither is what has been silent for long.
    newest = stopped["project"].map(series.groupby("project")["as_of"].max().to_dict())
    recent = pd.to_datetime(newest) - stopped["last_seen"] <= pd.Timedelta(days=SILENCE_IS_NEWS_DAYS)
    silent = stopped[(stopped["verdict"] == "stopped_reporting") & recent]
    for (project, scope, name), together in silent.groupby(["project", "scope", "scope_name"], sort=True):
        first = together.sort_values("series_id").iloc[0]
        what = f"node {name}" if scope == "node" else str(name)
        count = counted(len(together), "series") if len(together) > 1 else "It"
        gap = int(first["longest_gap_hours"])
        before = f"the longest silence before was {number(gap)} of them" if gap else "none was missed before"
        yield {
            "project": project,
            "kind": "stopped_reporting",
            "subject": f"{scope} {name}",
            "title": f"{what} has not reported since {moment(together['last_seen'].max())}",
            "text": f"{count} reported in {_rough(first['expected_share'])} of the hours with runs of its kind, and in "
            f"none of the last {number(first['silent_hours'])}; {before}.",
            "evidence": json.dumps({"table": "stopped_reporting", "series_id": str(first["series_id"])}),
            "simulated": bool(together["simulated"].all()),
        }


def _about_pattern_changes(changes: pd.DataFrame, series: pd.DataFrame) -> Iterator[dict[str, object]]:
    sure = changes[changes["q_value"] <= _MOST_FALSE].merge(
        series[["series_id", "project", "title", "simulated"]], on="series_id"
    )
    for row in sure.sort_values(["changed_at", "series_id"], ascending=[False, True]).itertuples():
        yield {
            "project": row.project,
            "kind": "pattern_changed",
            "subject": f"{row.series_id} {row.period}",
            "title": f"{row.title}: {pattern_name(row.period)} changed on {day(row.changed_at)}",
            "text": row.sentence,
            "evidence": json.dumps({"table": "pattern_changes", "series_id": str(row.series_id), "period": row.period}),
            "simulated": bool(row.simulated),
        }


def _about_anomalies(anomalies: pd.DataFrame, series: pd.DataFrame) -> Iterator[dict[str, object]]:
    known = anomalies.merge(series[["series_id", "project", "title", "unit", "as_of", "simulated"]], on="series_id")
    for project, recent in _recent(known).groupby("project", sort=True):
        furthest = recent.sort_values(["score", "episode_start"], ascending=False, kind="stable").iloc[0]
        where = f"{furthest['title']} on {moment(furthest['episode_start'])}, {episode(furthest)}"
        yield {
            "project": project,
            "kind": "anomalies",
            "subject": "anomalies",
            "title": f"{counted(recent['series_id'].nunique(), 'series')} left the usual range in the last "
            f"{counted(ANOMALY_IS_NEWS_DAYS, 'day')}",
            "text": f"{'Furthest' if len(recent) > 1 else 'It is'}: {where}.",
            "evidence": json.dumps(
                {
                    "table": "anomalies",
                    "series_id": str(furthest["series_id"]),
                    "episode_start": str(furthest["episode_start"]),
                }
            ),
            "simulated": bool(recent["simulated"].all()),
        }


def _about_joint_anomalies(anomalies: pd.DataFrame, series: pd.DataFrame) -> Iterator[dict[str, object]]:
    of_projects = series.groupby("project", as_index=False).agg(as_of=("as_of", "max"), simulated=("simulated", "any"))
    for row in _recent(anomalies.merge(of_projects, on="project")).itertuples():
        yield {
            "project": row.project,
            "kind": "joint_anomaly",
            "subject": f"{row.node_id} {row.episode_start}",
            "title": f"Metrics of node {row.node_id} were unusual together on {day(row.episode_start)}",
            "text": f"{metric_words(row.metrics)}, from {span(row.episode_start, row.episode_end)}, though perhaps no "
            f"single one was ({q_value(row.q_value)}).",
            "evidence": json.dumps(
                {"table": "joint_anomalies", "node_id": row.node_id, "episode_start": str(row.episode_start)}
            ),
            "simulated": bool(row.simulated),
        }


def _recent(episodes: pd.DataFrame) -> pd.DataFrame:
    """Those (with `as_of`) that ended within the last days of their project's results, the newest first."""
    newest = pd.to_datetime(episodes["as_of"])
    recent = episodes[pd.to_datetime(episodes["episode_end"]) > newest - pd.Timedelta(days=ANOMALY_IS_NEWS_DAYS)]
    return recent.sort_values("episode_start", ascending=False, kind="stable")


def _about_patterns(patterns: pd.DataFrame, series: pd.DataFrame) -> Iterator[dict[str, object]]:
    known = patterns.merge(series[["series_id", "project", "title", "simulated"]], on="series_id")
    for project, own in known.groupby("project", sort=True):
        found = own[own["significant"].astype(bool)]
        if found.empty:
            continue
        tested, repeating = own.groupby("period").size(), found.groupby("period").size()
        counts = [f"{number(repeating[period])} of {number(tested[period])} {period}" for period in repeating.index]
        clear = found.sort_values(["strength", "series_id"], ascending=[False, True], kind="stable").iloc[0]
        yield {
            "project": project,
            "kind": "patterns",
            "subject": "patterns",
            "title": f"Series that repeat: {', '.join(counts)}",
            "text": f"The clearest is the {clear['period']} one of {clear['title']}, "
            f"{_rough(clear['strength'])} of its variance: {pattern(clear)}.",
            "evidence": json.dumps(
                {"table": "seasonal_patterns", "series_id": str(clear["series_id"]), "period": clear["period"]}
            ),
            "simulated": bool(found["simulated"].all()),
        }


_LARGE_GAP = 0.2
_MODELS = {
    "three features": "the linear model of nodes, edges and observations",
    "all columns": "the linear model of all recorded columns",
    "logarithms": "the model of logarithms",
    "gradient boosting": "gradient boosting",
}


def about_scenarios(
    runs: pd.DataFrame, drivers: pd.DataFrame, models: pd.DataFrame, efficiency: pd.DataFrame
) -> Iterator[dict[str, object]]:
    """Insights about scenario runs, with INSIGHT_COLUMNS but for insight_id and rank (see `key_insights`)."""
    for project, own in drivers.groupby("project", sort=True):
        known = own.dropna(subset=["correlation"])
        if not known.empty:
            top = known.loc[known["correlation"].abs().idxmax()]
            rises = "longer" if top["correlation"] > 0 else "shorter"
            yield _scenario(
                project, "strongest_predictor", f"Strongest predictor of duration: {top['driver']}",
                f"Correlation {coefficient(top['correlation'])} ({top['strength']}): more {top['driver']} goes along "
                f"with {rises} runs. A correlation is no cause.",
                {"table": "duration_drivers", "driver": top["driver"]},
            )  # fmt: skip
        judged = models[models["project"] == project]
        if judged["chosen"].any():
            yield _prediction(str(project), runs[runs["project"] == project], own, judged)
        yield from _extremes(str(project), efficiency[efficiency["project"] == project])


def _prediction(project: str, runs: pd.DataFrame, drivers: pd.DataFrame, models: pd.DataFrame) -> dict[str, object]:
    chosen = models[models["chosen"]].iloc[0]
    in_time = pd.notna(chosen["r_squared_time_ordered"])
    later = f"{_figure(chosen, 'time_ordered')} for later runs and " if in_time else ""
    columns = chosen["columns"].split(", ")
    # A claim must hold for runs to come, so the lower end of the interval decides.
    borne_out = float(chosen["borne_out"])
    explained = borne_out > WELL_EXPLAINED / 2
    if explained:
        how = "well" if borne_out > WELL_EXPLAINED else "partly"
        title = f"Duration is {how} explained by {', '.join(columns[:-1])} and {columns[-1]}"
    else:
        title = "Duration is not explained reliably by what is recorded"
    model = _MODELS[chosen["model"]]
    sentences = [
        f"{model[0].upper()}{model[1:]} predicts new runs best: R² {later}{_figure(chosen, 'left_out')} "
        "for runs left out.",
        f"It explains at least {_whole(borne_out)} of how their durations differ."
        if borne_out > 0
        else "New runs do not show that it explains anything.",
        *_new_scenarios(chosen, borne_out),
        *_shares(drivers),
        *_pull(runs, chosen),
        *_in_sample(drivers.iloc[0]),
    ]
    if not explained:
        sentences.append(_rest(models))
    return _scenario(
        project, "prediction_accuracy", title, " ".join(sentences),
        {"table": "duration_models", "model": chosen["model"]},
    )  # fmt: skip


def _figure(row: pd.Series, of: str) -> str:
    value, low, high = (row[f"r_squared_{of}{end}"] for end in ("", "_low", "_high"))
    return f"{coefficient(value)} ({interval(low, high, coefficient)})"


def _whole(ratio: float) -> str:
    """Rounded down, as it is a lower limit."""
    return share(math.floor(100.0 * ratio) / 100.0)


def _new_scenarios(chosen: pd.Series, borne_out: float) -> Iterator[str]:
    if not borne_out > 0:
        return
    if chosen["r_squared_grouped_low"] > 0:
        yield f"For a scenario that it has not seen R² is {_figure(chosen, 'grouped')}."
    else:
        yield "A scenario that it has not seen is beyond the model."


def _rough(part: float) -> str:
    return share(part, ROUGH)


def _shares(drivers: pd.DataFrame) -> Iterator[str]:
    known = drivers.dropna(subset=["share"])
    if known.empty:
        return
    top = known.loc[known["share"].idxmax()]
    yield (
        f"Of what it explains, {_rough(top['share'])} comes from {top['permuted_together'].replace(', ', ' and ')} "
        f"({interval(top['share_low'], top['share_high'], _rough)})."
    )


def _pull(runs: pd.DataFrame, chosen: pd.Series) -> Iterator[str]:
    complete = complete_runs(runs)
    model = fit_duration_model(complete)
    influence = largest_influence(complete, model) if model is not None else None
    if influence is None or not influence.overwhelming:
        return
    run = complete.iloc[influence.run]
    with_it, without_it = (quantity(effect, "s") for effect in (influence.with_it, influence.without_it))
    yield (
        f"One run of {run['scenario']} ({number(run[influence.feature])} {influence.feature}) has a leverage of "
        f"{coefficient(influence.leverage)}: the linear model has {with_it} for each of the {influence.feature} "
        f"with it, and {without_it} without it."
    )
    if pd.notna(chosen["r_squared_without_run"]):
        yield f"Without that run the model above has R² {_figure(chosen, 'without_run')}."


def _in_sample(linear: pd.Series) -> Iterator[str]:
    fitted, outside = linear["r_squared"], linear["r_squared_cross_validated"]
    if pd.isna(fitted) or fitted - outside <= _LARGE_GAP:
        return
    ends = linear["r_squared_low"], linear["r_squared_high"]
    yield (
        f"R² {coefficient(fitted)} of the linear model of nodes, edges and observations on the "
        f"{counted(linear['runs'], 'run')} it was fitted to does not carry over to runs it has not seen: "
        f"{coefficient(outside)} leaving each one out ({interval(*ends, coefficient)})."
    )


def _rest(models: pd.DataFrame) -> str:
    judged = ["r_squared_time_ordered_high", "r_squared_left_out_high", "r_squared_without_run_high"]
    most = models[judged].max().max()
    columns = max(models["columns"], key=len)
    if most < WELL_EXPLAINED / 2:
        return (
            f"What decides most of it has not been recorded: no model of {columns} explains more than "
            f"{share(math.ceil(100.0 * max(most, 0.0)) / 100.0)} of how new runs differ."
        )
    return f"More runs will show how much {columns} decide."


def _extremes(project: str, efficiency: pd.DataFrame) -> Iterator[dict[str, object]]:
    if efficiency.empty:
        return
    slowest = efficiency.loc[efficiency["duration_mean"].idxmax()]
    yield _scenario(
        project, "slowest_scenario", f"Slowest scenario: {slowest['scenario']}",
        f"{quantity(slowest['duration_mean'], 's')} on average over {counted(slowest['runs'], 'run')}.",
        {"table": "scenario_efficiency", "scenario": slowest["scenario"]},
    )  # fmt: skip
    varied = efficiency.dropna(subset=["duration_sd"])
    if not varied.empty:
        most = varied.loc[varied["duration_sd"].idxmax()]
        yield _scenario(
            project, "most_variable_scenario", f"Most variable scenario: {most['scenario']}",
            f"Standard deviation {quantity(most['duration_sd'], 's')} over {counted(most['runs'], 'run')}; "
            f"{'so few runs say little, run it again before acting' if most['runs'] < 5 else 'worth investigating'}.",
            {"table": "scenario_efficiency", "scenario": most["scenario"]},
        )  # fmt: skip


def _scenario(project: object, kind: str, title: str, text: str, evidence: dict[str, object]) -> dict[str, object]:
    return {
        "project": project, "kind": kind, "subject": kind, "title": title, "text": text,
        "evidence": json.dumps(evidence), "simulated": False,
    }  # fmt: skip
