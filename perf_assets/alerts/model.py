"""What an alert says. Findings in, alerts out; how a channel shows them, and when, is not known here."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import pandas as pd

from perf_assets.wording.findings import short_reach, subject

Severity = Literal["regression", "improvement", "breach", "failure"]

TIME_UNITS = frozenset({"ns", "us", "ms", "s", "min", "h", "d"})
"""UCUM units in which more is slower."""


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
    moment = _moment(when)
    return Alert(
        alert_id=f"failed-run-{run_id}",
        title=f"Run of {job} failed at {moment}",
        summary=error or "The run left no error message.",
        facts=(("Job", job), ("Run", run_id), ("Failed at", moment)),
        severity="failure",
        simulated=False,
        link=None,
        happened_at=_utc(when),
    )


def _alert_from_regression(row: Any, link: str | None) -> Alert:
    return Alert(
        alert_id=f"regression-{row.regression_id}",
        title=_title(row),
        summary=str(row.explanation) if _known(row.explanation) else _title(row),
        facts=_facts(row),
        severity="improvement" if row.kind == "improvement" else "regression",
        simulated=bool(row.simulated),
        link=link,
        happened_at=_utc(row.first_bad_at) if _known(row.first_bad_at) else None,
    )


def _title(row: Any) -> str:
    since = f" since {_moment(row.first_bad_at)}" if _known(row.first_bad_at) else ""
    label = "[simulated] " if row.simulated else ""
    return f"{label}{_subject(row)} {_change_in_words(row)}{since} ({', '.join(_circumstances(row))})"


def _subject(row: Any) -> str:
    # A test that takes longer is slower; for everything else the metric has to be named.
    place = str(row.scope_name) if row.scope in ("test", "node", "node_type") else subject(row)
    return place if _is_duration_of_test(row) else f"{row.metric} of {place}"


def _is_duration_of_test(row: Any) -> bool:
    return row.scope in ("test", "series") and row.unit in TIME_UNITS and "wait" not in row.metric


def _change_in_words(row: Any) -> str:
    if not (_known(row.change) and math.isfinite(row.change)):
        return f"went from {_quantity(row.before, row.unit)} to {_quantity(row.after, row.unit)}"
    more, less = ("slower", "faster") if _is_duration_of_test(row) else ("higher", "lower")
    return f"is {_percent(abs(row.change))} {more if row.change > 0 else less}"


def _circumstances(row: Any) -> list[str]:
    cause = "cause unknown" if row.cause == "unknown" else str(row.cause)
    members = int(row.members)
    together = [short_reach(row.reach) if row.scope == "test" and _known(row.reach) else f"{members} series"]
    # The title of a commit has the number already.
    return [
        cause,
        *(together if members > 1 and row.scope != "commit" else []),
        *([str(row.part_of_day)] if _known(row.part_of_day) else []),
    ]


def _facts(row: Any) -> tuple[tuple[str, str], ...]:
    candidates = (
        ("Metric", _text(row.metric)),
        ("Before and after", f"{_quantity(row.before, row.unit)} → {_quantity(row.after, row.unit)}"),
        ("Change", _change_with_interval(row)),
        ("Cause", _text(row.cause)),
        ("Runner image", str(row.scope_name) if row.scope == "runner_image" else ""),
        ("Environment", str(row.scope_name) if row.scope == "environment" else ""),
        ("Reach", _text(row.reach)),
        ("Project", _text(row.project)),
        ("Test", _text(row.test_name)),
        ("Node", _text(row.node_id)),
        ("Node type", _text(row.node_type)),
        ("Part of day", _text(row.part_of_day)),
        ("Series that moved together", _text(row.members)),
        ("Last good run", _run(row.last_good_run, row.last_good_at)),
        ("First bad run", _run(row.first_bad_run, row.first_bad_at)),
        ("First bad commit", _text(row.first_bad_commit)),
        ("q-value", f"{row.q_value:.2g}" if _known(row.q_value) else ""),
        ("Id", _text(row.regression_id)),
        ("Data", "simulated, not measured" if row.simulated else ""),
    )
    return tuple((name, value) for name, value in candidates if value)


def _change_with_interval(row: Any) -> str:
    if not _known(row.change):
        return ""
    interval = f" (95 % interval {_signed(row.change_low)} to {_signed(row.change_high)})"
    return _signed(row.change) + (interval if _known(row.change_low) and _known(row.change_high) else "")


def _run(name: object, at: Any) -> str:
    return ", ".join(part for part in (_text(name), _moment(at) if _known(at) else "") if part)


def _text(value: object) -> str:
    return str(value) if _known(value) else ""


def _signed(ratio: float) -> str:
    return f"{'+' if ratio > 0 else '-' if ratio < 0 else ''}{_percent(abs(ratio))}"


def _percent(ratio: float) -> str:
    """Two significant digits are all that an estimated change deserves; whole per cent from 10 on."""
    return f"{100 * ratio:.1f} %" if ratio < 0.0995 else f"{100 * ratio:,.0f} %"


def _quantity(value: Any, unit: object) -> str:
    if not _known(value):
        return "unknown"
    number = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return f"{number} {unit}" if _known(unit) and unit not in ("1", "") else number


def _moment(at: Any) -> str:
    return f"{_utc(at):%Y-%m-%d %H:%M} UTC"


def _utc(at: Any) -> datetime:
    stamp = pd.Timestamp(at)
    stamp = stamp.tz_localize("UTC") if stamp.tzinfo is None else stamp.tz_convert("UTC")
    moment: datetime = stamp.floor("us").to_pydatetime()
    return moment


def _known(value: Any) -> bool:
    return not pd.isna(value)
