"""What cannot be read or stored goes to the table `quarantine`: where it is, why, and what to do."""

from __future__ import annotations

from collections import Counter

import pyarrow as pa

from perf_assets.warehouse.loading.stage import Stage
from perf_assets.wording.quantities import number


def quarantine(stage: Stage) -> None:
    """Quarantine what the formats rejected and the facts with a problem."""
    stage.table("refused", _refused(stage))
    stage.table("rejected", _rejected(stage))
    stage.run("rejected")
    if stage.count("SELECT count(problem) FROM facts"):
        stage.run("problems")
        stage.run("without_facts")


def _refused(stage: Stage) -> pa.Table:
    """How many rows of each part the formats rejected."""
    refused: Counter[int] = Counter()
    for (part, _, _), count in stage.rejected.items():
        refused[part] += count
    return pa.table([list(refused), list(refused.values())], pa.schema([("part", pa.int32()), ("number", pa.int64())]))


def _rejected(stage: Stage) -> pa.Table:
    """The rejections that are listed, and one row for the others of each kind."""
    listed = stage.most_listed
    rows = [
        {
            "part": part.number,
            "location": rejection.location,
            "field": rejection.field,
            "reason": rejection.reason,
            "message": _named(part.name, rejection.message),
            "fragment": rejection.fragment,
        }
        for part, rejection in stage.rejections
    ]
    rows += [
        {
            "part": part,
            "location": f"{number(count - listed)} other places",
            "field": field,
            "reason": reason,
            "message": f"{stage.parts[part].name}: {number(count - listed)} more like the {number(listed)} "
            "that are listed; they need the same correction",
            "fragment": "",
        }
        for (part, reason, field), count in stage.rejected.items()
        if count > listed
    ]
    return pa.Table.from_pylist(rows, _REJECTED)


def _named(name: str, message: str) -> str:
    """A message that begins with the file it is about."""
    return message if message.startswith(name) else f"{name}, {message}"


_REJECTED = pa.schema(
    [("part", pa.int32()), *((name, pa.string()) for name in ("location", "field", "reason", "message", "fragment"))]
)
