"""The main job on the bundled sample, step by step, in a home of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

_CHILD = """
import json, resource, time
from pathlib import Path
from perf_assets.cli.launch import MAIN_JOB, run_job
from perf_assets.landing import Landing, utc_now
from perf_assets.settings import load_settings
from perf_assets.sources.files import land_sample
settings = load_settings()
landing = Landing(settings.landing)
land_sample(landing, settings.home / "samples", utc_now())
steps = []
wall, cpu = time.perf_counter(), time.process_time()
result = run_job(MAIN_JOB, settings, landing.days(), lambda step: steps.append((step.name, step.seconds)))
assert result.succeeded, result.errors
usage = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu,
                  "peak_mb": usage.ru_maxrss / 1024, "steps": steps}))
"""


@dataclass(frozen=True)
class PipelineRun:
    """Seconds of the job and of its steps, CPU seconds, peak memory in MB, and seconds until a second run says so."""

    wall: float
    cpu: float
    peak_mb: float
    steps: tuple[tuple[str, float], ...]
    starts_after: float


def measure_pipeline(home: Path) -> PipelineRun:
    environment = {**os.environ, "PERF_ASSETS_HOME": str(home), "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    environment.pop("DAGSTER_HOME", None)
    done = subprocess.run([sys.executable, "-c", _CHILD], env=environment, capture_output=True, text=True, check=True)
    figures = json.loads(done.stdout.splitlines()[-1])
    steps = tuple((str(name), float(seconds)) for name, seconds in figures["steps"])
    return PipelineRun(figures["wall"], figures["cpu"], figures["peak_mb"], steps, _start(environment))


def _start(environment: dict[str, str]) -> float:
    """Seconds until `perf-assets run` prints its first line of work, warm."""
    started = time.perf_counter()
    child = subprocess.Popen(
        [sys.executable, "-m", "perf_assets.cli.main", "run"], env=environment, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    child.stdout.readline()
    elapsed = time.perf_counter() - started
    child.terminate()
    child.wait()
    return elapsed
