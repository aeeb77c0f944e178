"""The report as one page: no network, no JavaScript, light and dark, on a phone and on paper.

Belongs here: which findings become which picture and row of the page. Does not belong here: how a chart looks (charts,
theme), what the findings say (reading).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from duckdb import DuckDBPyConnection

from perf_assets.analysis.durations import describe_runs
from perf_assets.analysis.regressions import RegressionRules
from perf_assets.report import charts, reading
from perf_assets.report.drawing import Undrawn, missing_if_failed, rendered
from perf_assets.report.reading import Handling, Report, read_report, rows_of
from perf_assets.tables import METRIC_TRENDS
from perf_assets.wording import findings, moments, quantities
from perf_assets.wording.quantities import ROUGH, coefficient, counted, number, share, with_interval

MOST_PICTURES, MOST_OTHER_PICTURES = 12, 4
"""Cards of confirmed regressions, and of each other kind of change."""
MOST_NEAR = 25
MOST_ROWS = 300
"""Rows a table of the page shows; of more, the first, and it says so."""
_CAUSES_SHOWN = 2
_WITHIN_DAY_SHOWN = 2
_EPISODES_SHOWN = _PATTERNS_SHOWN = 4
MOST_EPISODES = MOST_PATTERNS = 25


@dataclass(frozen=True)
class Card:
    """A finding with its pictures (SVG)."""

    row: Any
    title: str
    pictures: tuple[str, ...]
    more_places: str = ""
    consistent: tuple[str, ...] = ()


@dataclass(frozen=True)
class Group:
    """Changes of one test or benchmark."""

    name: str
    rows: tuple[Any, ...]


def write_report(con: DuckDBPyConnection, file: Path, report: Report) -> None:
    """Write the page about what `con` (read-only) shows to `file`, whole or not at all; `report` is read from it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    staged = file.with_name(f".{file.name}.writing")
    staged.write_text(render_page(con, report), encoding="utf-8")
    staged.replace(file)


def render_report(
    con: DuckDBPyConnection,
    handling: Handling | None = None,
    overdue: Sequence[str] = (),
    rules: RegressionRules | None = None,
) -> str:
    """The page as HTML: see read_report."""
    return render_page(con, read_report(con, handling, overdue, rules))


def render_page(con: DuckDBPyConnection, report: Report) -> str:
    """The page as HTML, of a report that was read from `con`."""
    from markupsafe import Markup

    template = _template()
    style = Markup((Path(__file__).parent / "page.css").read_text(encoding="utf-8"))  # noqa: S704 - our own file
    if report.empty:
        return str(template.render(report=report, style=style, reading=reading))
    total, projects = reading.counts(report)
    return str(
        template.render(
            report=report,
            style=style,
            total=total,
            projects=projects,
            worse=_cards(con, report, report.standing, MOST_PICTURES),
            suspected=_cards(con, report, report.suspected, MOST_OTHER_PICTURES),
            drifts=_cards(con, report, report.drifts, MOST_OTHER_PICTURES),
            better=_cards(con, report, report.improvements, MOST_OTHER_PICTURES),
            groups=_groups,
            breaches=list(report.breaches.itertuples()),
            breach_pictures=_breach_pictures(con, report),
            forecast_pictures=[*_forecast_pictures(con, report), *_within_day_pictures(con, report)],
            trend_pictures=_trend_pictures(con, report),
            trends=_shown_trends(report),
            unfit=report.node_scores[~report.node_scores["healthy"].astype(bool)],
            odd=report.outliers[report.outliers["verdict"] != "as expected"],
            pictures=_overview_pictures(report),
            descriptions=_descriptions(report.runs),
            episode_pictures=_episode_pictures(con, report),
            pattern_pictures=_pattern_pictures(con, report),
            reading=reading,
        )
    )


def _template() -> Any:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {
        "rows": _first_rows,
        "known": _known,
        "href": _href,
        "short": _short,
        "figure": _figure,
        "interval": _interval,
        "share": _share,
        "share_interval": _share_interval,
        "number": number,
        "counted": counted,
    }
    environment.globals |= {
        "most_rows": MOST_ROWS,
        "most_near": MOST_NEAR,
        "most_episodes": MOST_EPISODES,
        "most_patterns": MOST_PATTERNS,
        "findings": findings,
        "moments": moments,
        "quantities": quantities,
    }
    return environment.get_template("page.html")


def _first_rows(table: pd.DataFrame) -> list[Any]:
    return list(table.head(MOST_ROWS).itertuples())


def _known(value: Any, other: str = "") -> Any:
    return other if value is None or pd.isna(value) else value


def _figure(value: float) -> str:
    return "–" if pd.isna(value) else number(value)


def _interval(value: float, low: float, high: float) -> str:
    return "–" if pd.isna(value) else with_interval(value, low, high, coefficient)


def _share(part: float) -> str:
    return "–" if pd.isna(part) else share(part, ROUGH)


def _share_interval(part: float, low: float, high: float) -> str:
    return "–" if pd.isna(part) else with_interval(part, low, high, _share)


def _short(text: object) -> str:
    return findings.short(text, 36)


def _href(run_url: object) -> str:
    """The address of a run where it is one that a browser may be sent to, else nothing."""
    text = "" if run_url is None or pd.isna(run_url) else str(run_url)
    return text if text.startswith(("https://", "http://")) else ""


def _picture(chart: charts.Chart | Undrawn | None) -> str:
    from markupsafe import Markup

    drawn = rendered(charts.svg, chart)
    if isinstance(drawn, Undrawn):
        return Markup('<p class="soft">{}</p>').format(drawn.sentence)
    # Every text in the picture has been escaped by the renderer.
    return Markup(drawn or "")  # noqa: S704


# Changes


def _cards(con: DuckDBPyConnection, report: Report, changes: pd.DataFrame, most: int) -> list[Card]:
    shown = _with_run_urls(con, changes.head(most))
    values = _values(con, shown["series_id"])
    spans = _level_spans(con, shown["series_id"])
    cards = []
    for row in rows_of(shown):
        members = report.members[report.members["regression_id"] == row.regression_id]
        drawn = [_change_picture(row, report, values, spans)]
        if len(members) >= 3:
            by = _apart(members, ("node_type", "metric") if row.scope == "test" else ("metric", "test_name"))
            words = f"{counted(len(members), 'series')} moved together"
            drawn.append(
                charts.member_strip(
                    members.assign(metric=members["metric"].map(findings.metric_words)), by, words, row.kind
                )
            )
        pictures = tuple(_picture(chart) for chart in drawn if chart is not None)
        causes = report.causes[report.causes["regression_id"] == row.regression_id].head(_CAUSES_SHOWN)
        consistent = tuple(findings.consistency(cause) for cause in rows_of(causes))
        cards.append(Card(row, findings.title(row), pictures, _names(members), consistent))
    return cards


def _apart(members: pd.DataFrame, columns: tuple[str, str]) -> str:
    """The first of the columns in which the members differ, else the last one."""
    return next((column for column in columns if members[column].nunique() > 1), columns[-1])


@missing_if_failed
def _change_picture(
    row: Any, report: Report, values: dict[int, pd.DataFrame], spans: pd.DataFrame
) -> charts.Chart | Undrawn | None:
    if row.series_id not in values:
        return None
    known = report.series.loc[report.series["series_id"] == row.series_id]
    name = str(known["title"].iloc[0]) if len(known) else str(row.scope_name)
    # Of the series shown; the finding's own is the median over its members.
    has_share = row.before != 0 and findings.has_change(row)
    own = quantities.change_in_full((row.after - row.before) / abs(row.before)) if has_share else findings.levels(row)
    at = pd.Timestamp(row.first_bad_at)
    others = spans.loc[(spans["series_id"] == row.series_id) & (spans["part_of_day"] == row.part_of_day), "changed_at"]
    earlier, later = others[others < at], others[others > at]
    return charts.change_chart(
        values[row.series_id], row.before, row.after, at, f"{name}: {own}", row.unit, row.part_of_day,
        metric=str(row.metric), kind=row.kind,
        since=earlier.max() if len(earlier) else None, until=later.min() if len(later) else None,
    )  # fmt: skip


def _names(members: pd.DataFrame, most: int = 4) -> str:
    """The series of a finding, the first few by name."""
    if len(members) < 2:
        return ""
    named = ", ".join(members["title"].head(most))
    return f"{named} and {number(len(members) - most)} more" if len(members) > most else named


def _groups(changes: pd.DataFrame) -> list[Group]:
    """By test or benchmark, in the order of the first change of each."""
    grouped: dict[str, list[Any]] = {}
    for row in rows_of(changes.head(MOST_ROWS)):
        grouped.setdefault(findings.group(row), []).append(row)
    return [Group(name, tuple(rows)) for name, rows in grouped.items()]


def _with_run_urls(con: DuckDBPyConnection, changes: pd.DataFrame) -> pd.DataFrame:
    urls = con.execute(
        "SELECT run_key, project, any_value(run_url) AS url FROM runs WHERE list_contains(?, run_key) GROUP BY ALL",
        [[*changes["last_good_run"].dropna(), *changes["first_bad_run"].dropna()]],
    ).df()
    known = {(row.project, row.run_key): row.url for row in rows_of(urls)}
    return changes.assign(
        last_good_url=pd.Series(
            [known.get((row.project, row.last_good_run)) for row in rows_of(changes)], changes.index
        ),
        first_bad_url=pd.Series(
            [known.get((row.project, row.first_bad_run)) for row in rows_of(changes)], changes.index
        ),
    )


def _values(con: DuckDBPyConnection, series: pd.Series) -> dict[int, pd.DataFrame]:
    rows = con.execute(
        """SELECT series_id, ts, value FROM analysed_measurements WHERE list_contains(?, series_id)
        ORDER BY series_id, ts""",
        [[int(key) for key in series]],
    ).df()
    return dict(iter(rows.groupby("series_id")))


def _level_spans(con: DuckDBPyConnection, series: pd.Series) -> pd.DataFrame:
    return con.execute(
        "SELECT series_id, part_of_day, changed_at FROM change_points WHERE list_contains(?, series_id)",
        [[int(key) for key in series]],
    ).df()


# Forecasts and trends


def _breach_pictures(con: DuckDBPyConnection, report: Report) -> list[str]:
    rows = report.breaches.head(charts.MOST_PANELS)
    keys = rows["series_id"].astype(str).tolist()
    history, forecasts, titles = _forecast_tables(con, report, keys)
    courses = con.execute("SELECT * FROM breach_courses WHERE list_contains(?, unique_id) ORDER BY ALL", [keys]).df()
    # Where no course leads to the limit, the forecast shows that.
    ahead = pd.concat((courses, forecasts[~forecasts["unique_id"].isin(courses["unique_id"])]), ignore_index=True)
    return [_picture(chart) for chart in charts.breach_panels(rows, history, ahead, titles)]


def _forecast_pictures(con: DuckDBPyConnection, report: Report) -> list[str]:
    """Forecasts of the most important series of each metric: one series a metric, by importance in the catalogue."""
    order = ["critical", "high", "important", "medium", "low"]
    rank = report.series["importance"].map({name: number for number, name in enumerate(order)}).fillna(len(order))
    forecast = report.models.loc[report.models["chosen"].astype(bool), "series_id"]
    headline = report.series["metric"] != "tests_per_hour"
    known = report.series.assign(rank=rank, other=headline)[report.series["series_id"].isin(forecast)]
    unseen = known[~known["series_id"].isin(report.breaches["series_id"])]
    chosen = unseen.sort_values(["other", "rank", "measurements", "series_id"], ascending=[True, True, False, True])
    chosen = chosen.drop_duplicates("metric") if chosen["metric"].nunique() > 2 else chosen
    keys = chosen.head(4)["series_id"].astype(str).tolist()
    return [_picture(chart) for chart in charts.forecast_panels(*_forecast_tables(con, report, keys))]


def _within_day_pictures(con: DuckDBPyConnection, report: Report) -> list[str]:
    """The next day of the series with the strongest daily patterns."""
    keys = con.execute(
        """SELECT p.series_id :: VARCHAR AS key FROM seasonal_patterns p
        WHERE p.period = 'daily' AND p.significant
          AND p.series_id IN (SELECT unique_id :: BIGINT FROM within_day_forecasts)
        ORDER BY p.strength DESC, p.series_id LIMIT ?""",
        [_WITHIN_DAY_SHOWN],
    ).df()["key"]
    history = con.execute(
        """SELECT s.series_id :: VARCHAR AS unique_id, s.metric, s.unit, b.ts AS ds, b.value AS y
        FROM metric_series s JOIN series_buckets b USING (series_id)
        WHERE list_contains(?, s.series_id :: VARCHAR) ORDER BY unique_id, ds""",
        [keys.tolist()],
    ).df()
    ahead = con.execute(
        "SELECT * FROM within_day_forecasts WHERE list_contains(?, unique_id) ORDER BY unique_id, ds", [keys.tolist()]
    ).df()
    titles = _titles(report, keys.tolist(), ": the next day")
    return [_picture(chart) for chart in charts.forecast_panels(history, ahead, titles)]


def _titles(report: Report, keys: list[str], more: str = "") -> dict[str, str]:
    series = report.series.set_index(report.series["series_id"].astype(str))
    labels = series["title"] + more + np.where(series["simulated"].astype(bool), " (simulated)", "")
    return {key: str(labels[key]) for key in keys}


def _forecast_tables(
    con: DuckDBPyConnection, report: Report, keys: list[str]
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, str]]:
    """History by day (or by the series' own wider bucket), forecasts and titles of the series, in that order."""
    history = con.execute(
        """SELECT s.series_id :: VARCHAR AS unique_id, s.metric, s.unit,
          time_bucket(to_seconds(greatest(s.bucket_seconds, 86400)), b.ts, TIMESTAMP '1970-01-05') AS ds,
          avg(b.value) AS y
        FROM metric_series s JOIN series_buckets b USING (series_id) WHERE list_contains(?, s.series_id :: VARCHAR)
        GROUP BY ALL ORDER BY unique_id, ds""",
        [keys],
    ).df()
    forecasts = con.execute(
        "SELECT * FROM metric_forecasts WHERE list_contains(?, unique_id) ORDER BY unique_id, ds", [keys]
    ).df()
    return history, forecasts, _titles(report, keys)


def _trend_pictures(con: DuckDBPyConnection, report: Report) -> list[str]:
    drifting = report.trends[report.trends["verdict"].isin(["worse", "better"])]
    by_series = _buckets(con, drifting["series_id"].head(50))
    buckets = pd.concat(by_series.values()) if by_series else pd.DataFrame(columns=["series_id", "ts", "value"])
    trends = drifting.head(50)[[column.name for column in METRIC_TRENDS.columns]]
    return [_picture(chart) for chart in charts.trend_panels(trends, report.series, buckets)[:4]]


def _shown_trends(report: Report) -> pd.DataFrame:
    """Series with a trend, for the worse first, and the few without that come nearest to one."""
    order = report.trends["verdict"].map({"worse": 0, "better": 1, "rising": 2, "falling": 2})
    ordered = report.trends.assign(order=order).sort_values(["order", "q_value"], kind="stable")
    return pd.concat([ordered[ordered["order"].notna()].head(60), ordered[ordered["order"].isna()].head(10)])


# Behaviour


def _episode_pictures(con: DuckDBPyConnection, report: Report) -> list[str]:
    """The episodes furthest from what was expected, one a series."""
    furthest = report.anomalies.sort_values("score", ascending=False, kind="stable").drop_duplicates("series_id")
    shown = furthest.head(_EPISODES_SHOWN)
    buckets = _buckets(con, shown["series_id"])
    own = {key: rows for key, rows in report.anomalies.groupby("series_id")}  # noqa: C416 - keeps its types
    drawn = [charts.episode_chart(buckets[row.series_id], row, own[row.series_id]) for row in rows_of(shown)]
    return [_picture(chart) for chart in drawn if chart is not None]


def _pattern_pictures(con: DuckDBPyConnection, report: Report) -> list[str]:
    """The strongest patterns, one a metric and period."""
    shown = report.patterns.drop_duplicates(["metric", "period"]).head(_PATTERNS_SHOWN)
    profiles = con.execute(
        "SELECT * FROM seasonal_profiles WHERE list_contains(?, series_id)",
        [[int(key) for key in shown["series_id"]]],
    ).df()
    drawn = []
    for row in rows_of(shown):
        own = profiles[(profiles["series_id"] == row.series_id) & (profiles["period"] == row.period)]
        drawn.append(charts.pattern_chart(own, row))
    return [_picture(chart) for chart in drawn if chart is not None]


def _buckets(con: DuckDBPyConnection, series: pd.Series) -> dict[int, pd.DataFrame]:
    """ts and value of the regular values of the series, by series_id."""
    rows = con.execute(
        "SELECT series_id, ts, value FROM series_buckets WHERE list_contains(?, series_id) ORDER BY series_id, ts",
        [[int(key) for key in series]],
    ).df()
    return dict(iter(rows.groupby("series_id")))


# Pictures of whole tables


def _descriptions(runs: pd.DataFrame) -> list[tuple[str, list[Any]]]:
    """Projects with scenario runs, and the rows of describe_runs of each."""
    timed = runs[runs["duration"].notna()]
    return [(str(project), list(describe_runs(own).itertuples())) for project, own in timed.groupby("project")]


def _overview_pictures(report: Report) -> dict[str, str]:
    drawings: Sequence[tuple[str, Callable[[pd.DataFrame], charts.Chart | Undrawn | None], pd.DataFrame]] = (
        ("nodes", charts.node_ranking, report.node_scores),
        ("plan", charts.schedule, report.plan),
        ("correlations", charts.correlation_heatmap, report.correlations),
        ("drivers", charts.driver_scatter, report.runs),
        ("run_correlations", charts.run_heatmap, report.runs),
        ("residuals", charts.residuals, report.outliers),
        ("efficiency", charts.efficiency, report.efficiency),
        ("models", charts.model_choice, report.models),
    )
    return {name: _picture(draw(table)) for name, draw, table in drawings}


__all__ = ["render_page", "render_report", "write_report"]
