"""Group `sources`: what is pulled into landing, an asset for each source that is configured.

The sources are those of the settings, so nothing here is at the level of the module, where Dagster would find it.
"""

from collections.abc import Mapping, Sequence
from datetime import date

import dagster as dg

from perf_assets.defs.asset_spec import OWNERS
from perf_assets.defs.schedules import last_days
from perf_assets.landing import Landing, utc_now
from perf_assets.progress import Progress
from perf_assets.run_tags import ATTENDED
from perf_assets.settings import Settings, protected_files
from perf_assets.sources.errors import SourceError
from perf_assets.sources.pulling import LOOKED_AT_AGAIN_DAYS, Pulled, pull
from perf_assets.sources.source import Opened, Source, Surroundings, asset_name

SOURCE_DAY = dg.DailyPartitionsDefinition(start_date="2020-01-01", end_offset=1, timezone="UTC")
"""The day (UTC) by the source's own clock, today included."""

SOURCES_JOB_NAME = "sources_job"
_LISTED_TROUBLES = 10


def source_definitions(sources: Sequence[Source]) -> dg.Definitions:
    """An asset for each source, which is read from the resource that is called as the source's section; a job that
    pulls them, and a schedule for those that can be asked for days: the others are part of each run. Nothing at all
    without a source.
    """
    assets = [_source_asset(source) for source in sources]
    if not assets:
        return dg.Definitions()
    job = dg.define_asset_job(
        SOURCES_JOB_NAME,
        selection=dg.AssetSelection.assets(*(asset.key for asset in assets)),
        executor_def=dg.in_process_executor,
        description="Pull CI servers, Prometheus and folders into landing.",
    )
    by_day = [dg.AssetKey(asset_name(source.section)) for source in sources if source.by_day]
    return dg.Definitions(assets=assets, jobs=[job], schedules=[_hourly_sources(by_day)] if by_day else [])


def _hourly_sources(asked: list[dg.AssetKey]) -> dg.ScheduleDefinition:
    @dg.schedule(
        job_name=SOURCES_JOB_NAME,
        cron_schedule="52 * * * *",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Pulls what is new from the configured sources every hour, before it is loaded.",
    )
    def hourly_sources(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        """Pull what is new of today and of the days before on which results may still be late, before it is loaded."""
        return last_days(context, LOOKED_AT_AGAIN_DAYS + 1, asked)

    return hourly_sources


def _source_asset(source: Source) -> dg.AssetsDefinition:
    @dg.asset(
        name=asset_name(source.section),
        group_name="sources" if source.by_day else "ingestion",
        kinds=set(source.kinds),
        owners=OWNERS,
        description=f"{source.description} {source.remedy}",
        partitions_def=SOURCE_DAY if source.by_day else None,
        backfill_policy=dg.BackfillPolicy.single_run() if source.by_day else None,
        retry_policy=dg.RetryPolicy(max_retries=2, delay=30),
        required_resource_keys={source.section, "settings", "landing", "patience", "progress"},
        # Assets that load have no source upstream that has no days, so that one that does not answer keeps no other
        # results from being loaded; it goes first, so that what it gives is loaded by the same run.
        op_tags={} if source.by_day else {"dagster/priority": "1"},
    )
    def results(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
        settings: Settings = context.resources.settings
        opened_source: Source = getattr(context.resources, source.section)
        around = Surroundings(utc_now(), context.resources.patience, settings.kept_answers, context.instance)
        try:
            with protected_files(settings), opened_source.opened(around) as opened:
                pulled = _pull(context, opened_source, opened)
        except SourceError as error:
            raise dg.Failure(str(error), {"troubles": str(error)}, allow_retries=False) from error
        return _result(pulled, opened.counts(), ATTENDED in context.run.tags)

    return results


def _pull(context: dg.AssetExecutionContext, source: Source, opened: Opened) -> Pulled:
    settings: Settings = context.resources.settings
    landing: Landing = context.resources.landing
    progress: Progress = context.resources.progress
    days = [date.fromisoformat(day) for day in context.partition_keys] if source.by_day else [utc_now().date()]
    seen = settings.seen_by_sources / source.origin
    with progress.of(f"days pulled from {source.origin}", len(days) * len(opened.scopes)) as advance:
        return pull(source.origin, opened.scopes, days, seen, landing, utc_now(), advance)


def _result(pulled: Pulled, counts: Mapping[str, int], attended: bool) -> dg.MaterializeResult[None]:
    """What a pull reports; raises dg.Failure if anything went wrong, to be tried again if that may help and nobody is
    waiting.
    """
    metadata = {
        **counts,
        "files": pulled.files,
        "new_files": pulled.new_files,
        "bytes": pulled.bytes,
        "complete_days": pulled.complete,
    }
    if not pulled.troubles:
        return dg.MaterializeResult(metadata=metadata)
    listed = [str(trouble) for trouble in pulled.troubles[:_LISTED_TROUBLES]]
    more = [f"... and {len(pulled.troubles) - len(listed)} more"] if len(pulled.troubles) > len(listed) else []
    troubles = "\n".join([*listed, *more])
    # A wrong token or address is as wrong in half a minute, and a rate limit lasts longer.
    raise dg.Failure(troubles, {**metadata, "troubles": troubles}, allow_retries=pulled.may_pass and not attended)
