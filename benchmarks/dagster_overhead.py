"""What Dagster costs a step that does nothing: a chain of empty steps, in process, as `perf-assets run` works."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass

import dagster as dg

STEPS = 25
ROUNDS = 5


@dataclass(frozen=True)
class Overhead:
    """Seconds a step (wall and CPU, medians over rounds), with and without the pool that real steps wait in."""

    wall: float
    cpu: float
    wall_in_pool: float
    cpu_in_pool: float


def measure_overhead() -> Overhead:
    with tempfile.TemporaryDirectory() as folder, dg.DagsterInstance.local_temp(folder) as instance:
        wall, cpu = _median_round(_chain(None), instance)
        wall_in_pool, cpu_in_pool = _median_round(_chain("warehouse"), instance)
    return Overhead(wall, cpu, wall_in_pool, cpu_in_pool)


def _chain(pool: str | None) -> dg.JobDefinition:
    """Assets that depend on each other in a row and materialise nothing but a row count."""
    assets = []
    for number in range(STEPS):
        deps = [f"empty_{number - 1}"] if number else []

        @dg.asset(name=f"empty_{number}", deps=deps, pool=pool)
        def empty() -> dg.MaterializeResult[None]:
            return dg.MaterializeResult(metadata={"dagster/row_count": 0})

        assets.append(empty)
    definitions = dg.Definitions(
        assets=assets, jobs=[dg.define_asset_job("chain", selection="*")], executor=dg.in_process_executor
    )
    return definitions.resolve_job_def("chain")


def _median_round(job: dg.JobDefinition, instance: dg.DagsterInstance) -> tuple[float, float]:
    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    rounds = []
    for _ in range(ROUNDS + 1):
        wall, cpu = time.perf_counter(), time.process_time()
        job.execute_in_process(instance=instance, run_config=quiet)
        rounds.append(((time.perf_counter() - wall) / STEPS, (time.process_time() - cpu) / STEPS))
    warm = rounds[1:]
    middle = len(warm) // 2
    return sorted(wall for wall, _ in warm)[middle], sorted(cpu for _, cpu in warm)[middle]
