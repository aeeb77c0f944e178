"""BenchmarkDotNet's JSON: names, jobs, statistics, memory, failures, and damage."""

from __future__ import annotations

import json
from datetime import timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perf_assets.formats.benchmark_dotnet import FORMAT
from perf_assets_tests.formats.damage import (
    anything,
    assert_broken_anywhere_is_borne,
    assert_every_prefix_gives_a_prefix,
)
from perf_assets_tests.formats.reading import assert_helpful, read

HOST = {
    "BenchmarkDotNetCaption": "BenchmarkDotNet", "BenchmarkDotNetVersion": "0.15.6",
    "OsVersion": "Windows 11 (10.0.26200.8037)", "ProcessorName": "AMD Ryzen 7 5800X", "Architecture": "X64",
    "RuntimeVersion": ".NET 9.0.14 (9.0.14, 9.0.1426.11910)", "ChronometerFrequency": {"Hertz": 10000000},
}  # fmt: skip


def benchmark(method: str = "Tokenize", job: str = "DefaultJob", **changes: Any) -> dict[str, Any]:
    fields = {
        "DisplayInfo": f"Bench.{method}: {job} [N=8]", "Namespace": "Step.Lang", "Type": "Bench", "Method": method,
        "MethodTitle": method, "Parameters": "N=8", "FullName": f"Step.Lang.Bench.{method}(N: 8)",
        "Statistics": {
            "OriginalValues": [1.0, 2.0, 6.0], "N": 3, "Min": 1.0, "Median": 2.0, "Mean": 3.0, "Max": 6.0,
            "StandardDeviation": 2.5, "LowerOutliers": [], "ConfidenceInterval": {"N": 3, "Margin": 1.0},
        },
    }  # fmt: skip
    return fields | changes


def report(*benchmarks: Any, title: Any = "Step.Lang.Bench-20260314-202016", **host: Any) -> bytes:
    whole = {"Title": title, "HostEnvironmentInfo": HOST | host, "Benchmarks": list(benchmarks)}
    return json.dumps(whole, indent=3).encode()


MEMORY = {
    "Gen0Collections": 168, "Gen1Collections": 0, "Gen2Collections": 0, "TotalOperations": 84000,
    "BytesAllocatedPerOperation": 672,
}  # fmt: skip
WHOLE = report(benchmark(), benchmark("Parse"))


def test_a_benchmark_is_the_median_of_its_iterations() -> None:
    reading = read(WHOLE)
    assert (reading.format, reading.rejections, reading.omitted) == ("benchmark-dotnet", [], {})
    assert reading.column("test_name", "metric", "raw_value", "raw_unit", "raw_spread", "raw_replicates") == [
        (f"Step.Lang.Bench.{method}(N: 8)", "benchmark_time", 2.0, "ns", 2.5, [1.0, 2.0, 6.0])
        for method in ("Tokenize", "Parse")
    ]
    first = reading.rows[0]
    assert (first["value"], first["location"]) == (pytest.approx(2e-9), "Benchmarks[0].Statistics.Median")
    assert json.loads(first["tags"]) == {"arch": "X64", "os": "Windows", "runtime": ".NET 9.0"}
    assert json.loads(first["context"]) == {
        "BenchmarkDotNetVersion": "0.15.6", "OsVersion": "Windows 11 (10.0.26200.8037)",
        "RuntimeVersion": ".NET 9.0.14 (9.0.14, 9.0.1426.11910)", "processor": "AMD Ryzen 7 5800X",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("title", "ts"),
    [
        ("Step.Lang.Bench-20260314-202016", "2026-03-14T18:20:16"),
        ("BenchmarkRun-joined-2026-03-14-20-20-16", "2026-03-14T18:20:16"),
        ("IntroJsonExport", None),
        ("Bench-20261314-202016", None),
        (None, None),
    ],
)
def test_the_title_has_the_time(title: Any, ts: str | None) -> None:
    (row,) = read(report(benchmark(), title=title), zone=timezone(timedelta(hours=2))).rows
    assert (row["ts"] and row["ts"].isoformat()) == ts
    assert (row["run_key"] is None) == (ts is None)


def test_a_run_is_known_by_title_and_host() -> None:
    keys = [read(content).rows[0]["run_key"] for content in (WHOLE, report(benchmark("Other")))]
    others = [read(report(benchmark(), ProcessorName="other")).rows[0]["run_key"]]
    assert len(set(keys)) == 1
    assert set(others).isdisjoint(keys)


@pytest.mark.parametrize(
    ("job", "name", "runtime"),
    [
        ("DefaultJob", "", ".NET 9.0"),
        ("Job-CZIFCN(IterationCount=3, LaunchCount=1, WarmupCount=3)", "", ".NET 9.0"),
        (".NET 8.0(Runtime=.NET 8.0, Toolchain=net8.0)", "", ".NET 8.0"),
        ("Job-A(Server=True, Runtime=NativeAOT 8.0)", "[Server=True]", "NativeAOT 8.0"),
        ("Cold(RunStrategy=ColdStart, Toolchain=CoreRun)", "[RunStrategy=ColdStart,Toolchain=CoreRun]", ".NET 9.0"),
    ],
)
def test_jobs_tell_series_apart_but_not_how_often_they_measure(job: str, name: str, runtime: str) -> None:
    (row,) = read(report(benchmark(job=job))).rows
    assert row["test_name"] == f"Step.Lang.Bench.Tokenize(N: 8){name}"
    assert json.loads(row["tags"])["runtime"] == runtime


@pytest.mark.parametrize(
    ("host", "tags"),
    [
        ({"OsVersion": "Ubuntu 22.04.5 LTS (Jammy Jellyfish)"}, {"os": "Linux"}),
        ({"OsVersion": "macOS Ventura 13.4 [Darwin 22.5.0]"}, {"os": "macOS"}),
        ({"OsVersion": "Microsoft Windows NT 6.2.9200.0"}, {"os": "Windows"}),
        ({"OsVersion": "Haiku"}, {"os": "Haiku"}),
        ({"RuntimeVersion": ".NET Framework 4.8.1 (4.8.9256.0)"}, {"runtime": ".NET Framework 4.8"}),
        ({"RuntimeVersion": None, "ClrVersion": "MS.NET 4.0.30319.42000"}, {"runtime": "MS.NET 4.0"}),
        ({"RuntimeVersion": "Mono"}, {"runtime": "Mono"}),
    ],
)
def test_the_host(host: dict[str, Any], tags: dict[str, str]) -> None:
    (row,) = read(report(benchmark(), **host)).rows
    assert json.loads(row["tags"]).items() >= tags.items()


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"FullName": None}, "Step.Lang.Bench.Tokenize[N=8]"),
        ({"FullName": None, "Parameters": "N=8&Kind=fast"}, "Step.Lang.Bench.Tokenize[N=8,Kind=fast]"),
        ({"FullName": None, "Parameters": "", "Namespace": None, "Type": None}, "Tokenize"),
    ],
)
def test_before_there_were_full_names(fields: dict[str, Any], name: str) -> None:
    assert read(report(benchmark(**fields))).column("test_name") == [name]


def test_a_report_of_version_0_9() -> None:
    old = {
        "ShortInfo": "Intro_Sleep10", "Namespace": "Samples", "Type": "Intro", "Method": "Sleep10", "Parameters": "",
        "Properties": {"Mode": "Throughput"},
        "Statistics": {"N": 20, "Median": 10360382.7, "Mean": 10362283.1, "Outliers": []},
    }  # fmt: skip
    processor = {"IsValueCreated": True, "Value": "Intel(R) Core(TM) i7-4702MQ"}
    (row,) = read(report(old, title="IntroJsonExport", ProcessorName=processor)).rows
    assert (row["test_name"], row["raw_value"], row["raw_replicates"]) == ("Samples.Intro.Sleep10", 10360382.7, None)
    assert json.loads(row["context"])["processor"] == "Intel(R) Core(TM) i7-4702MQ"


def test_memory_is_that_of_an_operation_and_collections_those_of_a_thousand() -> None:
    reading = read(report(benchmark(Memory=MEMORY)))
    assert reading.column("metric", "raw_value", "raw_unit", "direction")[1:] == [
        ("benchmark_memory", 672.0, "By", None),
        ("Gen0Collects", pytest.approx(2.0), "", "lower_is_better"),
        ("Gen1Collects", 0.0, "", "lower_is_better"),
        ("Gen2Collects", 0.0, "", "lower_is_better"),
    ]
    assert reading.rows[1]["location"] == "Benchmarks[0].Memory.BytesAllocatedPerOperation"
    unknown = MEMORY | {"BytesAllocatedPerOperation": None, "TotalOperations": 0}
    assert len(read(report(benchmark(Memory=unknown))).rows) == 1


def metric(name: Any, value: Any = 5.0, unit: str = "Count", greater: Any = False) -> dict[str, Any]:
    return {"Value": value, "Descriptor": {"Id": name, "Unit": unit, "TheGreaterTheBetter": greater}}


def test_other_diagnosers_have_metrics_of_their_own() -> None:
    metrics = [
        metric("Allocated Memory", unit="B"), metric("Gen0Collects"), metric("CacheMisses"),
        metric("Throughput", unit="ops/s", greater=True), metric("Other", greater=None),
    ]  # fmt: skip
    reading = read(report(benchmark(Metrics=metrics)))
    assert reading.column("metric", "raw_value", "raw_unit", "direction")[1:] == [
        ("CacheMisses", 5.0, "Count", "lower_is_better"),
        ("Throughput", 5.0, "ops/s", "higher_is_better"),
        ("Other", 5.0, "Count", None),
    ]


def test_a_benchmark_without_statistics_failed() -> None:
    reading = read(report(benchmark("A"), benchmark("B", Statistics=None, Memory=MEMORY), benchmark("C")))
    assert reading.column("test_name") == ["Step.Lang.Bench.A(N: 8)", "Step.Lang.Bench.C(N: 8)"]
    assert (reading.omitted, reading.rejections) == ({"failed": 1}, [])


@pytest.mark.parametrize(
    ("broken", "place", "field", "reason"),
    [
        (benchmark(Statistics={"Median": "NaN"}), "", "Statistics.Median", "not_finite"),
        (benchmark(Statistics={"Median": float("inf")}), "", "Statistics.Median", "not_finite"),
        (benchmark(Statistics={"Median": -1}), "", "Statistics.Median", "impossible_value"),
        (benchmark(Statistics={"Median": "1"}), "", "Statistics.Median", "wrong_type"),
        (benchmark(Statistics={}), "", "Statistics.Mean", "missing_value"),
        (benchmark(Statistics=5), "", "Statistics.Mean", "missing_value"),
        (benchmark(FullName=None, Namespace=None, Type=None, Method=None), "", "FullName", "missing_identity"),
        (benchmark(FullName="n" * 1_001), "", "FullName", "missing_identity"),
        (5, "", "", "wrong_type"),
    ],
)
def test_a_broken_benchmark_is_rejected_and_its_neighbours_are_read(
    broken: Any, place: str, field: str, reason: str
) -> None:
    reading = read(report(benchmark("A"), broken, benchmark("C")))
    assert reading.column("test_name") == ["Step.Lang.Bench.A(N: 8)", "Step.Lang.Bench.C(N: 8)"]
    assert reading.problems == [(f"Benchmarks[1]{place}", field, reason)]
    assert_helpful(reading.rejections[0])


def test_a_broken_number_is_rejected_and_the_others_are_read() -> None:
    broken = MEMORY | {"BytesAllocatedPerOperation": "many", "Gen1Collections": -1}
    reading = read(report(benchmark(Memory=broken, Metrics=[metric("A", None), metric(None), metric("B"), 5])))
    assert reading.column("metric") == ["benchmark_time", "Gen0Collects", "Gen2Collects", "B"]
    assert reading.problems == [
        ("Benchmarks[0]", "Memory.BytesAllocatedPerOperation", "wrong_type"),
        ("Benchmarks[0]", "Memory.Gen1Collections", "impossible_value"),
        ("Benchmarks[0].Metrics[0]", "Value", "missing_value"),
        ("Benchmarks[0].Metrics[1]", "Descriptor.Id", "missing_identity"),
        ("Benchmarks[0].Metrics[3]", "Descriptor.Id", "missing_identity"),
    ]


def test_the_host_may_stand_behind_the_benchmarks_but_must_not_be_lost() -> None:
    content = json.dumps({"Title": "x", "Benchmarks": [benchmark()], "HostEnvironmentInfo": HOST}).encode()
    assert len(read(content).rows) == 1
    reading = read(content[: content.index(b'"HostEnvironmentInfo"')])
    assert (reading.rows, [problem[2] for problem in reading.problems]) == ([], ["missing_time", "truncated"])


def test_every_prefix_gives_a_prefix() -> None:
    assert_every_prefix_gives_a_prefix(WHOLE, FORMAT)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 10_000), anything)
def test_any_value_in_any_place_is_borne(place: int, value: Any) -> None:
    content = report(benchmark(job="A(Runtime=x, Server=True)", Memory=MEMORY, Metrics=[metric("CacheMisses")]))
    assert_broken_anywhere_is_borne(content, FORMAT, place, value)


@pytest.mark.parametrize("title", ["'Baseline: Select+ToList (1 item)'", "Baseline: Select+ToList (1 item)", None])
def test_a_description_may_look_like_a_job(title: str | None) -> None:
    described = [
        benchmark("B", DisplayInfo=f"C.'Baseline: Select+ToList (1 item)': {job} [N=8]", MethodTitle=title)
        for job in (".NET 8.0(Runtime=.NET 8.0)", "Job-X(Runtime=.NET 9.0, Arguments=/p:X=Foo(1),/p:Y=2, Server=True)")
    ]
    reading = read(report(*described))
    assert [json.loads(row["tags"])["runtime"] for row in reading.rows] == [".NET 8.0", ".NET 9.0"]
    assert reading.column("test_name") == [
        "Step.Lang.Bench.B(N: 8)", "Step.Lang.Bench.B(N: 8)[Arguments=/p:X=Foo(1),/p:Y=2,Server=True]",
    ]  # fmt: skip


def test_a_parameter_may_look_like_a_job() -> None:
    (row,) = read(report(benchmark("B", DisplayInfo="C.B: DefaultJob [Case=http: get(timeout=5)]"))).rows
    assert row["test_name"] == "Step.Lang.Bench.B(N: 8)"


def test_jobs_of_before_0_10_are_told_by_their_properties() -> None:
    properties = {"Mode": "Throughput", "Platform": "Host", "WarmupCount": "Auto", "TargetCount": 5, "GcMode": "Server"}
    old = [
        benchmark("B", DisplayInfo=..., ShortInfo="Bench_B", Properties=properties | {"Runtime": runtime})
        for runtime in ("Clr", "Core")
    ]
    reading = read(report(*({name: value for name, value in each.items() if value is not ...} for each in old)))
    assert [json.loads(row["tags"])["runtime"] for row in reading.rows] == ["Clr", "Core"]
    assert set(reading.column("test_name")) == {"Step.Lang.Bench.B(N: 8)[GcMode=Server]"}


def test_what_is_worked_out_late_has_its_value_inside() -> None:
    late = {"IsValueCreated": True, "Value": "Microsoft Windows NT 6.2"}
    (row,) = read(report(benchmark(job="Job-X(TargetCount=100)"), OsVersion=late)).rows
    assert json.loads(row["tags"])["os"] == "Windows"
    assert json.loads(row["context"])["OsVersion"] == "Microsoft Windows NT 6.2"
    assert row["test_name"] == "Step.Lang.Bench.Tokenize(N: 8)"
