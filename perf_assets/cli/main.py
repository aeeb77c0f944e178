"""Commands and their exit codes.

0 all went well · 1 a run, a delivery or a check failed · 2 wrong usage, configuration or input · 3 nothing to show
yet · 4 regressions were found and `--fail-on-regression` asked to say so · 5 a disk is full.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from perf_assets import __version__
from perf_assets.errors import UserError

if TYPE_CHECKING:
    # Imported by each command when it runs: `--help` needs no settings.
    from perf_assets.settings import Settings

FAILED, USAGE, REGRESSED = 1, 2, 4


@click.group(context_settings={"help_option_names": ["-h", "--help"]}, epilog=(
    "Exit codes: 0 fine; 1 a run, delivery or check failed; 2 wrong usage, configuration or input; 3 nothing to show "
    "yet; 4 regressions found (with --fail-on-regression); 5 a disk is full."
))  # fmt: skip
@click.version_option(__version__, prog_name="perf-assets")
def main() -> None:
    """Watch the performance of test fleets and benchmarks."""


def _stop_if_full(error: Exception, settings: Settings) -> None:
    """End the command where a disk is full, whichever library met it."""
    from perf_assets.disk import full_disk, is_full

    if is_full(error, settings.home):
        own = [Path(error.filename)] if isinstance(error, OSError) and error.filename else []
        full = full_disk([settings.home, Path(tempfile.gettempdir()), *own], [settings.database])
        _stop(str(full), full.exit_code)


def _command(function: Callable[..., None]) -> Callable[..., None]:
    """Hand the settings to a command, and turn errors a user can mend into a message and an exit code."""

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> None:
        # Pydantic would look for plugins in every package that is installed, which takes longer than the settings do.
        os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
        from perf_assets.settings import load_settings, protected_files

        try:
            settings = load_settings()
            with protected_files(settings):
                function(settings, *args, **kwargs)
        except UserError as error:
            _stop(str(error), error.exit_code)
        except Exception as error:
            _stop_if_full(error, settings)
            if not isinstance(error, OSError):
                raise
            if error.filename is None:
                _stop(str(error), USAGE)
            _stop(f"{error.filename}: {error.strerror}; check the path and its permissions", USAGE)

    return call


@main.command()
@click.argument("inputs", nargs=-1, type=click.Path(path_type=Path))
@click.option("--fail-on-regression", is_flag=True, help="Exit with 4 if a regression is confirmed.")
@_command
def run(settings: Settings, inputs: tuple[Path, ...], fail_on_regression: bool) -> None:
    """Analyse INPUTS (files or folders), or what was received before; with neither, the bundled sample."""
    from perf_assets.cli.running import analyse

    outcome = analyse(settings, inputs)
    if outcome is None or not outcome.complete:
        sys.exit(FAILED)
    if fail_on_regression and outcome.regressions:
        sys.exit(REGRESSED)


@main.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--strict", is_flag=True, help="Exit with 1 if anything was sent to quarantine.")
@click.option("--project", help="Project the results belong to, over what the files say.")
@click.option("--branch", help="Branch, where the files name none.")
@click.option("--commit", "commit_id", help="Commit, where the files name none.")
@click.option("--run", "run_key", help="Id of the CI run, where the files name none.")
@click.option("--attempt", type=click.IntRange(1), help="Attempt at that run, from 1.")
@click.option("--time", "ts", help="Time of the run (ISO 8601), where the files have none.")
@click.option("--timezone", help="Zone of times that name none, such as Europe/Berlin.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, all files.")
@_command
def ingest(settings: Settings, paths: tuple[Path, ...], strict: bool, as_json: bool, **given: str | int | None) -> None:
    """Load result files, or folders of them, without analysing them."""
    from perf_assets.cli.ingesting import ingest_files

    if ingest_files(settings, paths, given, as_json) and strict:
        sys.exit(FAILED)


@main.group()
def quarantine() -> None:
    """Results that could not be read: where, why, and what to do."""


def _given(context: click.Context, option: click.Parameter, value: str | None) -> str | None:
    """Text that can be looked for; what is blank is not given."""
    return value.encode("utf-8", "replace").decode() if value and value.strip() else None


_QUARANTINE_FILTERS = (
    click.option("--reason", callback=_given, help="Only this reason code."),
    click.option("--file", "name", callback=_given, help="Only files of this name (a pattern such as 'junit*.xml')."),
)


def _filtered(function: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(_QUARANTINE_FILTERS):
        function = option(function)
    return function


@quarantine.command("list")
@_filtered
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1), help="Most rows.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, ids as strings.")
@_command
def list_quarantine(settings: Settings, reason: str | None, name: str | None, limit: int, as_json: bool) -> None:
    """What is in quarantine, newest first."""
    from perf_assets.cli.quarantining import show_quarantine

    show_quarantine(settings, reason, name, limit, as_json)


# Half of all ids begin with a minus sign, which is no option.
@quarantine.command("show", context_settings={"ignore_unknown_options": True})
@click.argument("quarantine_id")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@_command
def show_quarantined(settings: Settings, quarantine_id: str, as_json: bool) -> None:
    """All about one entry, the raw fragment and where its file lies included."""
    from perf_assets.cli.quarantining import show_entry

    if not show_entry(settings, quarantine_id, as_json):
        _stop(f"nothing in quarantine has the id {quarantine_id}; `perf-assets quarantine list` lists it", USAGE)


@quarantine.command("replay", context_settings={"ignore_unknown_options": True})
@click.argument("quarantine_ids", nargs=-1)
@_filtered
@_command
def replay(settings: Settings, quarantine_ids: tuple[str, ...], reason: str | None, name: str | None) -> None:
    """Read the files of entries again, all of them without ids or filters: after a corrected metrics file, changed
    limits or a newer version. What can be read now gets the ids it would have had.
    """
    from perf_assets.cli.quarantining import replay_files

    replay_files(settings, quarantine_ids, reason, name)


@main.command()
@click.argument("sources", nargs=-1)
@click.option("--from", "first", type=click.DateTime(["%Y-%m-%d"]), help="First day (UTC); a week before the last.")
@click.option("--to", "last", type=click.DateTime(["%Y-%m-%d"]), help="Last day (UTC); today.")
@_command
def pull(settings: Settings, sources: tuple[str, ...], first: datetime | None, last: datetime | None) -> None:
    """Pull what is new from SOURCES (all that are configured), as the hourly schedule does; see docs/sources.md."""
    from perf_assets.cli.pulling import pull_sources

    if not pull_sources(settings, sources, first and first.date(), last and last.date()):
        sys.exit(FAILED)


FILTERS = {
    "project": click.option("--project", help="Only this project."),
    "metric": click.option("--metric", help="Only this metric."),
    "test": click.option("--test", help="Only this test, scenario or benchmark."),
    "test_type": click.option("--test-type", help="Only this type of test."),
    "node": click.option("--node", help="Only this node."),
    "node_type": click.option("--node-type", help="Only this type of node."),
    "days": click.option("--days", type=click.IntRange(1), help="Only the last days before the newest results."),
}
_PLACE = ("project", "metric", "test", "test_type", "node")


def _listing(name: str, help_text: str, filters: Sequence[str], has_insignificant: bool = False) -> None:
    def show(
        settings: Settings, as_json: bool, limit: int | None, everything: bool = False, **given: str | int | None
    ) -> None:
        from perf_assets.cli.listing import show_listing

        wanted = {key: str(value) for key, value in given.items() if value}
        show_listing(settings, name, wanted, limit, everything, as_json)

    command = _command(show)
    options = [
        click.option("--json", "as_json", is_flag=True, help="Print JSON, all rows, ids as strings."),
        *(FILTERS[filter_name] for filter_name in filters),
        click.option("--limit", type=click.IntRange(1), help="Most rows: 50 in a table, all as JSON."),
    ]
    if has_insignificant:
        options.append(click.option("--all", "everything", is_flag=True, help="Also rows without evidence."))
    for option in reversed(options):
        command = option(command)
    main.command(name, help=help_text)(command)


_listing(
    "regressions",
    "Changes for the worse and for the better: what, where, since when, how sure.",
    (*_PLACE, "days"),
)
_listing("causes", "What changed together with regressions, by comparison; no proof.", (*_PLACE, "days"))
_listing("trends", "Series that drift, strongest evidence first.", _PLACE, has_insignificant=True)
_listing("forecast", "Series with a limit, and when they will pass it.", _PLACE, has_insignificant=True)
_listing("stopped", "Series that have stopped reporting, and tests that were removed.", (*_PLACE, "days"))
_listing(
    "anomalies",
    "Episodes in which a series, or the metrics of a node together, left what was likely.",
    (*_PLACE, "days"),
)
_listing("patterns", "Series that repeat daily, weekly or by a longer period.", _PLACE, has_insignificant=True)
_listing("correlations", "Metrics that move together.", ("project", "metric", "node"), has_insignificant=True)
_listing("insights", "What to read first.", ("project",))
_listing("nodes", "Nodes compared on the same tests.", ("project", "node", "node_type"))
_listing("recommendations", "What to do, and on what evidence.", ("project",))


@main.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def alerts(context: click.Context, as_json: bool) -> None:
    """What was sent, and what was acknowledged."""
    if context.invoked_subcommand is None:
        _show_alerts(as_json)


@_command
def _show_alerts(settings: Settings, as_json: bool) -> None:
    from perf_assets.cli.alerting import show_alerts

    show_alerts(settings, as_json)


# Half of all ids begin with a minus sign, which is no option.
@alerts.command("acknowledge", context_settings={"ignore_unknown_options": True})
@click.argument("regression_id")
@click.option("--by", required=True, help="Who acknowledges.")
@click.option("--note", default="", help="Why, or what is being done.")
@_command
def acknowledge(settings: Settings, regression_id: str, by: str, note: str) -> None:
    """Say that a regression is known: it stays in the tables and is no longer alerted."""
    from perf_assets.cli.alerting import acknowledge_regression

    if not acknowledge_regression(settings, regression_id, by, note):
        _stop(f"no regression has the id {regression_id}; `perf-assets regressions` lists them", USAGE)


@alerts.command("send")
@_command
def send(settings: Settings) -> None:
    """Send what has not been sent yet, as the sensor does."""
    from perf_assets.cli.alerting import send_now

    if not send_now(settings):
        sys.exit(FAILED)


@main.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, ids as strings.")
@click.pass_context
def epochs(context: click.Context, as_json: bool) -> None:
    """Moments from which values are not comparable with those before: analysis begins anew there."""
    if context.invoked_subcommand is None:
        _show_epochs(as_json)


@_command
def _show_epochs(settings: Settings, as_json: bool) -> None:
    from perf_assets.cli.declaring import show_epochs

    show_epochs(settings, as_json)


@epochs.command("declare")
@click.option("--at", "starts_at", help="First moment of it (ISO 8601); now without it, as in a CI step.")
@click.option("--reason", required=True, help="Why values before are not comparable.")
@click.option("--by", "declared_by", default="the command line", help="Who declares it.")
@click.option("--project", help="Only series of this project.")
@click.option("--node", "node_id", help="Only series of this node.")
@click.option("--node-type", help="Only series of this type of node.")
@click.option("--test", "test_name", help="Only series of this test.")
@click.option("--metric", help="Only series of this metric.")
@_command
def declare(settings: Settings, **declared: str | None) -> None:
    """Declare an epoch; it counts from the next run on. The same one again changes nothing."""
    from perf_assets.cli.declaring import declare_epoch

    declare_epoch(settings, declared)


@epochs.command("withdraw", context_settings={"ignore_unknown_options": True})
@click.argument("epoch_id")
@_command
def withdraw(settings: Settings, epoch_id: str) -> None:
    """Take back an epoch that was declared on the command line."""
    from perf_assets.cli.declaring import withdraw_epoch

    if not withdraw_epoch(settings, epoch_id):
        _stop(f"no declared epoch has the id {epoch_id}; `perf-assets epochs` lists them", USAGE)


@main.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def state(context: click.Context, as_json: bool) -> None:
    """What cannot be rebuilt: where it is kept, its version, and rows of each table."""
    if context.invoked_subcommand is None:
        _show_state(as_json)


@_command
def _show_state(settings: Settings, as_json: bool) -> None:
    from perf_assets.cli.state import show_state

    show_state(settings, as_json)


@state.command("backup")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--force", is_flag=True, help="Replace FILE if it exists.")
@_command
def backup(settings: Settings, file: Path, force: bool) -> None:
    """Write all of the state into FILE (SQLite), also while others write."""
    from perf_assets.cli.state import back_up_state

    back_up_state(settings, file, force)


@state.command("restore")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--yes", is_flag=True, help="Do not ask.")
@_command
def restore(settings: Settings, file: Path, yes: bool) -> None:
    """Replace all of the state by the backup FILE, which an older version may have written."""
    from perf_assets.cli.state import restore_state

    if not restore_state(settings, file, yes):
        sys.exit(FAILED)


@main.command()
@click.option("--checksums", is_flag=True, help="Print a checksum of each table instead.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@_command
def doctor(settings: Settings, checksums: bool, as_json: bool) -> None:
    """What is configured, reachable and missing."""
    from perf_assets.cli.doctoring import examine, show_checksums

    if checksums:
        show_checksums(settings, as_json)
    elif not examine(settings, as_json):
        sys.exit(FAILED)


def _stop(message: str, code: int) -> NoReturn:
    click.echo(f"perf-assets: {message}", err=True)
    sys.exit(code)


if __name__ == "__main__":
    main()
