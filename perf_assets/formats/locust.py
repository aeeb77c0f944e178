"""Locust's CSV files: statistics of a whole run (`_stats.csv`, before 0.14 `_requests.csv` and `_distribution.csv`) and
their history (`_stats_history.csv`), versions 0.8 to 2.x.

Series: request, named by type and name (`GET /login`), and metric; the `Aggregated` row is a series of its own. Of
the whole run: response_time.med, response_time.p95 and response_time.p99 in ms, request_rate in 1/s, and
failure_ratio, failures over requests. Of the history the same with `current_` before it, which is the window of ten
seconds that each row is about. The response times before version 1.0 and in a history without rows of single requests
(that is, without `--csv-full-history`) are not of this window but of the run so far, and are named `total_`; the
columns that Locust names so are no values. Direction: higher is better for the rate, lower for the others.
Repetitions: none. Time: none in the statistics, `Timestamp` (epoch seconds) in the history. Run: the file; in the
history each timestamp, known by it and by the first one of the file.

A row without requests, or whose times are `N/A`, is counted as idle, and so is one of the history whose rate is zero
and whose times are as well, as before the first window, or are totals to which no request was added. In the row of
all requests there are times before there is a rate; then the rate is left out. Response times include those of failed
requests, which Locust does not keep apart; where all requests failed, times and rate are no performance and the row
is counted as failed, with the ratio kept. The files of failures and exceptions hold no measurements. Where no request
told a time, Locust writes zeros, which are left out. A number that is none is rejected, the others of its row are
read; a row of another width is rejected.

Limits: full histories of August 2020 to September 2021 have the response times of the run so far, which does not
show.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import NamedTuple

from perf_assets.catalog import Direction
from perf_assets.formats.benchmark_rows import not_negative
from perf_assets.formats.head import Head
from perf_assets.formats.measurement import (
    Chunk,
    Format,
    FormatError,
    Input,
    Measurement,
    Omission,
    Problem,
    Rejection,
    Result,
    chunked,
    described,
    digest_of,
    parse_time,
    read_name,
    read_number_text,
    rejection,
)
from perf_assets.formats.text import read_lines

_COLUMNS = {
    "type": "type", "method": "type", "name": "name", "timestamp": "timestamp", "user count": "users",
    "request count": "requests", "# requests": "requests", "total request count": "total requests",
    "failure count": "failures", "# failures": "failures",
    "requests/s": "rate", "failures/s": "failure rate", "requests failed/s": "failure rate",
    "median response time": "median", "50%": "50%", "95%": "95%", "99%": "99%",
    "max response time": "max",
}  # fmt: skip
"""What the columns are called in one version or another."""
_WITHOUT_RESULTS = (["Method", "Name", "Error"], ["Count", "Message", "Traceback"])
_ALL = "Aggregated"
_NONE = ("", "N/A", "None")
_DIRECTIONS: dict[str, Direction] = {"request_rate": "higher_is_better"}


class _Row(NamedTuple):
    """A row, its fields by column, with the time and the run that it is about."""

    location: str
    test_name: str
    fields: dict[str, str]
    ts: datetime | None = None
    run_key: str | None = None


def _recognises(head: Head) -> bool:
    columns = _columns(head.first_line)
    if columns is None:
        return _is_without_results(head.first_line)
    return "requests" in columns or "total requests" in columns


def _is_without_results(header: str) -> bool:
    """Whether it is the header of failures or exceptions."""
    return (_fields(header) or [])[:3] in _WITHOUT_RESULTS


def _columns(line: str) -> list[str] | None:
    """The known columns of a header; None for a line that is none of Locust's."""
    names = [_COLUMNS.get(name.strip().lower(), "") for name in _fields(line) or []]
    return names if "name" in names and ("50%" in names or "rate" in names) else None


def _fields(line: str) -> list[str] | None:
    try:
        return next(csv.reader([line], strict=True), [])
    except csv.Error:
        return None


def _read(source: Input) -> Iterator[Chunk]:
    return chunked(_results(source))


def _results(source: Input) -> Iterator[Result]:
    lines = read_lines(source.path)
    _, header = next(lines, (1, ""))
    columns = _columns(header)
    if columns is None:
        if _is_without_results(header):
            return
        raise FormatError("unreadable", f"{source.name}, line 1: no header of Locust's; leave it as Locust writes it")
    read_row = _history(source, columns) if "timestamp" in columns else _statistics
    for number, line in lines:
        row = _row(f"line {number}", columns, line)
        if isinstance(row, _Row):
            yield from read_row(row)
        elif row is not None:
            yield row


def _has_single_requests(source: Input, columns: list[str]) -> bool:
    rows = (_row("", columns, line) for number, line in read_lines(source.path) if number > 1)
    return any(isinstance(row, _Row) and row.test_name != _ALL for row in rows)


def _row(location: str, columns: list[str], line: str) -> _Row | Rejection | None:
    if not line.strip():
        return None
    fields = _fields(line)
    if fields is None or len(fields) != len(columns):
        problem = Problem("truncated" if fields is None else "wrong_type", f"expected {len(columns)} fields")
        return rejection(location, "", problem, line)
    by_column = dict(zip(columns, (field.strip() for field in fields), strict=True))
    kind, name = by_column.get("type", ""), by_column["name"]
    if kind in _NONE:
        named = read_name(_ALL if name in ("Total", "None Total") else name)
    else:
        named = read_name(f"{kind} {name}") if name else read_name(name)
    if isinstance(named, Problem):
        return rejection(location, "Name", named, line)
    return _Row(location, named, by_column)


def _statistics(row: _Row) -> Iterator[Result]:
    times = {} if read_number_text(row.fields.get("max")) == 0 else _times(row)
    if row.fields.get("requests") == "0":
        yield Omission("idle")
    else:
        yield from _measurements(row, times, ("failures", "requests"))


def _history(source: Input, columns: list[str]) -> Callable[[_Row], Iterator[Result]]:
    """What reads the rows of one history, in their order."""
    is_current = "total requests" in columns and _has_single_requests(source, columns)
    extent = "current_" if is_current else "total_"
    start: str | None = None
    counted: str | None = None

    def read_row(row: _Row) -> Iterator[Result]:
        nonlocal start, counted
        written = row.fields["timestamp"]
        start = start or written
        seconds = read_number_text(written)
        ts = parse_time(seconds if isinstance(seconds, float) else written, source.zone)
        if ts is None:
            yield rejection(row.location, "Timestamp", Problem("bad_time", "expected epoch seconds"), row.fields)
            return
        before = counted
        if row.test_name == _ALL:
            counted = row.fields.get("total requests", row.fields.get("requests"))
        has_news = is_current or counted != before
        is_still = read_number_text(row.fields.get("rate")) == 0
        without_times = (*_NONE, "0") if is_still else _NONE
        times = _times(row)
        is_empty = all(row.fields[column] in without_times for column in times) and (is_still or times != {})
        if is_empty or (is_still and not has_news):
            yield Omission("idle")
            return
        if is_still:
            # The rate lags by two seconds: where there are times already, its zero is none that was measured.
            del row.fields["rate"]
        row = row._replace(ts=ts, run_key=digest_of("locust", start, written))
        times = {column: f"{extent}{metric}" for column, metric in times.items()}
        yield from _measurements(row, times, ("failure rate", "rate"), "current_")

    return read_row


def _times(row: _Row) -> dict[str, str]:
    """The metrics of the response times that a row has, by column."""
    median = "median" if "median" in row.fields else "50%"
    times = {median: "response_time.med", "95%": "response_time.p95", "99%": "response_time.p99"}
    return {column: metric for column, metric in times.items() if column in row.fields}


def _measurements(row: _Row, times: dict[str, str], shares: tuple[str, str], extent: str = "") -> Iterator[Result]:
    """Times, rate and failures of one row. `times` are metrics by column, `shares` the columns of failures and of all
    requests, `extent` what stands before the names of rate and failures.
    """
    ratio = _failure_ratio(row, *shares)
    if ratio == 1:
        yield Omission("failed")
    else:
        for column, metric in times.items():
            yield _measurement(row, column, metric, "ms")
        if "rate" in row.fields:
            yield _measurement(row, "rate", f"{extent}request_rate", "1/s")
    if ratio is not None:
        yield _measurement(row, shares[0], f"{extent}failure_ratio", "1", ratio)


def _failure_ratio(row: _Row, failures_column: str, requests_column: str) -> float | Problem | None:
    """None where the file has no failures, or no requests that could fail."""
    if failures_column not in row.fields or requests_column not in row.fields:
        return None
    failures, requests = (read_number_text(row.fields[column]) for column in (failures_column, requests_column))
    if isinstance(failures, Problem) or requests == 0:
        return failures if isinstance(failures, Problem) else None
    if isinstance(requests, Problem):
        return requests
    return failures / requests if failures <= requests else Problem("impossible_value", "more failures than requests")


def _measurement(
    row: _Row, column: str, metric: str, unit: str, value: float | Problem | None = None
) -> Measurement | Rejection:
    """What stands in a column, or has been worked out from it."""
    if value is None:
        value = read_number_text(row.fields[column])
    value = not_negative(value, "a duration or rate")
    if isinstance(value, Problem):
        return rejection(row.location, column, value, row.fields)
    counted = {name: row.fields.get(name) for name in ("users", "requests", "failures")}
    return Measurement(
        location=f"{row.location}, {column}",
        metric=metric,
        raw_value=value,
        raw_unit=unit,
        ts=row.ts,
        run_key=row.run_key,
        test_name=row.test_name,
        test_type="load",
        direction=_DIRECTIONS.get(metric.removeprefix("current_"), "lower_is_better"),
        context=described(counted),
    )


FORMAT = Format("locust", _recognises, _read)
