"""What a user can set: perf-assets.toml for choices, the environment for places and secrets.

Belongs here: every default and its meaning. Does not belong here: reading anything but the file and the environment.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, date, datetime, time, timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from perf_assets.errors import UserError
from perf_assets.origins import OWN_WAYS, Origin
from perf_assets.periods import seconds_of
from perf_assets.plugins import CHANNELS, SOURCES, Plugin, Sections, Words, discovered, sections

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


def _period(text: str) -> str:
    seconds_of(text)
    return text


def _zone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError("no time zone of the IANA database, write it like Europe/Berlin") from error
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


def _octal(value: object) -> object:
    """The number that text in octal digits means, as in `umask 027`."""
    if not isinstance(value, str):
        return value
    if not re.fullmatch(r"(0o)?[0-7]{1,4}", value):
        raise ValueError("not a file mode mask in octal digits, write it like 027")
    return int(value, 8)


def _origin(text: str) -> str:
    if text in OWN_WAYS:
        return text
    known = (*OWN_WAYS, *map(_origin_of, sections(SOURCES).values()))
    if text not in known:
        raise ValueError(f"no way in which results come in, use one of {', '.join(known)}")
    return text


def _origin_of(source: Plugin | type[Plugin]) -> Origin:
    return str(getattr(source, "origin", source.section))


_Share = Annotated[float, Field(gt=0, lt=10)]
_Minutes = Annotated[int, Field(ge=1, le=527_040)]
_Finite = Annotated[float, Field(allow_inf_nan=False)]
_Moment = Annotated[datetime, BeforeValidator(_moment)]


def _gathered(section: type[BaseModel], into: str, group: str, values: Any, info: ValidationInfo) -> Any:
    """The values of a section, those that are not its own in one field: they are for plugins to read."""
    if not isinstance(values, Mapping) or isinstance(values.get(into), Sections):
        return values
    own = {name: value for name, value in values.items() if name in section.model_fields}
    others = {name: value for name, value in values.items() if name not in section.model_fields}
    return {**own, into: Sections(group, others, (info.context or {}).get("environ", {}))}


class _Section(BaseModel):
    # Sections are compiled once, as parts of Settings.
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


def _defaults() -> Any:
    """The default of a section: validated as part of its parent, so that no section has to be compiled by itself."""
    return Field(default_factory=dict, validate_default=True)


class IdentitySettings(_Section):
    """What makes a series."""

    branches: tuple[str, ...] = Field(("main", "master", "trunk", "develop"), min_length=1)
    """Long-lived branches; results of others are kept beside the series of the first one and form none."""
    tags: tuple[str, ...] = ("suite", "os", "arch", "runtime")
    """Environment tags that are part of a series' identity; all others are context."""
    ephemeral_nodes: tuple[Annotated[str, AfterValidator(_pattern)], ...] = (
        r"^GitHub Actions \d+$",
        r"^fv-az\d+-\d+$",
        r"^runnervm[0-9a-z]+$",
        r"^Mac-\d{10,}(\.local)?$",
        r"^runner-.+-project-\d+-concurrent-\d+",
        r"-[0-9a-f]{8,}(-[a-z0-9]{5})?$",
        r"(-[bcdfghjklmnpqrstvwxz2456789]{5}){2}$",
        r"^[0-9a-f]{12}$",
    )
    """Patterns of runner names that are gone after one job and so cannot identify a series: GitHub's, GitLab's, those
    of pods (whose random parts have no vowels), and a container's.
    """


class QualitySettings(_Section):
    """Which results are taken for mistakes."""

    days_back: int = Field(90, ge=1)
    """How old a result of `limited_origins` may be when it comes, in days."""
    limited_origins: tuple[Annotated[Origin, AfterValidator(_origin)], ...] = ("push",)
    """Ways results come in on which old ones are mistakes; files, folders and pulled sources may bring history."""
    minutes_ahead: int = Field(10, ge=0)
    """How far after its receipt a result's own time may lie, in minutes."""
    max_new_series: int = Field(500_000, ge=1)
    """Series that one file may begin. More are a name that changes with every run."""
    timezone: Annotated[str, AfterValidator(_zone)] = "UTC"
    """The zone of times that name none, such as Europe/Berlin."""


class CollectionSettings(_Section):
    """How often results are expected, so that it is noticed when none come."""

    every_minutes: _Minutes | None = None
    """Of all projects together; nothing is expected without it."""
    projects: dict[str, _Minutes] = {}
    """The same of single projects, by name."""

    @property
    def intervals(self) -> dict[str | None, timedelta]:
        """How often results are expected, by project; None is all of them together."""
        every: dict[str | None, int] = {} if self.every_minutes is None else {None: self.every_minutes}
        return {project: timedelta(minutes=minutes) for project, minutes in (every | {**self.projects}).items()}


class RegressionSettings(_Section):
    """When a change matters."""

    threshold: _Share = 0.10
    """Smallest relative change that counts, 0.10 is 10 %."""
    thresholds: dict[str, _Share] = {}
    """The same for single metrics, by name."""
    false_discovery_rate: float = Field(0.05, gt=0, lt=0.5)
    """Share of false ones among all reported changes, over the whole fleet."""
    confirm_after: int = Field(3, ge=2)
    """Fewest measurements at the new level for a change to be `confirmed`; the evidence must be enough as well."""

    def threshold_of(self, metric: str) -> float:
        return self.thresholds.get(metric, self.threshold)


class ForecastSettings(_Section):
    """What is forecast."""

    horizon: int = Field(14, ge=1, le=365)
    """Steps ahead."""
    headline: tuple[str, ...] = ("tests_per_hour",)
    """Metrics for whose series slow methods, Prophet among them, compete with the pool."""
    max_headline: int = Field(2, ge=0)
    days: Path | None = None
    """A file of holidays, releases and other special days, past and to come: one a line, `2026-12-25,holiday`."""
    limits: dict[str, _Finite] = {}
    """Limits by metric name, on top of the catalogue's."""
    limits_over_baseline: dict[str, _Share] = {}
    """Limits by metric name as a share beyond the baseline of each series, 0.20 is 20 % worse; in place of the
    catalogue's."""

    @model_validator(mode="after")
    def _one_limit_a_metric(self) -> ForecastSettings:
        twice = sorted({*self.limits} & {*self.limits_over_baseline})
        if twice:
            raise ValueError(f"{', '.join(twice)} has a limit in limits and in limits_over_baseline; keep one of them")
        return self


class SeasonalitySettings(_Section):
    """Which patterns are sought beside those of the day, the week and the calendar month."""

    periods: tuple[Annotated[str, AfterValidator(_period)], ...] = ()
    """Lengths in whole hours, days or weeks, such as 12h, 30d or 2w; each needs four whole cycles of data."""

    @field_validator("periods")
    @classmethod
    def _each_once(cls, periods: tuple[str, ...]) -> tuple[str, ...]:
        if len({seconds_of(period) for period in periods}) < len(periods):
            raise ValueError("names one length twice, remove one of the two")
        return periods


class _Declared(_Section):
    """Something declared of the series that all its narrowing fields fit, of all series without any."""

    reason: Words
    project: Words | None = None
    node_id: Words | None = None
    node_type: Words | None = None
    test_name: Words | None = None
    metric: Words | None = None


class Epoch(_Declared):
    """From its moment on values are not comparable with those before: analysis begins anew there."""

    starts_at: _Moment = Field(alias="at")
    """First moment of the new epoch, naive UTC."""


class Incident(_Declared):
    """A time whose measurements take no part in any analysis, because it is known why they are what they are."""

    starts_at: _Moment = Field(alias="from")
    """First moment of it, naive UTC."""
    ends_at: _Moment = Field(alias="to")
    """First moment after it, naive UTC."""

    @field_validator("ends_at")
    @classmethod
    def _after_start(cls, ends_at: datetime, info: ValidationInfo) -> datetime:
        if "starts_at" in info.data and ends_at <= info.data["starts_at"]:
            raise ValueError(f"does not lie after `from`, {info.data['starts_at']} UTC")
        return ends_at


class SourcesSettings(_Section):
    """Where results are pulled from, hourly or by `perf-assets pull`; each source has a section of its own."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    longest_wait: float = Field(60, ge=0, le=3600)
    """Seconds that a service's rate limit may make a pull wait; a longer one ends it until the next."""
    sections: Sections
    """The sections of the sources, those included that are not written down."""

    @model_validator(mode="before")
    @classmethod
    def _gathered(cls, values: Any, info: ValidationInfo) -> Any:
        return _gathered(cls, "sections", SOURCES, values, info)

    @property
    def configured(self) -> tuple[str, ...]:
        """The sources that are asked for, by the names they have here."""
        return tuple(self.sections.configured)


class Settings(_Section):
    model_config = ConfigDict(arbitrary_types_allowed=True)

    home: Path = Path("var")
    metrics_file: Path | None = None
    """The user's own metrics, in the layout of perf_assets/catalog/metrics.toml."""
    umask: Annotated[int, BeforeValidator(_octal)] = Field(0o077, ge=0, le=0o777)
    """Permissions that new files and folders do not get, in octal digits: with 077 only their owner can read them."""
    workers: int = Field(1, ge=1)
    """Processes that analyse large fleets (from some thousand series) side by side."""
    state_url: str | None = Field(None, repr=False)
    """SQLAlchemy URL of the state store, which may hold a password; without one a SQLite file under `home`."""
    identity: IdentitySettings = _defaults()
    quality: QualitySettings = _defaults()
    collection: CollectionSettings = _defaults()
    regressions: RegressionSettings = _defaults()
    forecast: ForecastSettings = _defaults()
    seasonality: SeasonalitySettings = _defaults()
    incidents: tuple[Incident, ...] = ()
    epochs: tuple[Epoch, ...] = ()
    sources: SourcesSettings = _defaults()
    channels: Sections
    """The sections of the alert channels, such as `slack`, those included that are not written down."""

    @model_validator(mode="before")
    @classmethod
    def _gathered(cls, values: Any, info: ValidationInfo) -> Any:
        return _gathered(cls, "channels", CHANNELS, values, info)

    def choices(self) -> dict[str, Any]:
        """What is set, as JSON has it, without plugins and what may hold secrets."""
        return self.model_dump(
            mode="json", by_alias=True, exclude_none=True, exclude={"sources", "channels", "state_url"}
        )

    def with_choices(self, choices: Mapping[str, Any]) -> Settings:
        """The same with other choices, in the form of `choices`; all else stays. Raises ValidationError."""
        kept = {"sources": self.sources, "channels": self.channels, "state_url": self.state_url}
        return Settings.model_validate({**choices, **kept})

    @property
    def pulled(self) -> tuple[Origin, ...]:
        """What the files of the configured sources have as their origin."""
        return tuple(_origin_of(source) for source in self.sources.sections.configured.values())

    @property
    def landing(self) -> Path:
        return self.home / "landing"

    @property
    def seen_by_sources(self) -> Path:
        """What each pulling source has seen of each day; may be deleted, which repeats work."""
        return self.home / "state" / "sources"

    @property
    def kept_answers(self) -> Path:
        """Answers of services, for asking only for what has changed; may be deleted."""
        return self.home / "cache" / "http"

    @property
    def drop_folder(self) -> Path:
        return self.landing / "drop"

    @property
    def scratch(self) -> Path:
        """Where large files are unpacked and sorted; empty between runs."""
        return self.home / "scratch"

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


_ENVIRONMENT = {"home": "PERF_ASSETS_HOME", "state_url": "PERF_ASSETS_STATE_URL"}
_SECRET_NAME = re.compile(r"token|secret|password|(api|account)_?key|connection_string", re.IGNORECASE)
_EXPRESSIONS = "queries"
"""Its names are those of metrics, which may speak of tokens; its texts are expressions."""


def load_settings(environ: Mapping[str, str] = os.environ) -> Settings:
    """Settings from the file that PERF_ASSETS_CONFIG names (default ./perf-assets.toml, if there) and the environment.

    Raises SettingsError with file, field and remedy for anything that is not understood.
    """
    named = environ.get("PERF_ASSETS_CONFIG")
    file = Path(named or CONFIG_FILE)
    return settings_from(_read(file) if named or file.exists() else {}, file, environ)


def settings_from(
    values: Mapping[str, Any], file: Path, environ: Mapping[str, str] = os.environ, folder: Path = Path()
) -> Settings:
    """Settings from what is written down in a file, in the shape of perf-assets.toml, and the environment. A relative
    `home` is below `folder`.

    Raises SettingsError with file, field and remedy for anything that is not understood.
    """
    for name in _names_of_texts(values):
        if _SECRET_NAME.search(name):
            raise SettingsError(
                f"{file}: {name}: a secret does not belong in a file (got one, not shown); set it in the environment, "
                "as SLACK_BOT_TOKEN, GITHUB_TOKEN or the like"
            )
    set_here = {field: environ[variable] for field, variable in _ENVIRONMENT.items() if environ.get(variable)}
    try:
        settings = Settings.model_validate({**values, **set_here}, context={"environ": environ})
    except ValidationError as error:
        field = str(error.errors()[0]["loc"][0]) if error.errors()[0]["loc"] else ""
        source = _ENVIRONMENT[field] if field in set_here else str(file)
        raise SettingsError(_explained(error, Settings, source, "")) from error
    # What is written down is wrong now, not when somebody asks for it.
    if settings.sources.sections.given:
        _check(settings.sources.sections, SOURCES, file, "sources.", SourcesSettings)
    if settings.channels.given:
        _check(settings.channels, CHANNELS, file, "", Settings)
    return settings.model_copy(update={"home": (folder / settings.home).absolute()})


def _check(found: Sections, group: str, file: Path, place: str, parent: type[BaseModel]) -> None:
    known = sections(group)
    for name in sorted(found.given):
        if name not in known:
            broken = discovered(group, Plugin).broken
            raise SettingsError(
                f"{file}: {place}{name}: no such setting{_near(name, [*known, *parent.model_fields])} "
                f"(got {found.written(name)!r}); correct or remove it"
                + (f". Not loaded: {'; '.join(broken)}" if broken else "")
            )
        try:
            found.read(name)
        except ValidationError as error:
            raise SettingsError(_explained(error, known[name], str(file), f"{place}{name}")) from error


def _explained(error: ValidationError, model: type[BaseModel], source: str, place: str) -> str:
    """The first thing that is wrong: where, what, what was written and what to do."""
    first = error.errors()[0]
    field = ".".join(filter(None, [place, *map(str, first["loc"])]))
    problem = first["msg"]
    if first["type"] == "extra_forbidden":
        problem = f"no such setting{_near(str(first['loc'][-1]), _names_beside(model, first['loc']))}"
    return f"{source}: {field}: {problem} (got {first['input']!r}); correct or remove it"


def _names_beside(model: type[BaseModel], place: tuple[str | int, ...]) -> list[str]:
    """Names that could be written in the table in which `place` is."""
    for part in place[:-1]:
        field = model.model_fields.get(str(part))
        inner = [kind for kind in (field.annotation, *get_args(field.annotation)) if _is_model(kind)] if field else []
        if inner:
            model = inner[0]
    return [field.alias or name for name, field in model.model_fields.items()]


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _near(name: str, names: Iterable[str]) -> str:
    near = get_close_matches(name, list(names), n=3)
    return f", did you mean {' or '.join(near)}?" if near else ""


def protected_files(settings: Settings) -> AbstractContextManager[None]:
    """While the block runs, files and folders that this process makes get the permissions of the settings: results and
    the state may hold names and texts that not everybody on the machine shall read."""
    return masked_files(settings.umask)


@contextmanager
def masked_files(umask: int) -> Iterator[None]:
    """While the block runs, files and folders that this process makes do not get these permissions."""
    before = os.umask(umask)
    try:
        yield
    finally:
        os.umask(before)


def _names_of_texts(table: Mapping[str, Any]) -> Iterator[str]:
    for name, value in table.items():
        if isinstance(value, str):
            yield name
        for inner in value if isinstance(value, list) else [value]:
            if isinstance(inner, dict) and name != _EXPRESSIONS:
                yield from _names_of_texts(inner)


def _read(file: Path) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{file}: cannot read the configuration ({error.strerror}); check the path") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file}: not a TOML file ({error}); correct it, see docs/operations.md") from error
