"""Key insights: what to read first, in words, with the figures it rests on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pandas as pd

from perf_assets.advice.identifiers import advice_id
from perf_assets.advice.recommendations import Findings, breaches_ahead
from perf_assets.advice.wording import breach_odds, change, day, levels, metric_words, moment, quantity, share, subject
from perf_assets.analysis.durations import (
    WELL_EXPLAINED,
    DurationModel,
    complete_runs,
    fit_duration_model,
    largest_influence,
    recorded_rivals,
)
from perf_assets.analysis.level_changes import ALL_DAY

SILENCE_IS_NEWS_DAYS = 30
INSIGHT_COLUMNS = ("insight_id", "rank", "project", "kind", "title", "text", "evidence", "simulated")


def key_insights(
    findings: Findings, runs: pd.DataFrame, drivers: pd.DataFrame, efficiency: pd.DataFrame, stopped: pd.DataFrame
) -> pd.DataFrame:
    """Insights with the columns INSIGHT_COLUMNS, in order of reading.

    `runs`: scenario runs (project, run_id, scenario, duration, nodes, edges, observations, risks); `drivers`,
    `efficiency` and `stopped`: the tables duration_drivers, scenario_efficiency and stopped_reporting.
    """
    found = [
        *_about_changes(findings),
        *_about_breaches(findings),
        *_about_silence(stopped, findings.series),
        *_about_scenarios(runs, drivers, efficiency),
    ]
    rows = [
        {**insight, "insight_id": advice_id(insight["project"], insight["kind"], insight["subject"])}
        for insight in found
    ]
    table = pd.DataFrame(rows, columns=list(INSIGHT_COLUMNS)).drop_duplicates("insight_id", ignore_index=True)
    return table.assign(rank=range(1, len(table) + 1))


def change_title(row: Any) -> str:
    """One line for a regression or improvement (a row of regressions): what, how much, since when."""
    when = "" if row.part_of_day == ALL_DAY else f" ({row.part_of_day})"
    words = metric_words(row.metric)
    what = f"{words} {change(row)}" if row.scope != "series" else change(row)
    return f"{subject(row)}{when}: {what} since {moment(row.first_bad_at)}"


def _about_changes(findings: Findings) -> Iterator[dict[str, object]]:
    ordered = findings.regressions.sort_values(["kind", "members"], ascending=[False, False])
    for row in ordered.itertuples():
        yield {
            "project": row.project,
            "kind": row.kind,
            "subject": row.regression_id,
            "title": change_title(row),
            "text": f"{row.explanation} {_levels_and_size(row)}, {row.state}{recovery(row)}; {_runs(row)}.",
            "evidence": json.dumps({"table": "regressions", "regression_id": str(row.regression_id)}),
            "simulated": bool(row.simulated),
        }


def _runs(row: Any) -> str:
    if pd.isna(row.last_good_run):
        return f"it began with run {row.first_bad_run}"
    return f"last good run {row.last_good_run}, first of the new level {row.first_bad_run}"


def _levels_and_size(row: Any) -> str:
    if pd.isna(row.change):
        return f"From {levels(row)}"
    if pd.isna(row.change_low):
        return f"From {levels(row)} ({share(row.change)})"
    interval = f"95 % interval {share(row.change_low)} to {share(row.change_high)}"
    return f"From {levels(row)} ({share(row.change)}, {interval})"


def recovery(row: Any) -> str:
    """`, recovered 2026-01-12` for a regression (a row of regressions) that no longer stands, `, until 2026-01-12` for
    an improvement, else nothing.
    """
    how = "recovered" if row.kind == "regression" else "until"
    return "" if pd.isna(row.recovered_at) else f", {how} {day(row.recovered_at)}"


def _about_breaches(findings: Findings) -> Iterator[dict[str, object]]:
    for row in breaches_ahead(findings).itertuples():
        when = "is beyond its limit" if row.already_breached else f"will pass its limit about {day(row.breach_date)}"
        yield {
            "project": row.project,
            "kind": "breach",
            "subject": row.series_id,
            "title": f"{row.title} {when}",
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
        count = f"{len(together)} series" if len(together) > 1 else "It"
        gap = int(first["longest_gap_hours"])
        before = f"the longest silence before was {gap} of them" if gap else "none was missed before"
        yield {
            "project": project,
            "kind": "stopped_reporting",
            "subject": f"{scope} {name}",
            "title": f"{what} has not reported since {moment(together['last_seen'].max())}",
            "text": f"{count} reported in {first['expected_share']:.0%} of the hours with runs of its kind, and in "
            f"none of the last {int(first['silent_hours'])}; {before}.",
            "evidence": json.dumps({"table": "stopped_reporting", "series_id": str(first["series_id"])}),
            "simulated": bool(together["simulated"].all()),
        }


_LARGE_GAP, _CLEARLY_MORE, _LARGE_LEVERAGE = 0.2, 0.1, 0.5


def _about_scenarios(
    runs: pd.DataFrame, drivers: pd.DataFrame, efficiency: pd.DataFrame
) -> Iterator[dict[str, object]]:
    for project, own in drivers.groupby("project", sort=True):
        known = own.dropna(subset=["correlation"])
        if not known.empty:
            top = known.loc[known["correlation"].abs().idxmax()]
            rises = "longer" if top["correlation"] > 0 else "shorter"
            yield _scenario(
                project, "strongest_predictor", f"Strongest predictor of duration: {top['driver']}",
                f"Correlation {top['correlation']:.3f} ({top['strength']}): more {top['driver']} goes along with "
                f"{rises} runs. A correlation is no cause.",
                {"table": "duration_drivers", "driver": top["driver"]},
            )  # fmt: skip
        if own["r_squared"].notna().any():
            yield _prediction(str(project), runs[runs["project"] == project], own.iloc[0])
        yield from _extremes(str(project), efficiency[efficiency["project"] == project])


def _prediction(project: str, runs: pd.DataFrame, model: pd.Series) -> dict[str, object]:
    outside, low = float(model["r_squared_cross_validated"]), float(model["r_squared_low"])
    figures = (
        f"R² {model['r_squared']:.3f} on the {int(model['runs'])} runs it was fitted to, {outside:.3f} leaving each "
        f"one out (95 % interval {low:.2f} to {model['r_squared_high']:.2f})"
    )
    # What is claimed must hold for runs to come, so the lower end of the interval decides.
    if low > WELL_EXPLAINED:
        title, reason = "Duration is well explained by nodes, edges and observations", ""
    elif low > WELL_EXPLAINED / 2:
        title, reason = "Duration is partly explained by nodes, edges and observations", " Other factors matter too."
    else:
        title = "Duration is not explained reliably by nodes, edges and observations"
        reason = f" {_why_unreliable(runs, outside)}"
    return _scenario(project, "prediction_accuracy", title, f"{figures}.{reason}", {"table": "duration_drivers"})


def _why_unreliable(runs: pd.DataFrame, outside: float) -> str:
    complete = complete_runs(runs)
    model = fit_duration_model(complete)
    if model is None:
        return ""
    sentences = []
    if model.r_squared - outside > _LARGE_GAP:
        sentences.append(
            f"The fit does not carry over to runs it has not seen: {len(complete)} runs are few for three features "
            f"that rise together{_pull(complete, model)}."
        )
    rivals = recorded_rivals(complete)
    best = max(rivals, key=rivals.__getitem__, default="")
    if best and rivals[best] > max(outside, 0.0) + _CLEARLY_MORE:
        model_by = f"{best} beside them" if best == "risks" else best
        sentences.append(
            f"What else is recorded says more: a model by {model_by} has R² {rivals[best]:.3f} leaving each run out."
        )
    elif not sentences:
        nor = f", and neither does what else is recorded ({', '.join(rivals)})" if rivals else ""
        sentences.append(f"The three say little about the duration of a run{nor}.")
    return " ".join(sentences)


def _pull(runs: pd.DataFrame, model: DurationModel) -> str:
    influence = largest_influence(runs, model)
    if influence is None or influence.leverage < _LARGE_LEVERAGE:
        return ""
    run = runs.iloc[influence.run]
    with_it, without_it = (quantity(effect, "s") for effect in (influence.with_it, influence.without_it))
    return (
        f", and one run of {run['scenario']} ({run[influence.feature]:,.0f} {influence.feature}) has a leverage of "
        f"{influence.leverage:.2f}: the model has {with_it} for each of the {influence.feature} with it, and "
        f"{without_it} without it"
    )


def _extremes(project: str, efficiency: pd.DataFrame) -> Iterator[dict[str, object]]:
    if efficiency.empty:
        return
    slowest = efficiency.loc[efficiency["duration_mean"].idxmax()]
    yield _scenario(
        project, "slowest_scenario", f"Slowest scenario: {slowest['scenario']}",
        f"{quantity(slowest['duration_mean'], 's')} on average over {int(slowest['runs'])} runs.",
        {"table": "scenario_efficiency", "scenario": slowest["scenario"]},
    )  # fmt: skip
    varied = efficiency.dropna(subset=["duration_sd"])
    if not varied.empty:
        most = varied.loc[varied["duration_sd"].idxmax()]
        yield _scenario(
            project, "most_variable_scenario", f"Most variable scenario: {most['scenario']}",
            f"Standard deviation {quantity(most['duration_sd'], 's')} over {int(most['runs'])} runs; "
            f"{'so few runs say little, run it again before acting' if most['runs'] < 5 else 'worth investigating'}.",
            {"table": "scenario_efficiency", "scenario": most["scenario"]},
        )  # fmt: skip


def _scenario(project: object, kind: str, title: str, text: str, evidence: dict[str, object]) -> dict[str, object]:
    return {
        "project": project, "kind": kind, "subject": kind, "title": title, "text": text,
        "evidence": json.dumps(evidence), "simulated": False,
    }  # fmt: skip
