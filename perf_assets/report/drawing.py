"""A picture that cannot be drawn is missing and says why; all other pictures and findings are shown.

Belongs here: what stands in the place of a picture. Does not belong here: what a picture shows (charts), how it looks
(theme).
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

from perf_assets.characters import showable
from perf_assets.report.theme import Chart
from perf_assets.wording.findings import short

_LOG = logging.getLogger("perf_assets")
_LONGEST_REASON = 200

_P = ParamSpec("_P")
_T = TypeVar("_T")


@dataclass(frozen=True)
class Undrawn:
    """In the place of a picture: why there is none."""

    reason: str

    @property
    def sentence(self) -> str:
        return f"This picture could not be drawn ({self.reason})."


def missing_if_failed(draw: Callable[_P, _T]) -> Callable[_P, _T | Undrawn]:
    """`draw`, which gives an Undrawn where it would raise: no table may keep the others from being seen."""

    @functools.wraps(draw)
    def drawn(*args: _P.args, **kwargs: _P.kwargs) -> _T | Undrawn:
        try:
            return draw(*args, **kwargs)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is logged and stands in the picture's place
            return _undrawn(draw.__name__.strip("_"), error)

    return drawn


def rendered(render: Callable[[Chart], _T], chart: Chart | Undrawn | None) -> _T | Undrawn | None:
    """A chart as `render` writes it; an Undrawn where there is no chart or none that can be written."""
    if chart is None or isinstance(chart, Undrawn):
        return chart
    return missing_if_failed(render)(chart)


def _undrawn(picture: str, error: Exception) -> Undrawn:
    reason = short(showable(" ".join(f"{type(error).__name__}: {error}".split())), _LONGEST_REASON)
    fields: dict[str, Any] = {"picture": picture, "reason": reason}
    _LOG.error("picture not drawn: %s: %s", picture, reason, exc_info=error, extra=fields)
    return Undrawn(reason)
