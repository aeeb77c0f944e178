"""Findings in words: a regression, its title, place, size, certainty, commits and recovery; limits; declarations.

`row` is a row of the table that the docstring names, as a named tuple or a Series.
"""

from __future__ import annotations

import math
import re
from typing import Any

from perf_assets.wording.moments import day, length, moment
from perf_assets.wording.quantities import (
    ROUGH,
    change,
    change_in_full,
    counted,
    interval,
    level_pair,
    missing,
    number,
    odds,
    q_value,
    quantity,
    share,
)

_ALL_DAY, _INCIDENT, _BY_NODE = "all day", "incident", "by node"
"""Values of tables; the analysis that writes them has them too, and a test compares both."""
_LONGEST_REACH = 60
"""Characters of a title that the reach of a finding may take."""
_HASH_SHOWN = 12
_HASH = re.compile("[0-9a-f]{64}")
_BRANCHES_NAMED = 5
_DECLARED = ("project", "node_id", "node_type", "test_name", "metric")


def metric_words(metric: object) -> str:
    """`queue wait time`."""
    return str(metric).replace("_", " ")


def title(row: Any) -> str:
    """One line for a regression or improvement (regressions): what, how much, since when."""
    metric = "" if row.scope == "series" else f"{metric_words(row.metric)} "
    since = "" if missing(row.first_bad_at) else f" since {moment(row.first_bad_at)}"
    return f"{subject(row)}{only(row)}: {metric}{change_of(row)}{since}"


def only(row: Any) -> str:
    """` (night 00-06 UTC)` of a change that only a part of the day shows (regressions, near_changes), else nothing."""
    part = part_of_day(row)
    return f" ({part})" if part else ""


def part_of_day(row: Any) -> str:
    """`night 00-06 UTC`, of a change that only these hours show (regressions, near_changes), else nothing."""
    return "" if missing(row.part_of_day) or row.part_of_day == _ALL_DAY else str(row.part_of_day)


def change_of(row: Any) -> str:
    """How far a level moved (regressions): `+12.3 %`, or `0 % to 4 %` where a share would say nothing."""
    return change_in_full(row.change) if has_change(row) else levels(row)


def has_change(row: Any) -> bool:
    """Whether the change (regressions, near_changes) is a share of a level before that is not 0."""
    return not missing(row.change) and abs(row.change) != float("inf")


def change_with_interval(row: Any) -> str:
    """`+14 % (95 % interval +11 % to +17 %)` (regressions), nothing where a share would say nothing."""
    if not has_change(row):
        return ""
    known = not (missing(row.change_low) or missing(row.change_high))
    return change(row.change) + (f" ({interval(row.change_low, row.change_high)})" if known else "")


def levels(row: Any) -> str:
    """`12 s to 15 s`, of the series that shows the change best (regressions); of two modes, which one moved."""
    means = " to ".join(level_pair(row.before, row.after, row.unit))
    mode = getattr(row, "second_mode", None)
    if missing(mode):
        return means
    shares = f"{share(row.mode_after, ROUGH)} of the values about {quantity(mode, row.unit)}"
    return f"{means} on average, with {shares} (before {share(row.mode_before, ROUGH)})"


def subject(row: Any) -> str:
    """What a change (regressions) is about, in a title: a node, a test with its reach, series of a commit."""
    reach = short_reach(row.reach)
    if row.scope == "commit":
        where = "run" if missing(row.first_bad_commit) else "commit"
        together = " ".join(filter(None, (counted(row.members, "series"), reach)))
        return f"{together} at {where} {short_commit(row.scope_name)}"
    words = {
        "runner_image": f"runner image {row.scope_name}",
        "node_type": f"all {row.scope_name} nodes",
        "node": f"node {row.scope_name}",
        "test": f"{row.scope_name} {reach}".rstrip(),
    }
    return str(words.get(row.scope, row.scope_name))


def group(row: Any) -> str:
    """What a change (regressions) is listed under: its test or benchmark, else its node or scope."""
    if row.scope in ("runner_image", "commit"):
        return subject(row)
    if row.scope in ("node", "node_type", "environment"):
        return str(row.scope_name)
    return next((str(value) for value in (row.test_name, row.node_id) if not missing(value)), str(row.scope_name))


def place(row: Any) -> str:
    """Where a change (regressions) is."""
    if row.scope in ("runner_image", "environment"):
        what = "runner image " if row.scope == "runner_image" else ""
        return f"series that went over to {what}{row.scope_name}"
    if row.scope == "commit":
        return f"{subject(row)} of project {row.project}"
    if row.scope == "node_type":
        return f"all nodes of type {row.scope_name}"
    if row.scope == "node":
        kind = "" if missing(row.node_type) else f" ({row.node_type})"
        return f"node {row.scope_name}{kind}"
    if row.scope == "test":
        return f"test {row.scope_name}{'' if missing(row.reach) else f', {row.reach}'}"
    parts = [
        f"{word} {value}" for word, value in (("test", row.test_name), ("node", row.node_id)) if not missing(value)
    ]
    return ", ".join(filter(None, (*parts, apart(row)))) or f"project {row.project}"


def apart(row: Any) -> str:
    """What the title of a single series (regressions) has besides metric, test and node, if anything."""
    if row.scope != "series":
        return ""
    name = " · ".join(str(part) for part in (row.metric, row.test_name, row.node_id) if not missing(part))
    whole = str(row.scope_name)
    return whole.removeprefix(f"{name} · ") if whole.startswith(f"{name} · ") else ""


def short_commit(commit: object) -> str:
    """The first characters of a commit's hash, as many as make it clear."""
    return str(commit)[:_HASH_SHOWN]


def short_reach(reach: object) -> str:
    """How far a finding goes, without the names where they are long."""
    words = "" if missing(reach) else str(reach)
    return words if len(words) <= _LONGEST_REACH else words.partition(" (")[0]


def confidence(row: Any) -> str:
    """How sure a change (regressions) is: by its false-discovery rate, and whether enough measurements followed it."""
    if missing(row.q_value):
        # Episodes are compared with the past of their series alone, and have no rate of false ones.
        return "far beyond its past" if row.shape == _INCIDENT else "confidence unknown"
    waiting = _waiting(row)
    if waiting:
        return f"significant ({q_value(row.q_value)}), {waiting}"
    sure = "practically certain" if row.q_value <= 0.001 else "very likely" if row.q_value <= 0.01 else "likely"
    return f"{sure} ({q_value(row.q_value)})"


def _waiting(row: Any) -> str:
    """What a suspected change waits for, where it does."""
    if row.state == "confirmed" or not missing(row.recovered_at):
        return ""
    needed = getattr(row, "waits_for", None)
    return "not confirmed yet" if missing(needed) or not needed else f"confirming it takes {needed}"


def recovery(row: Any) -> str:
    """`, recovered 2026-01-12` for a regression (regressions) that is over, `, until 2026-01-12` for an improvement,
    else nothing.
    """
    how = "recovered" if row.kind == "regression" else "until"
    return "" if missing(row.recovered_at) else f", {how} {day(row.recovered_at)}"


def short(text: object, characters: int = 34) -> str:
    """The text with its middle left out where it is too long for a label."""
    whole = str(text)
    if len(whole) <= characters:
        return whole
    kept = characters - 1
    return f"{whole[: math.ceil(kept / 2)]}…{whole[len(whole) - kept // 2 :]}"


def run_name(key: object) -> str:
    """The key of a run; of the hash that results without a key get, as many characters as make it clear."""
    whole = str(key)
    return whole[:_HASH_SHOWN] if _HASH.fullmatch(whole) else whole


def runs(row: Any) -> str:
    """The runs on both sides of a change (regressions); a drift, or a rise for some hours, has no last good one."""
    first = short(run_name(row.first_bad_run), 28)
    if missing(row.last_good_run):
        return f"from run {first}"
    return f"{short(run_name(row.last_good_run), 28)} to {first}"


def levels_of_members(row: Any) -> str:
    """Levels are those of one series; where many moved, this says that it is the clearest."""
    return levels(row) + (" in the clearest series" if row.members > 1 else "")


def pair(row: Any) -> str:
    """`cpu usage, 2 days later queue wait time`: the metrics of a row of metric_correlations, the first one first."""
    first, second = (metric_words(str(name)) for name in (row.metric_a, row.metric_b))
    if row.lag == 0:
        return f"{first}, {second}"
    first, second = (first, second) if row.lag > 0 else (second, first)
    return f"{first}, {counted(abs(int(row.lag)), 'day')} later {second}"


def commits(row: Any) -> str:
    """`abc..def`, the commits of the last good and the first bad run (regressions), where results name them; one if
    they are one.
    """
    known = [short_commit(c) for c in (row.last_good_commit, row.first_bad_commit) if not missing(c)]
    return "..".join(dict.fromkeys(known))


def consistency(row: Any) -> str:
    """What a change goes along with (regression_causes): `node id n1: its 12 series +18 %, the 180 others +0.3 %; 92 %
    of what changed`.
    """
    part = f"{odds(row.share)} of what changed"
    if row.setting == _BY_NODE:
        nodes = counted(row.sharing, "node")
        return f"{metric_words(row.factor)}: {change(row.change_sharing)} on {nodes}; {part} by node"
    setting = short_commit(row.setting) if row.factor == "commit" else row.setting
    series = "its series" if row.sharing == 1 else f"{'its' if row.lacking else 'all'} {counted(row.sharing, 'series')}"
    own = f"{series} {change(row.change_sharing)}"
    rest = "the other one" if row.lacking == 1 else f"the {number(row.lacking)} others"
    others = f"{rest} {change(row.change_lacking)}" if row.lacking else "none without it to compare"
    return f"{metric_words(row.factor)} {setting}: {own}, {others}; {part}"


def breach(row: Any, limit: str = "its limit") -> str:
    """`will pass its limit about 2026-11-04`, when the level of a series passes its limit (breach_outlook)."""
    if row.already_breached:
        return f"is beyond {limit}"
    if missing(row.breach_date):
        return f"stays within {limit} until {day(row.horizon_end)}, most likely"
    return f"will pass {limit} about {day(row.breach_date)}"


def crossing(row: Any) -> str:
    """The same for a column: `beyond it now`, `2026-11-04`, `not foreseen` (breach_outlook)."""
    if row.already_breached:
        return "beyond it now"
    return "not foreseen" if missing(row.breach_date) else day(row.breach_date)


def breach_odds(row: Any) -> str:
    """How likely a limit is passed (breach_outlook), by the level and by single values."""
    level = (
        f"its level passes it within 7 days with {odds(row.level_by_7)}, within 30 days with {odds(row.level_by_30)}"
    )
    if dates := breach_dates(row):
        level += f" (95 % interval of the day: {dates})"
    single = ", ".join(odds(getattr(row, f"value_by_{days}")) for days in (1, 7, 30))
    return f"{level}; a single value passes it within 1, 7 and 30 days with {single}"


def breach_dates(row: Any) -> str:
    """The 95 % interval of the day on which the level will pass its limit (breach_outlook), empty if unknown."""
    if row.already_breached or missing(row.earliest):
        return ""
    return f"{day(row.earliest)} or later" if missing(row.latest) else f"{day(row.earliest)} to {day(row.latest)}"


def extent(declared: Any) -> str:
    """Which series a declared incident or epoch (incidents, epochs) is about."""
    names = {"node_id": "node", "test_name": "test"}
    values = ((names.get(name, metric_words(name)), getattr(declared, name)) for name in _DECLARED)
    return ", ".join(f"{word} {value}" for word, value in values if not missing(value)) or "all series"


def episode(row: Any) -> str:
    """`95 % where 40 % was expected, for 6 hours`: how far a series was off, and for how long (anomalies)."""
    off = " where ".join(level_pair(row.value, row.expected, row.unit))
    return f"{off} was expected, {lasting(row.episode_start, row.episode_end)}"


def lasting(start: Any, end: Any) -> str:
    """`for 6 hours`; `once` where an episode starts and ends with one value."""
    return "once" if end <= start else f"for {length(end - start)}"


def pattern(row: Any) -> str:
    """`highest Mondays 09:00 to 11:00, 38 % above the median; lowest ...` (seasonal_patterns)."""
    sides = (("highest", row.peak), ("lowest", row.trough))
    return "; ".join(f"{word} {when}" for word, when in sides if not missing(when))


def branches_without_series(others: Any) -> str:
    """`12 measurements on branches that form no series (a, b)`: what is stored and not analysed."""
    named = ", ".join(others.branches[:_BRANCHES_NAMED]) + (", ..." if len(others.branches) > _BRANCHES_NAMED else "")
    return f"{counted(others.measurements, 'measurement')} on branches that form no series ({named})"
