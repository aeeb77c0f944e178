"""When series went over to another runner image."""

from __future__ import annotations

from typing import Any

import pandas as pd

from perf_assets.settings import Incident
from perf_assets.warehouse.incidents import declare_incidents
from perf_assets.warehouse.readings import image_changes
from perf_assets_tests.warehouse.building import START, Site, row


def on(hour: int, context: dict[str, Any] | None, **fields: Any) -> dict[str, Any]:
    """A result of a run of its own."""
    return row(1.0, run=f"r{hour}-{fields.get('node_id')}", hour=hour, context_data=context or {}, **fields)


def found(site: Site) -> list[tuple[str, float]]:
    """New image and hour, in order of time."""
    with site.warehouse.reading() as con:
        table = image_changes(con).sort_values(["since", "series_id"])
    assert list(table.columns) == ["series_id", "runner_image", "since"]
    return [
        (str(image), (pd.Timestamp(since) - START).total_seconds() / 3600)
        for image, since in zip(table["runner_image"], table["since"], strict=True)
    ]


def test_an_image_changes_where_the_one_before_was_another(site: Site) -> None:
    images = ["a", "a", "b", None, "b", "", "c", "a"]
    site.load([on(hour, {"runner_image": image}) for hour, image in enumerate(images)])
    assert found(site) == [("b", 2), ("c", 6), ("a", 7)]


def test_each_series_has_its_own(site: Site) -> None:
    site.load([on(hour, {"runner_image": "b" if hour >= 2 else "a"}, node_id="n1") for hour in range(4)])
    site.load([on(hour, {"runner_image": "b" if hour >= 3 else "a"}, node_id="n2") for hour in range(4)])
    assert found(site) == [("b", 2), ("b", 3)]


def test_nodes_of_one_run_may_be_on_different_images(site: Site) -> None:
    for hour, image in enumerate(["a", "b"]):
        site.load(
            [
                row(1.0, run=f"r{hour}", hour=hour, node_id=node, context_data={"runner_image": name})
                for node, name in (("n1", "a"), ("n2", image))
            ]
        )
    assert found(site) == [("b", 1)]


def test_other_names_count_where_the_first_is_not_there(site: Site) -> None:
    site.load([on(0, {"image": "a"}), on(1, {"image": "b"}), on(2, {"runner_image": "c", "image": "b"})])
    assert found(site) == [("b", 1), ("c", 2)]


def test_what_is_no_image_is_none(site: Site) -> None:
    site.load([on(hour, {"image_count": hour, "images_url": str(hour)}) for hour in range(3)])
    assert found(site) == []


def test_results_without_context_have_none(site: Site) -> None:
    site.load([row(1.0, run=f"r{hour}", hour=hour) for hour in range(3)])
    assert found(site) == []


def test_inside_an_incident_no_image_changes(site: Site) -> None:
    site.load([on(hour, {"runner_image": "b" if hour in (2, 3) else "a"}) for hour in range(6)])
    inside = {"from": START.isoformat() + "Z", "to": "2026-09-01T04:00Z", "reason": "a bad image"}
    with site.warehouse.transaction() as con:
        declare_incidents(con, [Incident.model_validate(inside)])
    assert found(site) == []


def test_runs_side_by_side_on_two_images_are_no_change(site: Site) -> None:
    site.load(
        [
            row(1.0, run=f"r{hour}-{image}", hour=hour, context_data={"runner_image": image})
            for hour in range(3)
            for image in ("a", "b")
        ]
    )
    site.load([row(1.0, run="r3-c", hour=3, context_data={"runner_image": "c"})])
    assert found(site) == [("c", 3)]


def test_an_image_that_another_result_of_the_run_names_is_not_ones_own(site: Site) -> None:
    site.load([on(0, {"runner_image": "a"}, node_id="n1")])
    contexts = {"n1": {"os": "linux"}, "n2": {"image": "b"}}
    site.load([row(1.0, run="r1", hour=1, node_id=node, context_data=context) for node, context in contexts.items()])
    assert found(site) == []
