"""Pulling from a local Prometheus: a day in steps, what came late, and what it refuses."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from perf_assets.sources.errors import SettingsError
from perf_assets.sources.http import Client
from perf_assets.sources.prometheus import Prometheus
from perf_assets.sources.pulling import Pulled
from perf_assets_tests.formats.reading import read_file
from perf_assets_tests.sources.dashboard_server import Answer
from perf_assets_tests.sources.pull import Site, errors_of
from perf_assets_tests.sources.service import SECRET, Request, Service, as_json, serving

NAMED = re.compile(r'label_replace\(\n(.*)\n, "__name__", "(\w+)", "", ""\)', re.DOTALL)
COUNTED = re.compile(r"sum\(count_over_time\(\(\n(.*)\n\)\[(\d+)ms:(\d+)s\]\)\)", re.DOTALL)


@dataclass
class Server:
    """Samples of one series an expression, each minute from `since` on but for `gaps` (epoch seconds)."""

    service: Service
    since: int = int(datetime(2026, 9, 1, tzinfo=UTC).timestamp())
    until: int = int(datetime(2026, 9, 20, tzinfo=UTC).timestamp())
    gaps: set[int] = field(default_factory=set)

    def answer(self, request: Request) -> Answer:
        if request.headers.get("authorization") != f"Bearer {SECRET}":
            return Answer(b"unauthorized", 401)
        expression = request.query["query"]
        if "broken" in expression:
            return as_json({"status": "error", "errorType": "bad_data", "error": "1:1: parse error"}, 400)
        if request.path == "/api/v1/query_range":
            return self.range(expression, *(int(request.query[name]) for name in ("start", "end", "step")))
        found = COUNTED.fullmatch(expression)
        assert found
        last = int(request.query["time"])
        # As Prometheus has it: steps are multiples of the step, and the window ends with the time itself.
        step = int(found[3])
        first = last - int(found[2]) / 1000
        count = sum(self.has(at) for at in range(last - last % step, int(first) - 1, -step) if at >= first)
        result = [{"metric": {}, "value": [last, str(count)]}] if count else []
        return as_json({"status": "success", "data": {"resultType": "vector", "result": result}})

    def range(self, expression: str, start: int, end: int, step: int) -> Answer:
        if (end - start) / step > 11_000:
            return as_json({"status": "error", "error": "exceeded maximum resolution of 11,000 points"}, 400)
        found = NAMED.fullmatch(expression)
        assert found
        values = [[at, "0.5"] for at in range(start, end + 1, step) if self.has(at)]
        series: list[Any] = [{"metric": {"__name__": found[2], "instance": "a"}, "values": values}] if values else []
        return as_json({"status": "success", "data": {"resultType": "matrix", "result": series}})

    def has(self, at: int) -> bool:
        return self.since <= at < self.until and at not in self.gaps

    def source(self, **more: Any) -> Prometheus:
        return Prometheus(
            **{"url": self.service.url, "queries": {"cpu_usage": "avg(rate(cpu[5m]))"}, "token": SECRET} | more
        )


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(lambda request: Answer(status=500)) as service:
        server = Server(service)
        service.answer = server.answer
        yield server


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path, "prometheus")


def pull(site: Site, source: Prometheus, days: int = 2) -> tuple[Pulled, Client]:
    return site.pull(source, days)


def samples(site: Site) -> list[Any]:
    return sorted(row["ts"] for file in site.files() for row in read_file(file.path).rows)


def test_a_day_is_asked_for_up_to_what_has_settled(server, site):
    pulled, client = pull(site, server.source())
    assert (errors_of(pulled), client.requests) == ([], 2)
    assert site.names() == [
        "cpu_usage from 2026-09-09T00:00:00Z to 2026-09-09T23:59:00Z.json",
        "cpu_usage from 2026-09-10T00:00:00Z to 2026-09-10T11:55:00Z.json",
    ]
    assert len(samples(site)) == 1440 + 716
    assert {row["metric"] for file in site.files() for row in read_file(file.path).rows} == {"cpu_usage"}


def test_a_second_pull_asks_for_the_steps_since(server, site):
    pull(site, server.source())
    before = len(server.service.requests)
    pulled, client = pull(site.later(hours=1), server.source())
    assert server.service.asked_since(before) == ["/api/v1/query_range", "/api/v1/query"]
    assert pulled.new_files == 1
    assert "cpu_usage from 2026-09-10T11:56:00Z to 2026-09-10T12:55:00Z.json" in site.names()
    pulled, client = pull(site.later(hours=1, seconds=30), server.source())
    assert (pulled.files, client.requests) == (0, 1)
    assert len(samples(site)) == len(set(samples(site))) == 1440 + 776


def test_samples_that_came_late_are_picked_up_and_then_not_again(server, site):
    server.gaps = {int(datetime(2026, 9, 7, 6, 0, tzinfo=UTC).timestamp())}
    pull(site, server.source(), days=8)
    known = len(samples(site))
    server.gaps.clear()
    before = len(server.service.requests)
    pulled, _ = pull(site, server.source(), days=8)
    assert (errors_of(pulled), pulled.new_files) == ([], 1)
    assert server.service.asked_since(before).count("/api/v1/query_range") == 1
    assert len(set(samples(site))) == known + 1
    before = len(server.service.requests)
    pull(site, server.source(), days=8)
    assert server.service.asked_since(before) == ["/api/v1/query"] * 7


def test_what_came_late_today_is_picked_up_when_the_day_is_over(server, site):
    server.gaps = {int(datetime(2026, 9, 10, 6, 0, tzinfo=UTC).timestamp())}
    pull(site, server.source(), days=1)
    server.gaps.clear()
    tomorrow = date.fromisoformat("2026-09-11")
    source = server.source()
    for hours in (14, 15):
        late = site.later(hours=hours)
        with Client(source.service(), site.patience) as client:
            late.pull_scopes(source.scopes(client, late.now), 2, tomorrow)
    day = [moment for moment in set(samples(site)) if f"{moment:%d}" == "10"]
    assert len(day) == 1440


def test_many_steps_are_asked_for_in_parts(server, site):
    pulled, client = pull(site, server.source(step=5), days=1)
    assert errors_of(pulled) == []
    assert [request.query["step"] for request in server.service.requests] == ["5"]
    pulled, client = pull(site.later(days=1), server.source(step=5), days=1)
    assert (errors_of(pulled), client.requests) == ([], 1)
    assert len(set(samples(site))) == 17_280
    pulled, client = pull(replace(site.later(days=1), home=site.home / "anew"), server.source(step=5), days=1)
    assert (errors_of(pulled), client.requests, pulled.files) == ([], 2, 2)


def test_another_expression_is_another_thing_to_remember(server, site):
    pull(site, server.source(), days=1)
    pulled, _ = pull(site, server.source(queries={"cpu_usage": "max(rate(cpu[5m])) # busiest"}), days=1)
    assert (errors_of(pulled), pulled.files) == ([], 1)


def test_no_samples_are_no_file(server, site):
    server.until = server.since
    pulled, _ = pull(site, server.source())
    assert (errors_of(pulled), pulled.files) == ([], 0)
    assert pull(site, server.source())[1].requests == 1


def test_a_broken_expression_is_told_and_leaves_the_others_alone(server, site):
    pulled, client = pull(site, server.source(queries={"bad": "broken(", "cpu_usage": "x"}))
    (told,) = errors_of(pulled)
    assert "status 400 Bad Request (1:1: parse error)" in told
    assert (pulled.files, client.requests) == (2, 3)


@pytest.mark.parametrize("body", [b'{"status": "success"}', b'{"data": {"result": [5]}}', b"[]"])
def test_another_service_is_told(server, site, body):
    server.service.troubles = [("", Answer(body))]
    assert "sources.prometheus.url is not usable" in errors_of(pull(site, server.source(), days=1)[0])[0]


def test_a_wrong_token_is_not_shown(server, site):
    (told,) = errors_of(pull(site, server.source(token="hunter3-is-wrong"))[0])
    assert "Set PROMETHEUS_TOKEN" in told
    assert "hunter3" not in told + repr(server.source(token="hunter3-is-wrong"))
    pull(site, server.source())
    assert SECRET.encode() not in site.everything_kept()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"step": 7}, "does not divide a day"),
        ({"url": "host:9090"}, "url is not usable"), ({"queries": {"cpu usage": "x"}}, "is no name of a metric"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_for(server, changed, message):
    with pytest.raises(SettingsError, match=message):
        server.source(**changed).scopes(None, datetime(2026, 9, 10))  # noqa: DTZ001 - naive UTC
