"""What an alert consists of. Findings in, alerts out; how a channel shows them, and when, is not known here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import pandas as pd

from perf_assets.wording import findings
from perf_assets.wording.moments import moment
from perf_assets.wording.quantities import chance, counted, level_pair, missing, number

Severity = Literal["regression", "improvement", "breach", "failure"]


@dataclass(frozen=True)
class Alert:
    """One message, the same whatever channel carries it.

    `facts` are (name, value) pairs in the order of reading. `happened_at` (UTC) puts alerts in order; without it
    an alert counts as the newest.
    """

    alert_id: str
    title: str
    summary: str
    facts: tuple[tuple[str, str], ...]
    severity: Severity
    simulated: bool
    link: str | None
    happened_at: datetime | None = None


def alerts_from_regressions(regressions: pd.DataFrame, link: str | None = None) -> list[Alert]:
    """Alerts for the confirmed rows of the regressions table (regressions and improvements), newest first.

    `link` is the address of the page that shows them, if there is one.
    """
    confirmed = regressions[regressions["state"] == "confirmed"]
    newest_first = confirmed.sort_values(["first_bad_at", "regression_id"], ascending=[False, True], kind="stable")
    return [_alert_from_regression(row, link) for row in newest_first.itertuples(index=False)]


def failed_run_alert(run_id: str, job: str, error: str, when: datetime) -> Alert:
    """The alert for a run that failed; `error` is shown as it is, cut by the channel where it is too long."""
    return Alert(
        alert_id=f"failed-run-{run_id}",
        title=f"Run of {job} failed at {moment(when)}",
        summary=error or "The run left no error message.",
        facts=(("Job", job), ("Run", run_id), ("Failed at", moment(when))),
        severity="failure",
        simulated=False,
        link=None,
        happened_at=_utc(when),
    )


def _alert_from_regression(row: Any, link: str | None) -> Alert:
    return Alert(
        alert_id=f"regression-{row.regression_id}",
        title=_title(row),
        summary=_text(row.explanation) or _title(row),
        facts=_facts(row),
        severity="improvement" if row.kind == "improvement" else "regression",
        simulated=bool(row.simulated),
        link=link,
        happened_at=None if missing(row.first_bad_at) else _utc(row.first_bad_at),
    )


def _title(row: Any) -> str:
    label = "[simulated] " if row.simulated else ""
    return f"{label}{str(row.kind).capitalize()} in {findings.title(row)} ({', '.join(_circumstances(row))})"


def _circumstances(row: Any) -> list[str]:
    cause = "cause unknown" if row.cause == "unknown" else str(row.cause)
    # The title of a commit has the number already.
    together = [counted(row.members, "series")] if row.members > 1 and row.scope != "commit" else []
    return [cause, *together]


def _facts(row: Any) -> tuple[tuple[str, str], ...]:
    candidates = (
        ("Metric", findings.metric_words(row.metric)),
        ("Before and after", " → ".join(level_pair(row.before, row.after, row.unit))),
        ("Change", findings.change_with_interval(row)),
        ("Cause", _text(row.cause)),
        ("Runner image", str(row.scope_name) if row.scope == "runner_image" else ""),
        ("Environment", str(row.scope_name) if row.scope == "environment" else ""),
        ("Reach", _text(row.reach)),
        ("Project", _text(row.project)),
        ("Test", _text(row.test_name)),
        ("Node", _text(row.node_id)),
        ("Node type", _text(row.node_type)),
        ("Part of day", findings.part_of_day(row)),
        ("Series that moved together", number(row.members)),
        ("Last good run", _run(row.last_good_run, row.last_good_at)),
        ("First bad run", _run(row.first_bad_run, row.first_bad_at)),
        ("First bad commit", _text(row.first_bad_commit)),
        ("q-value", "" if missing(row.q_value) else chance(row.q_value)),
        ("Id", _text(row.regression_id)),
        ("Data", "simulated, not measured" if row.simulated else ""),
    )
    return tuple((name, value) for name, value in candidates if value)


def _run(name: object, at: Any) -> str:
    named = "" if missing(name) else findings.run_name(name)
    return ", ".join(part for part in (named, "" if missing(at) else moment(at)) if part)


def _text(value: object) -> str:
    return "" if missing(value) else str(value)


def _utc(at: Any) -> datetime:
    stamp = pd.Timestamp(at)
    stamp = stamp.tz_localize("UTC") if stamp.tzinfo is None else stamp.tz_convert("UTC")
    whole: datetime = stamp.floor("us").to_pydatetime()
    return whole
