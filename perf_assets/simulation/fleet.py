"""The simulated fleet: 20 nodes of 4 types, 28 tests, queues, builds and suites over 60 days, seven planted events,
and a load of each day that several metrics share.

One seed gives one table, byte for byte (with one version of numpy and pyarrow).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa

from perf_assets.simulation.noise import FloatArray, autoregressive, cycles

PROJECT = "simulated-fleet"
START = datetime.fromisoformat("2026-08-31")  # a Monday
DAYS = 60
NODE_TYPES = ("linux-large", "linux-small", "mac-mini", "arm-small")
NODES_A_TYPE = 5
TESTS = (
    "login_flow", "checkout_flow", "search_index", "image_resize", "report_export", "user_import", "cart_update",
    "payment_retry", "inventory_sync", "email_render", "session_cache", "token_refresh", "audit_trail", "bulk_delete",
    "csv_parse", "pdf_render", "map_tiles", "feed_ranking", "push_notify", "video_thumb", "geo_lookup", "rate_limit",
    "schema_migrate", "backup_restore", "full_text_query", "graph_walk", "stream_join", "cold_start",
)  # fmt: skip
QUEUES = ("unit", "integration", "e2e", "nightly", "release")
PIPELINES = ("backend", "frontend", "mobile", "infra", "docs", "data", "tools", "mirror")
SUITES = ("api", "core", "ui", "auth", "billing", "search", "export", "sync", "admin", "sdk")
HOURS_BETWEEN_RUNS = 10
IMAGE_BEFORE, IMAGE_AFTER = "2026.08.1", "2026.10.2"


@dataclass(frozen=True)
class Shape:
    """How a metric behaves: `level` and `noise` (standard deviation) in its unit, cycles in noise units."""

    metric: str
    level: float
    noise: float
    hours: float
    daily: float = 0.0
    weekly: float = 0.0
    autocorrelation: float = 0.3
    lowest: float = 0.0
    highest: float = float("inf")
    spread: float = 0.05
    """Relative spread of levels between series."""
    load: float = 0.0
    """Standard deviation of what the load of the day adds, in noise units."""
    worse: int = 1
    """Direction in which a shift is for the worse."""


_NODE_SHAPES = (
    Shape("cpu_usage", 0.45, 0.03, 1, daily=2.0, weekly=1.0, autocorrelation=0.5, highest=1.0, load=0.25),
    Shape("memory_usage", 0.62, 0.02, 0.5, daily=0.5, autocorrelation=0.3, highest=1.0),
    Shape("disk_usage", 0.48, 0.01, 4, highest=1.0),
    Shape("disk_io", 42e6, 4e6, 4, daily=1.5, weekly=0.7, load=0.2),
    Shape("disk_io_time", 0.22, 0.02, 4, daily=1.0, highest=1.0),
    Shape("network_io", 18e6, 2e6, 4, daily=1.5, weekly=1.0, load=0.2),
    Shape("network_errors", 12.0, 1.2, 4),
    Shape("node_response_time", 0.08, 0.006, 4, daily=0.8, load=0.15),
    Shape("node_error_rate", 0.012, 0.0012, 4, highest=1.0),
    Shape("node_failure_rate", 0.015, 0.0015, 4, highest=1.0),
    Shape("load_average", 0.7, 0.06, 4, daily=2.0, weekly=1.0, load=0.25),
    Shape("context_switches", 21e3, 1.8e3, 4, daily=1.5, load=0.2),
    Shape("cpu_temperature", 61.0, 1.5, 4, daily=1.0, spread=0.02, load=0.2),
    Shape("cpu_frequency", 3.1e9, 0.06e9, 4, worse=-1),
    Shape("cpu_steal", 0.02, 0.002, 4, highest=1.0),
    Shape("virtualization_overhead", 0.07, 0.006, 4, highest=1.0),
    Shape("swap_usage", 0.11, 0.01, 4, highest=1.0),
    Shape("process_count", 310.0, 14.0, 4, daily=1.0),
    Shape("open_files", 5200.0, 300.0, 4, daily=1.0),
    Shape("node_restarts", 2.0, 0.4, 24, autocorrelation=0.0),
)
_TEST_SHAPES = (
    Shape("test_setup_time", 4.0, 0.22, 24, weekly=0.3, spread=0.4),
    Shape("test_teardown_time", 1.6, 0.1, 24, weekly=0.3, spread=0.4),
)
_QUEUE_SHAPES = (
    Shape("queue_depth", 14.0, 1.2, 1, daily=2.0, weekly=1.0, autocorrelation=0.4, load=0.3),
    Shape("queue_wait_time", 95.0, 9.0, 1, daily=1.5, weekly=0.8, autocorrelation=0.4, load=0.3),
    Shape("scheduling_efficiency", 0.82, 0.03, 4, highest=1.0, worse=-1),
    Shape("tests_per_hour", 640.0, 35.0, 1, daily=2.0, weekly=2.0, autocorrelation=0.4, worse=-1),
    Shape("parallel_tests", 34.0, 2.5, 4, daily=2.0, weekly=1.0),
)
_PIPELINE_SHAPES = (
    Shape("build_time", 420.0, 20.0, 24, weekly=0.5, spread=0.4),
    Shape("build_success_rate", 0.93, 0.015, 24, highest=1.0, spread=0.02, worse=-1),
    Shape("artifact_size", 88e6, 1.2e6, 24, spread=0.4),
)
_SUITE_SHAPES = (
    Shape("code_coverage", 0.78, 0.008, 24, highest=1.0, worse=-1),
    Shape("test_count", 420.0, 4.0, 24, spread=0.3),
    Shape("test_complexity", 3.4, 0.08, 24),
)
SHAPES = (*_NODE_SHAPES, *_TEST_SHAPES, *_QUEUE_SHAPES, *_PIPELINE_SHAPES, *_SUITE_SHAPES)
_FAILURE_SHARE = 0.02
_EXECUTIONS = 200
_FAILURE_HOURS = 12
_TEST_NOISE = 0.05
"""Noise of a test's duration as a share of its level."""


@dataclass(frozen=True)
class Event:
    """A planted event. `started_at` is the first affected moment, `size` in noise standard deviations.

    `metric` and `part_of_day` narrow it; `breach_at` is when the noise-free value crosses its limit.
    """

    kind: str
    scope: str
    subject: str
    started_at: datetime
    size: float
    metric: str | None = None
    hours: tuple[int, int] | None = None
    limit: float | None = None
    breach_at: datetime | None = None


@dataclass(frozen=True)
class Fleet:
    """A simulated fleet: `table` has the columns of performance_metrics; `events` and `linked` are the truth.

    `linked`: metrics that follow the load of the day, which is the same for all nodes and queues: each pair of them
    moves together over the whole project.
    """

    seed: int
    table: pa.Table
    events: tuple[Event, ...]
    linked: tuple[str, ...]
    series: int


def simulate_fleet(seed: int) -> Fleet:
    """60 days of a fleet with more than 1,000 series, and seven events of 2.6 to 3 noise standard deviations."""
    rng = np.random.default_rng(seed)
    nodes = [(f"{kind}-{number:02d}", kind) for kind in NODE_TYPES for number in range(1, NODES_A_TYPE + 1)]
    events = _plan(rng, [name for name, _ in nodes])
    load = _load_of_days(seed)
    on_nodes = [_Subject(node_id=name, node_type=kind) for name, kind in nodes]
    on_tests = [_Subject(test_name=test, test_type="e2e") for test in TESTS]
    blocks = [
        _test_durations(rng, nodes, events),
        *(_regular(rng, shape, on_nodes, events, load) for shape in _NODE_SHAPES),
        *(_regular(rng, shape, on_tests, events, load) for shape in _TEST_SHAPES),
        _failure_rates(rng, events),
        *(_regular(rng, shape, _named("queue", QUEUES), events, load) for shape in _QUEUE_SHAPES),
        *(_regular(rng, shape, _named("pipeline", PIPELINES), events, load) for shape in _PIPELINE_SHAPES),
        *(_regular(rng, shape, _named("suite", SUITES), events, load) for shape in _SUITE_SHAPES),
    ]
    table = pa.concat_tables(blocks).sort_by([("timestamp", "ascending"), ("test_run_id", "ascending")])
    linked = tuple(shape.metric for shape in SHAPES if shape.load)
    series = len(set(zip(*(table[name].to_pylist() for name in ("metric_name", "test_name", "node_id")), strict=True)))
    return Fleet(seed, table, events, linked, series)


def write_fleet(fleet: Fleet, folder: Path) -> tuple[Path, Path]:
    """Write `fleet-seed-<n>.parquet` and, beside it, the truth; returns both files."""
    from perf_assets.formats.long_table import write_parquet

    folder.mkdir(parents=True, exist_ok=True)
    data = folder / f"fleet-seed-{fleet.seed}.parquet"
    truth = folder / f"fleet-seed-{fleet.seed}.truth.json"
    write_parquet(fleet.table, data)
    events = [asdict(event) for event in fleet.events]
    truth.write_text(
        json.dumps(
            {"simulated": True, "seed": fleet.seed, "events": events, "linked": fleet.linked}, indent=1, default=str
        )
        + "\n"
    )
    return data, truth


@dataclass(frozen=True)
class _Subject:
    node_id: str | None = None
    node_type: str | None = None
    test_name: str | None = None
    test_type: str | None = None


def _named(kind: str, names: Sequence[str]) -> list[_Subject]:
    return [_Subject(test_name=f"{kind}/{name}", test_type=kind) for name in names]


def _plan(rng: np.random.Generator, nodes: Sequence[str]) -> tuple[Event, ...]:
    """When and where the seven events happen; they touch different node types and tests, as in life they mostly do."""
    kinds = list(rng.permutation(np.array(NODE_TYPES)))
    tests = list(rng.permutation(np.array(TESTS)))
    slow, leaking = (f"{kind}-{rng.integers(1, NODES_A_TYPE + 1):02d}" for kind in kinds[:2])
    sizes = rng.uniform(2.6, 3.0, size=7)
    days = rng.uniform(28, 48, size=7)
    whole = [START + timedelta(days=float(np.floor(day))) for day in days]
    moments = [START + timedelta(hours=float(np.floor(day * 24))) for day in days]
    first_hour = int(rng.integers(0, 3))
    queue = str(rng.choice(np.array(QUEUES)))
    leak_start, lead = START + timedelta(days=float(np.floor(rng.uniform(18, 26)))), float(rng.uniform(4, 8))
    end = START + timedelta(days=DAYS)
    return (
        Event("code_regression", "test", str(tests[0]), moments[0], float(sizes[0]), "test_execution_time"),
        Event("slow_node", "node", slow, moments[1], float(sizes[1]), "test_execution_time"),
        Event("memory_leak", "node", leaking, leak_start, 3.0, "memory_usage", None, 0.90, end + timedelta(days=lead)),
        Event(
            "queue_saturation_at_night", "test", f"queue/{queue}", whole[3] + timedelta(hours=first_hour),
            float(sizes[3]), "queue_wait_time", (first_hour, first_hour + 4),
        ),
        Event("runner_image_change", "node_type", str(kinds[2]), moments[4], float(sizes[4])),
        Event("improvement", "test", str(tests[1]), moments[5], float(sizes[5]), "test_execution_time"),
        Event("flaky_test", "test", str(tests[2]), whole[6], float(sizes[6]), "test_failure_rate"),
    )  # fmt: skip


def _load_of_days(seed: int) -> FloatArray:
    """How much more than usual there was to do on each day, of unit variance; days do not depend on each other."""
    # Random numbers of its own: those of everything else are the same with a load and without.
    return np.random.default_rng([seed, 1]).normal(size=DAYS)


def _find(events: Sequence[Event], kind: str) -> Event:
    return next(event for event in events if event.kind == kind)


def _hours_since_start(moment: datetime) -> float:
    return (moment - START).total_seconds() / 3600


def _test_durations(rng: np.random.Generator, nodes: Sequence[tuple[str, str]], events: Sequence[Event]) -> pa.Table:
    """Every pipeline run takes every test to every node."""
    hours = np.arange(0.0, DAYS * 24, HOURS_BETWEEN_RUNS) + rng.uniform(0, 2.0, size=DAYS * 24 // HOURS_BETWEEN_RUNS)
    base = np.exp(rng.normal(np.log(40), 0.8, size=len(TESTS)))
    speed = dict(zip(NODE_TYPES, (0.8, 1.1, 0.95, 1.35), strict=True))
    subjects = [(test, name, kind) for test in TESTS for name, kind in nodes]
    noise = autoregressive(rng, (len(subjects), hours.size), 0.3)
    values = noise + cycles(hours, 0.4, 0.3)
    code, slow, image, better = (
        _find(events, kind) for kind in ("code_regression", "slow_node", "runner_image_change", "improvement")
    )
    for row, (test, name, kind) in enumerate(subjects):
        for event, hit, sign in (
            (code, test == code.subject, 1), (slow, name == slow.subject, 1),
            (image, kind == image.subject, 1), (better, test == better.subject, -1),
        ):  # fmt: skip
            if hit:
                values[row] += sign * event.size * (hours >= _hours_since_start(event.started_at))
    level = np.array([base[TESTS.index(test)] * speed[kind] for test, _, kind in subjects])
    level *= np.exp(rng.normal(0, 0.02, size=level.size))
    values = level[:, None] * (1 + _TEST_NOISE * values)
    run_ids = [[f"ci-{run:04d}/{name}" for run in range(hours.size)] for _, name, _ in subjects]
    contexts = {(run, kind): _context(image, kind, hours[run], f"{run * 7919 + 104729:07x}")
                for run in range(hours.size) for kind in NODE_TYPES}  # fmt: skip
    return _table(
        "test_execution_time",
        [_Subject(name, kind, test, "e2e") for test, name, kind in subjects],
        hours,
        np.clip(values, level[:, None] * 0.2, None),
        _present(rng, values.shape, 0.03, outages=20),
        run_ids,
        [[contexts[run, kind] for run in range(hours.size)] for _, _, kind in subjects],
    )


def _regular(
    rng: np.random.Generator, shape: Shape, subjects: Sequence[_Subject], events: Sequence[Event], load: FloatArray
) -> pa.Table:
    hours = np.arange(0.0, DAYS * 24, shape.hours)
    values = autoregressive(rng, (len(subjects), hours.size), shape.autocorrelation)
    values += cycles(hours, shape.daily, shape.weekly) + shape.load * load[(hours // 24).astype(int)]
    leak, night, image = (
        _find(events, kind) for kind in ("memory_leak", "queue_saturation_at_night", "runner_image_change")
    )
    level = shape.level * np.exp(rng.normal(0, shape.spread, size=len(subjects)))
    noise = np.full(len(subjects), shape.noise) * level / shape.level
    for row, subject in enumerate(subjects):
        if subject.node_type == image.subject:
            values[row] += shape.worse * image.size * (hours >= _hours_since_start(image.started_at))
        if shape.metric == night.metric and subject.test_name == night.subject and night.hours:
            inside = (hours % 24 >= night.hours[0]) & (hours % 24 < night.hours[1])
            values[row] += night.size * inside * (hours >= _hours_since_start(night.started_at))
        if shape.metric == leak.metric and subject.node_id == leak.subject and leak.limit and leak.breach_at:
            start, end = _hours_since_start(leak.started_at), DAYS * 24.0
            rise = leak.size / (end - start)
            values[row] += rise * np.clip(hours - start, 0, None)
            at_breach = leak.size + rise * (_hours_since_start(leak.breach_at) - end)
            level[row] = leak.limit - at_breach * noise[row]
    values = np.clip(level[:, None] + noise[:, None] * values, shape.lowest, shape.highest)
    stamps = [(START + timedelta(hours=float(hour))).strftime("%Y-%m-%dT%H:%M") for hour in hours]
    names = [subject.node_id or subject.test_name for subject in subjects]
    return _table(
        shape.metric,
        subjects,
        hours,
        values,
        _present(rng, values.shape, 0.02, outages=len(subjects) // 5),
        [[f"telemetry-{shape.hours:g}h/{name}/{stamp}" for stamp in stamps] for name in names],
        [[_context(image, subject.node_type, hour, None) for hour in hours] for subject in subjects],
    )


def _failure_rates(rng: np.random.Generator, events: Sequence[Event]) -> pa.Table:
    flaky = _find(events, "flaky_test")
    hours = np.arange(0.0, DAYS * 24, _FAILURE_HOURS)
    share = np.full((len(TESTS), hours.size), _FAILURE_SHARE)
    noise = np.sqrt(_FAILURE_SHARE * (1 - _FAILURE_SHARE) / _EXECUTIONS)
    share[TESTS.index(flaky.subject)] += flaky.size * noise * (hours >= _hours_since_start(flaky.started_at))
    values = rng.binomial(_EXECUTIONS, share) / _EXECUTIONS
    days = [(START + timedelta(hours=float(hour))).strftime("%Y-%m-%dT%H") for hour in hours]
    return _table(
        "test_failure_rate",
        [_Subject(test_name=test, test_type="e2e") for test in TESTS],
        hours,
        values,
        _present(rng, values.shape, 0.02, outages=0),
        [[f"half-day/{test}/{day}" for day in days] for test in TESTS],
        [[json.dumps({"executions": _EXECUTIONS, "project": PROJECT})] * hours.size] * len(TESTS),
    )


def _context(image: Event, node_type: str | None, hour: float, commit: str | None) -> str:
    context: dict[str, str] = {"project": PROJECT}
    if node_type is not None:
        changed = node_type == image.subject and hour >= _hours_since_start(image.started_at)
        context["runner_image"] = f"{node_type}-{IMAGE_AFTER if changed else IMAGE_BEFORE}"
    if commit is not None:
        context |= {"branch": "main", "commit_id": commit}
    return json.dumps(context)


def _present(rng: np.random.Generator, shape: tuple[int, int], missing: float, outages: int) -> np.ndarray:
    """Single results missing at random, and stretches in which a series reports nothing."""
    present = rng.uniform(size=shape) >= missing
    for _ in range(outages):
        row, start = rng.integers(shape[0]), rng.integers(shape[1])
        present[row, start : start + max(2, shape[1] // 40)] = False
    return present


def _table(
    metric: str,
    subjects: Sequence[_Subject],
    hours: FloatArray,
    values: FloatArray,
    present: np.ndarray,
    run_ids: Sequence[Sequence[str]],
    contexts: Sequence[Sequence[str]],
) -> pa.Table:
    rows, columns = np.nonzero(present)
    epoch = np.datetime64(START, "us")
    times = epoch + (hours * 3600).astype("int64")[columns] * np.timedelta64(1_000_000, "us")
    cells = list(zip(rows.tolist(), columns.tolist(), strict=True))
    texts = {
        name: [getattr(subjects[row], name) for row, _ in cells]
        for name in ("test_name", "test_type", "node_id", "node_type")
    } | {
        "test_run_id": [run_ids[row][column] for row, column in cells],
        "ci_job_id": [None] * len(cells),
        "context_data": [contexts[row][column] for row, column in cells],
    }
    return pa.table(
        {
            "timestamp": pa.array(times, pa.timestamp("us")),
            "metric_name": pa.array([metric] * len(cells), pa.string()),
            "metric_value": pa.array([float(f"{value:.7g}") for value in values[rows, columns]], pa.float64()),
            **{name: pa.array(column, pa.string()) for name, column in texts.items()},
        }
    )
