"""The public functions: a model is trained on what was analysed, kept, and asked."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from perf_assets.errors import UserError
from perf_assets.predictions import predict_future_performance, train_predictive_model
from perf_assets.settings import Settings
from perf_assets.warehouse.snapshot import NoSnapshotError
from perf_assets_tests.report.snapshots import measured, snapshot


def analysed(tmp_path: Path) -> Settings:
    settings = Settings(home=tmp_path / "home")
    table = pd.concat(measured("test_execution_time", name, "node-1") for name in ("login", "search"))
    with snapshot(tmp_path, table, 0):
        pass
    (snapshots,) = [path.parent for path in tmp_path.rglob("current*")]
    settings.home.mkdir(parents=True, exist_ok=True)
    settings.snapshots.symlink_to(snapshots)
    return settings


def test_a_model_is_trained_kept_and_asked(tmp_path: Path) -> None:
    settings = analysed(tmp_path)
    model = train_predictive_model("test_execution_time", settings)
    assert (model.metric, model.unit, model.rows) == ("test_execution_time", "s", 120)
    (file,) = (settings.home / "models").iterdir()
    assert file.name == "test_execution_time.json"
    ahead = predict_future_performance(
        "test_execution_time",
        [{"timestamp": "2026-12-01T06:00", "test_name": "login"}, {"timestamp": "2026-12-01T06:00"}],
        settings,
    )
    # The level of all series has risen from 12 to 15.
    assert ahead["predicted"].between(14.0, 16.0).all()
    assert ahead["level_of"].tolist() == ["test_name", "all"]
    again = train_predictive_model("test_execution_time", settings)
    assert again.to_json() == model.to_json()


def test_what_cannot_be_done_is_said_with_its_remedy(tmp_path: Path) -> None:
    empty = Settings(home=tmp_path / "empty")
    with pytest.raises(NoSnapshotError):
        train_predictive_model("test_execution_time", empty)
    with pytest.raises(UserError, match=r"there is no model of x in .*models; train it with train_predictive_model"):
        predict_future_performance("x", [], empty)
    settings = analysed(tmp_path)
    with pytest.raises(UserError, match="unknown has 0 measurements; a model needs at least 40"):
        train_predictive_model("unknown", settings)
    train_predictive_model("test_execution_time", settings)
    with pytest.raises(UserError, match="lack the column 'timestamp'"):
        predict_future_performance("test_execution_time", [{"test_name": "login"}], settings)
    (file,) = (settings.home / "models").iterdir()
    file.write_text("{}")
    with pytest.raises(UserError, match="not a model that this version can read"):
        predict_future_performance("test_execution_time", [{"timestamp": "2026-12-01"}], settings)


def test_a_name_does_not_lead_out_of_the_folder(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"models"):
        predict_future_performance("../../etc/passwd", [], Settings(home=tmp_path))
