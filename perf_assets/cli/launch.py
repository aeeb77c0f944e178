"""Starting the Dagster job of a code location in this process, as `perf-assets run` does without a daemon."""

from __future__ import annotations

import importlib
import os
import uuid
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perf_assets.progress import Progress
from perf_assets.run_tags import ATTENDED, range_tags
from perf_assets.settings import Settings

if TYPE_CHECKING:
    from dagster import DagsterInstance, MetadataValue

LOCATION = "perf_assets.definitions"
"""The module workspace.yaml names: looked up as Dagster does, so that this room depends on no definition."""
MAIN_JOB = "perf_assets_job"
INGESTION_JOB = "ingestion_job"
SOURCES_JOB = "sources_job"


_NO_COMPUTE_LOGS = {
    "module": "dagster._core.storage.noop_compute_log_manager", "class": "NoOpComputeLogManager"
}  # fmt: skip


@dataclass(frozen=True)
class StepEnded:
    """A step of the run: its name, seconds taken, the error if it failed, and what it told of itself."""

    name: str
    seconds: float
    error: str | None
    metadata: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class RunResult:
    """`errors`: messages by the step that failed."""

    succeeded: bool
    run_id: str
    errors: Mapping[str, str]


def run_job(
    name: str,
    settings: Settings,
    days: Sequence[str],
    tell: Callable[[StepEnded], None],
    assets: Sequence[str] | None = None,
    progress: Progress | None = None,
    replay: Sequence[str] = (),
) -> RunResult:
    """Execute a job, all its assets or some, for the given days (ascending); `tell` hears of each step as it ends,
    `progress` of how far the loading of files has come. Files whose content hashes stand in `replay` are read again.
    """
    # Analysis is many small problems: one thread each is faster than two sharing one.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    warnings.filterwarnings("ignore", module="dagster")
    import dagster as dg

    # Built anew: those of the module have the settings that held when it was first imported.
    definitions: dg.Definitions = importlib.import_module(LOCATION).build_definitions(
        {"progress": dg.ResourceDefinition.hardcoded_resource(progress)} if progress else None
    )
    run_id = str(uuid.uuid4())
    errors: dict[str, str] = {}
    told: dict[str, dict[str, object]] = {}

    def heard(entry: dg.EventLogEntry) -> None:
        event = entry.dagster_event
        if event is None:
            return
        if event.event_type_value == "ASSET_MATERIALIZATION":
            told.setdefault(event.step_key or "", {}).update(_values(event.materialization.metadata))
        if event.event_type_value not in ("STEP_SUCCESS", "STEP_FAILURE"):
            return
        data = event.event_specific_data
        failure = getattr(data, "user_failure_data", None)
        if failure is not None:
            told.setdefault(event.step_key or "", {}).update(_values(failure.metadata))
        error = getattr(data, "error", None)
        message = (error.cause or error).message.strip() if error is not None else None
        if message is not None:
            errors[event.step_key or ""] = message
        seconds = (getattr(data, "duration_ms", 0) or 0) / 1000.0
        tell(StepEnded(event.step_key or "", seconds, message, told.get(event.step_key or "", {})))

    with _instance(settings) as instance:
        instance.add_event_listener(run_id, heard)
        result = definitions.resolve_job_def(name).execute_in_process(
            instance=instance,
            run_id=run_id,
            raise_on_error=False,
            run_config={
                "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
                **({"ops": {"load_results": {"config": {"replay": list(replay)}}}} if replay else {}),
            },
            asset_selection=None if assets is None else [dg.AssetKey(asset) for asset in assets],
            tags=range_tags(days[0], days[-1]) | {ATTENDED: "true"},
        )
    return RunResult(result.success, run_id, errors)


def _values(metadata: Mapping[str, MetadataValue[Any]]) -> dict[str, object]:
    return {name: value.value for name, value in metadata.items()}


def _instance(settings: Settings) -> DagsterInstance:
    """The instance of DAGSTER_HOME; else that of `dagster dev` in this folder; else one of its own under `home`."""
    import dagster as dg
    import yaml

    if os.environ.get("DAGSTER_HOME"):
        return dg.DagsterInstance.get()
    folder = settings.home / "dagster"
    folder.mkdir(parents=True, exist_ok=True)
    config: dict[str, Any] = {"telemetry": {"enabled": False}, "nux": {"enabled": False}}
    if Path("dagster.yaml").is_file() and settings.home == Path("var").absolute():
        config = yaml.safe_load(Path("dagster.yaml").read_text(encoding="utf-8"))
    # What is printed goes to the terminal, and not to files as well: progress is drawn there.
    return dg.DagsterInstance.local_temp(str(folder), overrides=config | {"compute_logs": _NO_COMPUTE_LOGS})
