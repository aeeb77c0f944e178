"""Commands and their exit codes.

0 all went well · 1 a run, a delivery or a check failed · 2 wrong usage, configuration or input · 3 nothing to show
yet · 4 regressions were found and `--fail-on-regression` asked to say so.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, NoReturn

import click

from perf_assets.errors import UserError
from perf_assets.settings import Settings, load_settings

FAILED, USAGE, REGRESSED = 1, 2, 4


@click.group(context_settings={"help_option_names": ["-h", "--help"]}, epilog=(
    "Exit codes: 0 fine; 1 a run, delivery or check failed; 2 wrong usage, configuration or input; 3 nothing to show "
    "yet; 4 regressions found (with --fail-on-regression)."
))  # fmt: skip
@click.version_option(package_name="perf-assets")
def main() -> None:
    """Watch the performance of test fleets and benchmarks."""


def _command(function: Callable[..., None]) -> Callable[..., None]:
    """Hand the settings to a command, and turn errors a user can mend into a message and an exit code."""

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> None:
        try:
            function(load_settings(), *args, **kwargs)
        except UserError as error:
            _stop(str(error), error.exit_code)
        except OSError as error:
            if error.filename is None:
                _stop(str(error), USAGE)
            _stop(f"{error.filename}: {error.strerror}; check the path and its permissions", USAGE)

    return call


@main.command()
@click.argument("inputs", nargs=-1, type=click.Path(path_type=Path))
@click.option("--fail-on-regression", is_flag=True, help="Exit with 4 if a regression is confirmed.")
@_command
def run(settings: Settings, inputs: tuple[Path, ...], fail_on_regression: bool) -> None:
    """Analyse INPUTS (files or folders), or what came in before; with neither, the bundled sample."""
    from perf_assets.cli.running import analyse

    regressions = analyse(settings, inputs)
    if regressions is None:
        sys.exit(FAILED)
    if fail_on_regression and regressions:
        sys.exit(REGRESSED)


@main.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--strict", is_flag=True, help="Exit with 1 if anything was sent to quarantine.")
@_command
def ingest(settings: Settings, paths: tuple[Path, ...], strict: bool) -> None:
    """Load result files, or folders of them, without analysing them."""
    from perf_assets.cli.running import ingest_files

    quarantined = ingest_files(settings, paths)
    if quarantined is None or (strict and quarantined):
        sys.exit(FAILED)


def _listing(name: str, help_text: str) -> None:
    @main.command(name, help=help_text)
    @click.option("--json", "as_json", is_flag=True, help="Print JSON, ids as strings.")
    @click.option("--metric", help="Only this metric.")
    @click.option("--test", "test_name", help="Only this test, scenario or benchmark.")
    @click.option("--node", "node_id", help="Only this node.")
    @click.option("--limit", default=50, show_default=True, type=click.IntRange(1), help="Most rows.")
    @_command
    def show(settings: Settings, as_json: bool, limit: int, **filters: str | None) -> None:
        from perf_assets.cli.listing import show_listing

        show_listing(settings, name, {key: value for key, value in filters.items() if value}, limit, as_json)


_listing("regressions", "Changes for the worse and for the better: what, where, since when, how sure.")
_listing("trends", "Series that drift, strongest evidence first.")
_listing("forecast", "Series with a limit, and when they will cross it.")
_listing("correlations", "Metrics that move together.")
_listing("insights", "What to read first.")
_listing("nodes", "Nodes compared on the same tests.")
_listing("recommendations", "What to do, and on what evidence.")


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
