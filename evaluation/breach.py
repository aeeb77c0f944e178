"""Probabilities that a limit is passed, held against what generated series then do.

Beside the product stand a straight line through the newest 30 days with its prediction interval (statsmodels), and what
could be said at best (`known_generator`).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from evaluation.known_generator import SAMPLED, passed_at_best
from evaluation.leaks import DAYS_KNOWN, KINDS, FloatArray, Leaks, leaks
from evaluation.markdown import mark, met, number, percent, table
from evaluation.methods import OURS
from evaluation.proportions import Check, Estimate, share_of
from perf_assets.analysis.breach import DAYS, breach_outlook

LINE = "straight line"
BEST = "generator known"
MOST_OFF = 0.05
"""Target: how far the probability stated of a kind may lie from the share that passed."""
LEAST_ANNOUNCED = 0.6
"""Target: share of young leaks due within 30 days that are announced."""
_BINS = (0.0, 0.02, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 0.98)
_NEWEST = 30
_START = pd.Timestamp("2026-01-05")
EVENTS = ("level", "value")
_HELD_TO = ("none", "leak", "young", "flattening", "restarting")
_COLUMNS = ("method", "kind", "event", "days", "stated", "passed", "announced")


def evaluate_breach(count: int, seed: int) -> pd.DataFrame:
    """One row a series, method, event ("level" or "value") and number of days: kind, stated probability, whether it
    `passed`, and whether a date is `announced`. Series beyond their limit now are left out."""
    parts = []
    for kind in KINDS:
        made = leaks(kind, count, seed)
        ids = np.array([f"{number:05}" for number in range(count)])
        history = pd.DataFrame(
            {
                "unique_id": np.repeat(ids, DAYS_KNOWN),
                "ds": np.tile(pd.date_range(_START, periods=DAYS_KNOWN), count),
                "y": made.past.ravel(),
            }
        )
        limits = pd.DataFrame({"unique_id": ids, "limit": made.limit, "side": "upper"})
        own = breach_outlook(history, limits).table.set_index("unique_id").loc[ids]
        within = ~own["already_breached"].to_numpy()
        announced = own["breach_date"].notna().to_numpy()
        best = passed_at_best(made, DAYS) if kind in SAMPLED else {}
        for days in DAYS:
            for place, (event, passed) in enumerate(zip(EVENTS, made.passed(days), strict=True)):
                methods = [
                    (OURS, own[f"{event}_by_{days}"].to_numpy(), announced),
                    (LINE, _line(made, days, event), _line(made, DAYS[-1], "level") >= 0.5),
                ]
                if best:
                    methods.append((BEST, best[days][place], best[DAYS[-1]][0] >= 0.5))
                for method, stated, named in methods:
                    rows = {"stated": stated, "passed": passed, "announced": named}
                    part = pd.DataFrame(rows)[within].assign(method=method, kind=kind, event=event, days=days)
                    parts.append(part[list(_COLUMNS)])
    return pd.concat(parts, ignore_index=True)


def _line(made: Leaks, days: int, event: str) -> FloatArray:
    """Probability that the line (level) or a value around it lies beyond the limit after so many days, shape (s,)."""
    import statsmodels.api as sm
    from scipy.stats import t

    place = sm.add_constant(np.arange(_NEWEST, dtype=np.float64))
    chances = []
    for values, limit in zip(made.past[:, -_NEWEST:], made.limit, strict=True):
        fit = sm.OLS(values, place).fit()
        ahead = fit.get_prediction([[1.0, _NEWEST - 1.0 + days]])
        error = ahead.se_mean[0] if event == "level" else ahead.se_obs[0]
        chances.append(float(t.sf((limit - ahead.predicted_mean[0]) / error, _NEWEST - 2)))
    return np.array(chances)


def checks(results: pd.DataFrame) -> list[Check]:
    last = results[(results["method"] == OURS) & (results["days"] == DAYS[-1])]
    off = [
        Check(f"{kind}: {event} passes, stated and happened", _off(last, kind, event), "at most", MOST_OFF)
        for kind in _HELD_TO
        for event in EVENTS
    ]
    young = last[(last["kind"] == "young") & (last["event"] == "level") & last["passed"]]
    announced = Check("young leaks announced", share_of(int(young["announced"].sum()), len(young)), "at least",
                      LEAST_ANNOUNCED)  # fmt: skip
    held = [
        Check(f"bins of {event} within {days} days", share_of(*_bins_held(results, event, days)), "at least", 1.0)
        for days in DAYS
        for event in EVENTS
    ]
    return [*off, announced, *held]


def _off(rows: pd.DataFrame, kind: str, event: str) -> Estimate:
    """How far the mean probability lies from the share that passed, with a 95 % interval."""
    own = rows[(rows["kind"] == kind) & (rows["event"] == event)]
    difference = own["stated"].to_numpy() - own["passed"].to_numpy(dtype=np.float64)
    error = 1.96 * float(difference.std()) / np.sqrt(max(len(own), 1))
    value = abs(float(difference.mean()))
    return Estimate(value, max(value - error, 0.0), value + error)


def _bins(results: pd.DataFrame, method: str, event: str, days: int) -> pd.DataFrame:
    """Of each bin of stated probabilities: mean stated, share that passed, and number."""
    own = results[(results["method"] == method) & (results["event"] == event) & (results["days"] == days)]
    place = np.digitize(own["stated"], _BINS) - 1
    grouped = own.groupby(place)
    return pd.DataFrame(
        {"stated": grouped["stated"].mean(), "passed": grouped["passed"].sum(), "count": grouped.size()}
    ).reindex(range(len(_BINS)))


def _bins_held(results: pd.DataFrame, event: str, days: int) -> tuple[int, int]:
    """Bins with at least 20 series whose interval holds what was stated, and their number."""
    rows = _bins(results, OURS, event, days)
    rows = rows[rows["count"] >= 20]
    held = 0
    for row in rows.itertuples():
        estimate = share_of(int(row.passed), int(row.count))
        held += estimate.low <= row.stated <= estimate.high
    return held, len(rows)


def chapter(results: pd.DataFrame, seed: int) -> list[str]:
    judged = checks(results)
    by_name = {check.what: check for check in judged}
    last = results[results["days"] == DAYS[-1]]
    kinds = []
    for kind in KINDS:
        for event in EVENTS:
            own = last[(last["kind"] == kind) & (last["event"] == event)]
            cells = [_stated(own, method) for method in (OURS, BEST, LINE)]
            check = by_name.get(f"{kind}: {event} passes, stated and happened")
            happened = own.loc[own["method"] == OURS, "passed"].mean()
            due = [_announced(own, method) if event == "level" else "" for method in (OURS, BEST, LINE)]
            kinds.append([kind, event, f"{happened:.2f}", cells[0] + mark(check), *cells[1:], *due])
    reliability = [
        [event, str(days), *(_bin_words(row) for row in _bins(results, OURS, event, days).itertuples())]
        for event in EVENTS
        for days in DAYS
    ]
    header = [f"from {low:g}" for low in _BINS]
    others = [f"{what}, {method}" for what in ("stated", "announced") for method in (BEST, LINE)]
    return [
        "## Limits ahead",
        "",
        f"Daily values of generated series of seven kinds (`evaluation/leaks.py`, seed {seed}), "
        f"{int((last['method'].eq(OURS) & last['event'].eq('level')).sum()):,} of them below their limit: what is "
        "stated of them, and what they then do. The level is the median of seven days. The straight line is one "
        f"through the newest 30 days, with its prediction interval. {BEST.capitalize()}: the probability by courses "
        "that are drawn from the generator itself, which no method can do better than over all kinds (without the "
        "restarting ones, which are too many): where it misses a target of one kind, the values do not tell the kinds "
        "apart.",
        "",
        "Within 30 days; stated is the mean probability, announced are those of the levels that pass for which a date "
        f"is given (target of the young ones: {LEAST_ANNOUNCED:.0%}), and in brackets the share of the announced that "
        f"pass. Targets of the stated: within {MOST_OFF} of what happened, for {', '.join(_HELD_TO)}.",
        "",
        *table(["kind", "event", "happened", "stated", *others[:2], "announced (pass)", *others[2:]], kinds),
        "",
        f"Young leaks announced: {percent(by_name['young leaks announced'].figure)}"
        f"{mark(by_name['young leaks announced'])}.",
        "",
        "Reliability over all kinds: mean stated / share that passed (series), by the probability stated.",
        "",
        *table(["event", "days", *header], reliability),
        "",
        "Bins of at least 20 series whose interval holds the stated value: "
        + "; ".join(
            f"{check.what.removeprefix('bins of ')} {number(check.figure)}{mark(check)}"
            for check in judged
            if check.what.startswith("bins")
        )
        + ".",
        "",
        met(judged),
        "",
    ]


def _stated(own: pd.DataFrame, method: str) -> str:
    stated = own.loc[own["method"] == method, "stated"]
    return f"{stated.mean():.2f}" if len(stated) else "–"


def _announced(own: pd.DataFrame, method: str) -> str:
    rows = own[own["method"] == method]
    if rows.empty:
        return "–"
    due, named = rows[rows["passed"]], rows[rows["announced"]]
    if due.empty and named.empty:
        return "none due"
    right = f"{named['passed'].mean():.0%} of {len(named)}" if len(named) else "none"
    return f"{due['announced'].mean():.0%} ({right})" if len(due) else f"none due ({right})"


def _bin_words(row: object) -> str:
    stated, passed, count = (float(getattr(row, name)) for name in ("stated", "passed", "count"))
    return f"{stated:.2f} / {passed / count:.2f} ({count:.0f})" if count > 0 else ""
