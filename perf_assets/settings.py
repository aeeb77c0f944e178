"""What a user can set: perf-assets.toml for choices, the environment for places and secrets.

Belongs here: every default and its meaning. Does not belong here: reading anything but the file and the environment.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from perf_assets.errors import UserError

CONFIG_FILE = "perf-assets.toml"


class SettingsError(UserError, ValueError):
    """A configuration that cannot be used; the message names file, field and remedy."""


def _pattern(text: str) -> str:
    """Patterns run in the warehouse, whose regular expressions are RE2's."""
    import duckdb

    try:
        duckdb.execute("SELECT regexp_matches('', ?)", [text]).fetchall()
    except duckdb.Error as error:
        raise ValueError(f"not a regular expression of RE2 ({str(error).splitlines()[0]})") from error
    return text


def _moment(value: object) -> datetime:
    """Naive UTC from a date and time of TOML or ISO 8601 text; UTC where no zone is written, midnight without time."""
    try:
        parsed = datetime.fromisoformat(value.strip()) if isinstance(value, str) else value
    except ValueError as error:
        raise ValueError("not a date and time, write it like 2026-09-10T06:00:00Z") from error
    if isinstance(parsed, date) and not isinstance(parsed, datetime):
        return datetime.combine(parsed, time.min)
    if not isinstance(parsed, datetime):
        raise ValueError("not a date and time, write it like 2026-09-10T06:00:00Z")
    try:
        return parsed.astimezone(UTC).replace(tzinfo=None) if parsed.tzinfo else parsed
    except OverflowError as error:
        raise ValueError("lies before the year 1 or after 9999 in UTC, write another year") from error


_Share = Annotated[float, Field(gt=0, lt=10)]
_Finite = Annotated[float, Field(allow_inf_nan=False)]
_Moment = Annotated[datetime, BeforeValidator(_moment)]
_Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class IdentitySettings(_Section):
    """What makes a series."""

    branches: tuple[str, ...] = Field(("main", "master", "trunk", "develop"), min_length=1)
    """Long-lived branches; results of others are kept beside the series of the first one and form none."""
    tags: tuple[str, ...] = ("suite", "os", "arch", "runtime")
    """Environment tags that are part of a series' identity; all others are context."""
    ephemeral_nodes: tuple[Annotated[str, AfterValidator(_pattern)], ...] = (
        r"^GitHub Actions \d+$",
        r"^fv-az\d+-\d+$",
        r"-[0-9a-f]{8,}(-[a-z0-9]{5})?$",
    )
    """Patterns of runner names that are gone after one job and so cannot identify a series."""


class RegressionSettings(_Section):
    """When a change matters."""

    threshold: _Share = 0.10
    """Smallest relative change that counts, 0.10 is 10 %."""
    thresholds: dict[str, _Share] = {}
    """The same for single metrics, by name."""
    false_discovery_rate: float = Field(0.05, gt=0, lt=0.5)
    """Share of false ones among all reported changes, over the whole fleet."""
    confirm_after: int = Field(4, ge=2)
    """Fewest measurements at the new level for a change to be `confirmed`; the evidence must be enough as well."""

    def threshold_of(self, metric: str) -> float:
        return self.thresholds.get(metric, self.threshold)


class ForecastSettings(_Section):
    """What is forecast."""

    horizon: int = Field(14, ge=1, le=365)
    """Steps ahead."""
    max_series: int = Field(120, ge=1)
    """Series forecast in one run: those with a limit first, then by importance."""
    headline: tuple[str, ...] = ("tests_per_hour",)
    """Metrics whose series may use Prophet, the slowest model of the pool."""
    max_headline: int = Field(2, ge=0)
    limits: dict[str, _Finite] = {}
    """Limits by metric name, on top of the catalogue's."""


class Incident(_Section):
    """A time whose measurements take no part in any analysis, because it is known why they are what they are.

    What narrows it (project, node, node type, test, metric) must all be that of a series for it to count.
    """

    starts_at: _Moment = Field(alias="from")
    """First moment of it, naive UTC."""
    ends_at: _Moment = Field(alias="to")
    """First moment after it, naive UTC."""
    reason: _Words
    project: _Words | None = None
    node_id: _Words | None = None
    node_type: _Words | None = None
    test_name: _Words | None = None
    metric: _Words | None = None

    @field_validator("ends_at")
    @classmethod
    def _after_start(cls, ends_at: datetime, info: ValidationInfo) -> datetime:
        if "starts_at" in info.data and ends_at <= info.data["starts_at"]:
            raise ValueError(f"does not lie after `from`, {info.data['starts_at']} UTC")
        return ends_at


class SlackSettings(_Section):
    channel: str = "#performance"
    """Channel name or id that alerts are sent to, once SLACK_BOT_TOKEN is set."""
    base_url: str | None = None
    """Address of the Slack API, where it is not Slack's own (a proxy, a test)."""


class Settings(_Section):
    home: Path = Path("var")
    metrics_file: Path | None = None
    """The user's own metrics, in the layout of perf_assets/catalog/metrics.toml."""
    workers: int = Field(1, ge=1)
    """Processes that analyse large fleets (from some thousand series) side by side."""
    state_url: str | None = Field(None, repr=False)
    """SQLAlchemy URL of the state store, which may hold a password; without one a SQLite file under `home`."""
    identity: IdentitySettings = IdentitySettings()
    regressions: RegressionSettings = RegressionSettings()
    forecast: ForecastSettings = ForecastSettings()
    incidents: tuple[Incident, ...] = ()
    slack: SlackSettings = SlackSettings()
    slack_token: SecretStr | None = None
    dashboard_url: str | None = None
    dashboard_token: SecretStr | None = None

    @property
    def landing(self) -> Path:
        return self.home / "landing"

    @property
    def drop_folder(self) -> Path:
        return self.landing / "drop"

    @property
    def database(self) -> Path:
        return self.home / "warehouse" / "perf_assets.duckdb"

    @property
    def snapshots(self) -> Path:
        return self.home / "snapshots"

    @property
    def state(self) -> str:
        return self.state_url or f"sqlite:///{self.home / 'state' / 'state.sqlite3'}"

    @property
    def outbox(self) -> Path:
        return self.home / "outbox"

    @property
    def report(self) -> Path:
        return self.home / "report.html"


_ENVIRONMENT = {
    "home": "PERF_ASSETS_HOME",
    "state_url": "PERF_ASSETS_STATE_URL",
    "slack_token": "SLACK_BOT_TOKEN",
    "dashboard_url": "SCALE_DASHBOARD_URL",
    "dashboard_token": "SCALE_DASHBOARD_API_KEY",
}
_SECRET_NAME = re.compile(r"token|secret|password|api_?key", re.IGNORECASE)


def load_settings(environ: Mapping[str, str] = os.environ) -> Settings:
    """Settings from the file that PERF_ASSETS_CONFIG names (default ./perf-assets.toml, if there) and the environment.

    Raises SettingsError with file, field and remedy for anything that is not understood.
    """
    named = environ.get("PERF_ASSETS_CONFIG")
    file = Path(named or CONFIG_FILE)
    values: dict[str, Any] = _read(file) if named or file.exists() else {}
    for name in _names_of_texts(values):
        if _SECRET_NAME.search(name):
            raise SettingsError(
                f"{file}: {name}: a secret does not belong in a file (got one, not shown); set it in the environment, "
                f"as {_ENVIRONMENT.get(name, 'SLACK_BOT_TOKEN or SCALE_DASHBOARD_API_KEY')}"
            )
    values |= {field: environ[variable] for field, variable in _ENVIRONMENT.items() if environ.get(variable)}
    slack = values.get("slack", {})
    if environ.get("SLACK_API_URL") and isinstance(slack, dict):
        values["slack"] = {**slack, "base_url": environ["SLACK_API_URL"]}
    try:
        settings = Settings(**values)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        source = _ENVIRONMENT[field] if environ.get(_ENVIRONMENT.get(field, "")) else file
        raise SettingsError(
            f"{source}: {field}: {first['msg']} (got {first['input']!r}); correct or remove it"
        ) from error
    return settings.model_copy(update={"home": settings.home.absolute()})


def _names_of_texts(table: Mapping[str, Any]) -> Iterator[str]:
    for name, value in table.items():
        if isinstance(value, str):
            yield name
        for inner in value if isinstance(value, list) else [value]:
            if isinstance(inner, dict):
                yield from _names_of_texts(inner)


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{file}: cannot read the configuration ({error.strerror}); check the path") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file}: not a TOML file ({error}); correct it, see docs/operations.md") from error
