"""Parts that a package of one's own may add: formats, sources and alert channels, found through entry points.

Belongs here: finding them, and what a section of the configuration is that one of them declares. Does not belong here:
what a format, a source or a channel does.
"""

from __future__ import annotations

import json
import logging
import re
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, RootModel, SecretStr, StringConstraints
from pydantic.fields import FieldInfo

SOURCES, CHANNELS = "perf_assets.sources", "perf_assets.channels"

Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]

_OWN = "perf_assets."
_VARIABLE, _OPTIONAL = "environment", "optional"
_USER = re.compile(r"://[^/\s\"@]+@")
"""The part of an address that names a user, maybe with a password or a token."""
_log = logging.getLogger("perf_assets")


def from_environment(variable: str, default: Any = None, *, optional: bool = False) -> Any:
    """A field whose value comes from an environment variable, before any other; `doctor` names it where it is not set,
    unless it is optional.
    """
    return Field(default, repr=False, json_schema_extra={_VARIABLE: variable, _OPTIONAL: optional})


def revealed(secret: SecretStr | None) -> str:
    """The text of a secret, empty where there is none."""
    return secret.get_secret_value() if secret is not None else ""


class Plugin(BaseModel):
    """What a source or an alert channel derives from: its fields are its section of the configuration.

    A section that is a table adds `extra="forbid"` to the parameters of its class, so that a misspelt name is an error.
    """

    model_config = ConfigDict(frozen=True, defer_build=True)

    section: ClassVar[str]
    """The name of its section, by which it is known everywhere."""
    description: ClassVar[str]
    """One sentence for people: what it brings or where it sends."""
    remedy: ClassVar[str]
    """One sentence: what to set in order to use it."""

    @property
    @abstractmethod
    def configured(self) -> bool:
        """Whether enough is set for it to be used."""

    @classmethod
    def variables(cls) -> dict[str, str]:
        """Environment variables by the field each of them fills."""
        named = {name: _extra(field).get(_VARIABLE) for name, field in cls.model_fields.items()}
        return {name: str(variable) for name, variable in named.items() if variable}

    def unset(self) -> list[str]:
        """Environment variables that are expected and not set."""
        expected = {name for name, field in type(self).model_fields.items() if not _extra(field).get(_OPTIONAL)}
        return [name for field, name in self.variables().items() if field in expected and not getattr(self, field)]

    def choices(self) -> dict[str, Any]:
        """What is set, as JSON has it, without secrets and addresses with a user; a list has its section's name."""
        secret = {name for name, field in type(self).model_fields.items() if "SecretStr" in str(field.annotation)}
        dumped = self.model_dump(mode="json", exclude=secret, exclude_none=True)
        chosen = dumped if isinstance(dumped, dict) else {self.section: dumped}
        return {name: value for name, value in chosen.items() if not _USER.search(json.dumps(value))}

    def with_choices(self, choices: Mapping[str, Any]) -> Plugin:
        """The same with other choices, in the form of `choices`; all else stays. Raises ValidationError."""
        if isinstance(self, RootModel):
            return self.model_validate(choices.get(self.section, self.root))
        return self.model_validate(dict(self) | dict(choices))


@dataclass(frozen=True)
class Discovery:
    """What the entry points of a group give: objects, and a sentence for each entry point that cannot be used."""

    loaded: tuple[Any, ...]
    broken: tuple[str, ...]


@cache
def discovered(group: str, kind: type[Any]) -> Discovery:
    """What is installed under a group, by the names of the entry points, those of other packages before the product's:
    objects of a type, or classes derived from it where that is Plugin. One that cannot be loaded is logged as a
    warning, and the others are given all the same.
    """
    loaded: list[Any] = []
    broken: list[str] = []
    points = entry_points(group=group)
    if not points:
        broken.append(f"nothing is installed under the entry points of {group}; install perf-assets again")
    for point in sorted(points, key=lambda point: (point.value.startswith(_OWN), point.name)):
        said = f"entry point {point.name} = {point.value} of group {group}"
        try:
            found = point.load()
        except Exception as error:  # noqa: BLE001 - another's module may raise anything, and the others are to go on
            broken.append(f"{said} cannot be loaded ({type(error).__name__}: {error}); repair or uninstall its package")
            continue
        wrong = _wrong(found, kind)
        if wrong:
            broken.append(f"{said} {wrong}; see docs/sources.md and docs/formats.md")
        else:
            loaded.append(found)
    for sentence in broken:
        _log.warning("%s", sentence)
    return Discovery(tuple(loaded), tuple(broken))


def _wrong(found: object, kind: type[Any]) -> str:
    """Why an object cannot be used as what its group is for; empty if it can."""
    if not issubclass(kind, Plugin):
        return "" if isinstance(found, kind) else f"is not a {kind.__name__} but {type(found).__name__}"
    if not (isinstance(found, type) and issubclass(found, kind)):
        return f"is not a class derived from {kind.__name__}"
    missing = [name for name in ("section", "description", "remedy") if not isinstance(getattr(found, name, None), str)]
    missing += sorted(found.__abstractmethods__)
    return f"lacks {', '.join(missing)}" if missing else ""


def sections(group: str) -> dict[str, type[Plugin]]:
    """The plugins of a group by the name of their section, in order; one of another package replaces the product's."""
    found: dict[str, type[Plugin]] = {}
    for plugin in discovered(group, Plugin).loaded:
        found.setdefault(plugin.section, plugin)
    return dict(sorted(found.items()))


class Sections(Mapping[str, Plugin]):
    """The plugins of a group as they are configured, by the name of their section.

    They are looked for when they are first asked for: that reads the metadata of all installed packages (45 ms for 200
    of them) and imports every plugin, which most commands do not need.
    """

    def __init__(self, group: str, given: Mapping[str, Any], environ: Mapping[str, str]) -> None:
        self._group = group
        self._given = dict(given)
        self._environ = environ
        self._read: dict[str, Plugin] | None = None

    @property
    def given(self) -> frozenset[str]:
        """Names of the sections that are written down, whether there is such a plugin or not."""
        return frozenset(self._given)

    def written(self, name: str) -> Any:
        """The section `name` as it is written down."""
        return self._given[name]

    @property
    def configured(self) -> dict[str, Plugin]:
        """Those for which enough is set."""
        return {name: plugin for name, plugin in self.items() if plugin.configured}

    def read(self, name: str) -> Plugin:
        """The section `name`, values of the environment before those of the file. Raises ValidationError."""
        plugin = sections(self._group)[name]
        given = self._given.get(name, () if issubclass(plugin, RootModel) else {})
        if isinstance(given, Mapping):
            set_here = {field: self._environ.get(variable) for field, variable in plugin.variables().items()}
            given = {**given, **{field: value for field, value in set_here.items() if value}}
        return plugin.model_validate(given)

    def __getitem__(self, name: str) -> Plugin:
        return self._plugins()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._plugins())

    def __len__(self) -> int:
        return len(self._plugins())

    def __repr__(self) -> str:
        """Without values, which may hold secrets."""
        return f"Sections({self._group!r}, {sorted(self._given)})"

    def _plugins(self) -> dict[str, Plugin]:
        if self._read is None:
            self._read = {name: self.read(name) for name in sections(self._group)}
        return self._read


def _extra(field: FieldInfo) -> dict[str, Any]:
    return field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
