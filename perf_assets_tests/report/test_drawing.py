"""A picture that cannot be drawn is missing with its reason, and nothing else is."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from perf_assets.defs.pictures import picture
from perf_assets.report import charts
from perf_assets.report.drawing import Undrawn, missing_if_failed, rendered
from perf_assets.report.page import render_report
from perf_assets.settings import Settings
from perf_assets.tables import NODE_SCORES
from perf_assets.warehouse import Warehouse, open_snapshot
from perf_assets_tests.report.snapshots import START, forecast, measured, snapshot


def scores_of_no_project() -> pd.DataFrame:
    """What no run writes: the ranking looks for the project with most nodes."""
    table = pd.DataFrame([{column.name: None for column in NODE_SCORES.columns}])
    return table.assign(node_id="node-1", score=50.0, healthy=True, slowdown=0.0, rank=1)


def not_for_the_renderer() -> charts.Chart:
    import altair as alt

    return alt.Chart(alt.InlineData(values=[{"a": 1}])).mark_point().transform_calculate(b="((").encode(x="b:Q")


def test_the_page_goes_on_and_says_why(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with snapshot(tmp_path, measured("test_execution_time", "login", "node-1")):
        pass
    settings = Settings(home=tmp_path)
    warehouse = Warehouse(settings.database, settings.snapshots)
    warehouse.replace((NODE_SCORES, scores_of_no_project()))
    warehouse.publish()
    with open_snapshot(settings.snapshots) as con:
        page = render_report(con)
    assert "This picture could not be drawn (ValueError:" in page
    assert page.count('<svg role="img"') >= 2
    [record] = [record for record in caplog.records if hasattr(record, "picture")]
    assert (record.picture, record.levelname) == ("node_ranking", "ERROR")
    assert record.reason.startswith("ValueError: ")
    assert record.exc_info is not None
    caplog.clear()


def test_the_metadata_of_an_asset_says_why(caplog: pytest.LogCaptureFixture) -> None:
    assert "could not be drawn (ValueError:" in picture(charts.node_ranking(scores_of_no_project())).value
    assert "could not be drawn (ValueError: Vega-Lite" in picture(not_for_the_renderer()).value
    assert picture(None).value == "Nothing to draw yet."
    caplog.clear()


def test_one_panel_that_fails_leaves_the_others(caplog: pytest.LogCaptureFixture) -> None:
    history = pd.DataFrame(
        {"unique_id": ["1"] * 30 + ["2"] * 30, "ds": [*pd.date_range(START, periods=30)] * 2, "y": [12.0] * 60}
    )
    history.loc[history["unique_id"] == "2", "ds"] = pd.NaT
    ahead = pd.concat([forecast(1, 12.0), forecast(2, 12.0)])
    drawn = charts.svg(charts.headline_forecasts(history, ahead, {"1": "test_time · a", "2": "test_time · b"}))
    assert "1 of 2 could not be drawn" in drawn
    assert "test_time · a" in drawn.replace("\N{NO-BREAK SPACE}", " ")
    caplog.clear()


def test_a_reason_is_one_short_line_that_can_be_shown(caplog: pytest.LogCaptureFixture) -> None:
    @missing_if_failed
    def draw() -> charts.Chart:
        raise ValueError("a\n\x1b[31mb " + "c" * 9_999)

    undrawn = draw()
    assert isinstance(undrawn, Undrawn)
    assert undrawn.sentence.startswith("This picture could not be drawn (ValueError: a \ufffd[31mb ccc")
    assert len(undrawn.sentence) < 250
    assert rendered(charts.svg, undrawn) is undrawn
    caplog.clear()


def test_an_interruption_is_no_reason() -> None:
    @missing_if_failed
    def draw() -> charts.Chart:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        draw()
