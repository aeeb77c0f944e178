"""The catalogue of metrics, read from metrics.toml and from a file of the user's own."""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Literal, get_args

from perf_assets.catalog.units import canonical_unit, has_natural_zero
from perf_assets.errors import UserError

Direction = Literal["lower_is_better", "higher_is_better", "target", "neutral"]
Importance = Literal["critical", "high", "important", "medium", "low"]

NOT_IN_CATALOGUE = "not in the catalogue"


class CatalogError(UserError, ValueError):
    """A catalogue file that cannot be used; the message names file, metric, field and remedy."""


@dataclass(frozen=True)
class Metric:
    """One kind of measured value. `unit` is UCUM; `limit`, `lowest` and `highest` are in that unit; `target` belongs to
    direction `target`. Values below `lowest` or above `highest` cannot be.
    """

    name: str
    unit: str
    direction: Direction
    category: str
    importance: Importance
    description: str
    otel: str | None = None
    limit: float | None = None
    target: float | None = None
    lowest: float | None = None
    highest: float | None = None

    @property
    def known(self) -> bool:
        return self.category != NOT_IN_CATALOGUE


@dataclass(frozen=True)
class Catalog:
    """Metrics by name; an unknown name is a metric too, of direction `neutral`."""

    metrics: dict[str, Metric]

    def __getitem__(self, name: str) -> Metric:
        known = self.metrics.get(name)
        if known is not None:
            return known
        return Metric(
            name, "", "neutral", NOT_IN_CATALOGUE, "low", "Not in the catalogue: add it to your metrics file."
        )

    def bounds(self, name: str, unit: str) -> tuple[float, float]:
        """Lowest and highest value that `name`, measured in `unit` (canonical), can have; infinite where there is none.

        The metric's own bounds apply in its own unit; without a lowest one, a unit with a natural zero gives it.
        """
        metric = self[name]
        own = metric.unit == unit
        zero = 0.0 if has_natural_zero(unit) else -math.inf
        lowest = metric.lowest if own and metric.lowest is not None else zero
        highest = metric.highest if own and metric.highest is not None else math.inf
        return lowest, highest

    def __contains__(self, name: object) -> bool:
        return name in self.metrics

    def __len__(self) -> int:
        return len(self.metrics)


def load_catalog(own_file: Path | None = None) -> Catalog:
    """The metrics that come with the product and, on top, those of the user's own TOML file.

    Raises CatalogError for a file that is missing, is no TOML, or holds a metric with a missing or wrong field.
    """
    metrics = dict(_bundled())
    if own_file is not None:
        metrics |= _read(own_file)
    return Catalog(metrics)


@cache
def _bundled() -> dict[str, Metric]:
    return _read(Path(__file__).with_name("metrics.toml"))


def _read(file: Path) -> dict[str, Metric]:
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise CatalogError(f"{file}: cannot read the metrics file ({error.strerror}); check the path") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CatalogError(f"{file}: not a TOML file ({error}); see metrics.toml in perf_assets/catalog") from error
    return {name: _metric(file, name, table) for name, table in tables.items()}


def _metric(file: Path, name: str, table: object) -> Metric:
    where = f"{file}, metric {name!r}"
    if not isinstance(table, dict):
        raise CatalogError(f"{where}: expected a table; write [{name}] and its fields below")
    known = {field.name for field in fields(Metric)} - {"name"}
    if unknown := set(table) - known:
        raise CatalogError(f"{where}: unknown field {min(unknown)!r}; use one of {', '.join(sorted(known))}")
    for field in ("unit", "direction", "category", "importance", "description", "otel"):
        if not isinstance(table.get(field, "" if field == "otel" else None), str):
            raise CatalogError(f'{where}: field {field!r} is missing or no text; add {field} = "..."')
    for field, allowed in (("direction", get_args(Direction)), ("importance", get_args(Importance))):
        if table[field] not in allowed:
            raise CatalogError(f"{where}: {field} is {table[field]!r}; use one of {', '.join(allowed)}")
    unit = canonical_unit(table["unit"]).unit
    if unit != table["unit"]:
        raise CatalogError(f"{where}: unit is {table['unit']!r}; use {unit!r}, to which all values are converted")
    for field in ("limit", "target", "lowest", "highest"):
        if field in table and not _is_number(table[field]):
            raise CatalogError(f"{where}: {field} is {table[field]!r}; give a finite number in {unit!r}")
    if table["direction"] == "target" and "target" not in table:
        raise CatalogError(f"{where}: direction is 'target' and field 'target' is missing; add target = ...")
    return Metric(name=name, **table)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
