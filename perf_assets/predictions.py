"""Predictive models of single measurements, for programs: train one, keep it, ask it.

    from perf_assets.predictions import predict_future_performance, train_predictive_model

    model = train_predictive_model("test_execution_time")
    predict_future_performance("test_execution_time", [{"timestamp": "2026-12-01T06:00", "test_name": "login"}])

Models lie in the folder `models` of the home as JSON, with a fingerprint of the rows they were trained on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from perf_assets.durable import write_durably
from perf_assets.errors import UserError
from perf_assets.settings import Settings, load_settings

if TYPE_CHECKING:
    from perf_assets.analysis.predictive import PredictiveModel


def train_predictive_model(metric_name: str, settings: Settings | None = None) -> PredictiveModel:
    """Train a model of the measurements of a metric in the newest snapshot, and keep it.

    Raises UserError for a metric of which there are too few measurements, and NoSnapshotError before the first run.
    """
    from perf_assets.analysis.predictive import fit
    from perf_assets.warehouse import open_snapshot
    from perf_assets.warehouse.readings import measurements_of

    own = settings or load_settings()
    with open_snapshot(own.snapshots) as con:
        rows = measurements_of(con, metric_name)
    unit = str(rows["unit"].iloc[0]) if len(rows) else ""
    try:
        model = fit(metric_name, unit, rows)
    except ValueError as error:
        raise UserError(f"{error}; `perf-assets trends` lists the metrics that are known") from error
    write_durably(_file(own, metric_name), model.to_json().encode())
    return model


def predict_future_performance(
    metric_name: str, future_features: pd.DataFrame | Sequence[Mapping[str, Any]], settings: Settings | None = None
) -> pd.DataFrame:
    """What the kept model of a metric says of measurements to come, one row each: predicted, lo-80, hi-80, lo-95,
    hi-95, level_of (see `PredictiveModel.predict`).

    `future_features`: timestamp (UTC), and any of project, test_name, test_type, node_id, node_type. Raises UserError
    where no model was trained or the file is none, and for features without times.
    """
    from perf_assets.analysis.predictive import PredictiveModel

    file = _file(settings or load_settings(), metric_name)
    features = future_features if isinstance(future_features, pd.DataFrame) else pd.DataFrame(list(future_features))
    remedy = f'train it with train_predictive_model("{metric_name}")'
    try:
        model = PredictiveModel.from_json(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UserError(f"there is no model of {metric_name} in {file.parent}; {remedy}") from error
    except (ValueError, TypeError) as error:
        raise UserError(f"{file} is not a model that this version can read; {remedy} again") from error
    try:
        return model.predict(features)
    except ValueError as error:
        raise UserError(f"the features cannot be used: {error}") from error


def _file(settings: Settings, metric_name: str) -> Path:
    """Names of metrics are of letters, digits and underscores; others must not lead out of the folder."""
    safe = "".join(sign if sign.isalnum() or sign in "_-." else f"%{ord(sign):x}" for sign in metric_name)
    return settings.home / "models" / f"{safe.lstrip('.')}.json"
