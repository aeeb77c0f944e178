"""Prometheus, and what answers like it: range queries of a day, each under the name of the metric it gives.

The answer of an expression does not say which metric it is, so each is asked for as `label_replace(expression,
"__name__", "metric", "", "")`. Of today only steps are asked for that have not been, and none younger than five
minutes, for which samples may still come. Of a day that is over the number of samples is asked for, and the day again
only if that is not the number known: samples that came late are found without reading all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, ClassVar

from pydantic import Field, SecretStr

from perf_assets.plugins import Words, from_environment, revealed
from perf_assets.sources.addresses import address, shown_url, with_query
from perf_assets.sources.answers import Answer
from perf_assets.sources.errors import SettingsError, ShapeError
from perf_assets.sources.http import Client, Service, secret_header
from perf_assets.sources.pulling import Day, Delivery, Found, PullDay, Seen
from perf_assets.sources.source import HttpSource

MOST_STEPS = 10_000
"""Steps of one question; Prometheus refuses more than 11,000."""

SETTLED_AFTER = timedelta(minutes=5)
_METRIC = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*", re.ASCII)
_DAY_SECONDS = 86_400
_URL_REMEDY = "sources.prometheus.url is not usable; write it as http://host:9090, without a query."


class Prometheus(HttpSource):
    """Where, which expressions, and who asks."""

    section: ClassVar[str] = "prometheus"
    origin: ClassVar[str] = "prometheus"
    kinds: ClassVar[frozenset[str]] = frozenset({"python", "api", "prometheus"})
    description: ClassVar[str] = "Samples that Prometheus gives for the expressions in the settings."
    remedy: ClassVar[str] = (
        "Set sources.prometheus.url and queries, and PROMETHEUS_TOKEN in the environment where one is needed."
    )

    url: str = ""
    queries: dict[str, Words] = Field(default_factory=dict)
    """Expressions (PromQL) by the metric they give, in the catalogue's unit of it."""
    step: int = Field(60, ge=1, le=86_400)
    """Seconds between two samples; divides a day."""
    token: SecretStr | None = from_environment("PROMETHEUS_TOKEN", optional=True)

    @property
    def configured(self) -> bool:
        return bool(self.url and self.queries)

    def service(self) -> Service:
        token = revealed(self.token)
        return Service(
            "Prometheus",
            secret_header("Authorization", token, "PROMETHEUS_TOKEN", "Bearer") if token else {},
            token,
            if_refused="Set PROMETHEUS_TOKEN to one that is valid and may query.",
            if_missing="Check the address: /api/v1/query_range is expected below it.",
        )

    def scopes(self, client: Client, now: datetime) -> dict[str, PullDay]:
        """By metric, expression and step: another expression is another thing to remember. Raises SettingsError."""
        url = address(self.url, "/api/v1", _URL_REMEDY)
        if self.step < 1 or _DAY_SECONDS % self.step:
            raise SettingsError(f"sources.prometheus.step: {self.step} does not divide a day; write 15, 60 or 300.")
        return {
            f"{url} {metric} = {expression} every {self.step} s": partial(
                _samples_of_day, _Query(client, url, _named(metric, expression), self.step), metric, now
            )
            for metric, expression in self.queries.items()
        }


@dataclass(frozen=True)
class _Query:
    client: Client
    url: str
    expression: str
    step: int

    def range(self, start: datetime, last: datetime) -> Answer:
        """The samples from `start` to `last`, both included."""
        return self.client.get(with_query(
            f"{self.url}/query_range", query=self.expression, start=_epoch(start), end=_epoch(last), step=self.step,
        ))  # fmt: skip

    def samples(self, start: datetime, last: datetime) -> int:
        """How many samples there are from `start` to `last`, both included."""
        # Just less than a step more than the time between them: whether the border belongs to it differs by version.
        window = (_epoch(last) - _epoch(start) + self.step) * 1000 - 1
        expression = f"sum(count_over_time((\n{self.expression}\n)[{window}ms:{self.step}s]))"
        answer = self.client.get(with_query(f"{self.url}/query", query=expression, time=_epoch(last)))
        result = _result(self.client, answer)
        try:
            return int(result[0]["value"][1]) if result else 0
        except (TypeError, LookupError, ValueError) as error:
            raise ShapeError(f"{shown_url(answer.url)}: no number of samples. {_URL_REMEDY}") from error


def _samples_of_day(query: _Query, metric: str, now: datetime, day: Day, seen: Seen) -> Iterator[Found]:
    step = timedelta(seconds=query.step)
    settled = now - SETTLED_AFTER
    last = day.end - step if settled >= day.end - step else _step_before(settled, query.step)
    known = datetime.fromisoformat(seen["until"]) if "until" in seen else None
    samples = int(seen.get("samples", 0))
    if known == day.end - step:
        counted = query.samples(day.start, known)
        if counted != samples:
            yield from _ranges(query, metric, day.start, known, 0)
            yield Found((), {"samples": counted})
    elif last >= day.start:
        yield from _ranges(query, metric, known + step if known else day.start, last, samples)


def _ranges(query: _Query, metric: str, start: datetime, last: datetime, samples: int) -> Iterator[Found]:
    """The steps from `start` to `last`, in as many answers as it takes; `samples` are those known before."""
    longest = timedelta(seconds=query.step * (MOST_STEPS - 1))
    while start <= last:
        end = min(start + longest, last)
        answer = query.range(start, end)
        found = sum(len(series.get("values") or ()) for series in _result(query.client, answer))
        samples += found
        name = f"{metric} from {start:%Y-%m-%dT%H:%M:%SZ} to {end:%Y-%m-%dT%H:%M:%SZ}.json"
        files = (Delivery(name, answer.body),) if found else ()
        yield Found(files, {"until": end.isoformat(), "samples": samples})
        start = end + timedelta(seconds=query.step)


def _result(client: Client, answer: Answer) -> list[dict[str, Any]]:
    content = client.json(answer)
    data = content.get("data") if isinstance(content, dict) else None
    result = data.get("result") if isinstance(data, dict) else None
    if not isinstance(result, list) or not all(isinstance(series, dict) for series in result):
        raise ShapeError(f"{shown_url(answer.url)}: no answer of Prometheus. {_URL_REMEDY}")
    return result


def _named(metric: str, expression: str) -> str:
    if not _METRIC.fullmatch(metric):
        raise SettingsError(
            f"sources.prometheus.queries: {metric!r} is no name of a metric; use letters, digits and underscores."
        )
    # Lines of their own: the expression may end with a comment.
    return f'label_replace(\n{expression}\n, "__name__", "{metric}", "", "")'


def _epoch(moment: datetime) -> int:
    return int(moment.replace(tzinfo=UTC).timestamp())


def _step_before(moment: datetime, step: int) -> datetime:
    epoch = _epoch(moment)
    return datetime.fromtimestamp(epoch - epoch % step, UTC).replace(tzinfo=None)
