"""Dear methods, for the few series that matter most, in the same backtest as the pool.

Belongs here: Prophet, statsmodels' smoothing and decomposition, and gradient boosting. They take a thousand times as
long as the pool. Whether one is used is decided in `pool`.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt
import pandas as pd

from perf_assets.analysis.forecasts.grids import TimeArray
from perf_assets.analysis.forecasts.members import Task, newest_window, window_rows
from perf_assets.analysis.statistics import FloatArray, robust_scale

_MOST_ROWS, _FEWEST_ROWS = 12_000, 500
_SEED = 0


def challengers(task: Task, row: int, dates: TimeArray) -> Iterator[tuple[str, FloatArray]]:
    """Name of each and what it says of series `row` of the task at each origin, shape (origins, horizon).

    `dates`: times of the places and of the horizon beyond them, shape (t + horizon,).
    """
    values, own = task.values[row], task.part(slice(row, row + 1))
    usable = robust_scale(values) > 0
    methods: dict[str, Callable[[FloatArray, Task, TimeArray], FloatArray]] = {
        "exponential_smoothing": exponential_smoothing, "prophet": prophet,
    }  # fmt: skip
    if task.cycle > 1:
        methods["decomposition"] = decomposition
    for name, method in methods.items() if usable else ():
        ahead = [method(values[:origin], own, dates[: origin + task.horizon]) for origin in task.origins]
        yield name, np.stack(ahead)
    boosted = gradient_boosting(task, row)
    if boosted is not None:
        yield "gradient_boosting", boosted


def exponential_smoothing(values: FloatArray, task: Task, dates: TimeArray) -> FloatArray:
    """Additive smoothing with a damped trend, and with the cycle where there is one."""
    return _smoothed(values, task.horizon, task.cycle)


def _smoothed(values: FloatArray, horizon: int, cycle: int) -> FloatArray:
    from statsmodels.tools.sm_exceptions import ConvergenceWarning
    from statsmodels.tsa.holtwinters import ExponentialSmoothing

    centre, scale = float(np.median(values)), robust_scale(values) or 1.0
    seasonal = cycle > 1 and values.size >= 2 * cycle
    model = ExponentialSmoothing(
        (values - centre) / scale, trend="add", damped_trend=True, seasonal="add" if seasonal else None,
        seasonal_periods=cycle if seasonal else None,
        initialization_method="heuristic" if values.size >= max(10, 2 * cycle) else "estimated",
    )  # fmt: skip
    with warnings.catch_warnings():
        # A fit that stopped early competes in the backtest like any other.
        warnings.simplefilter("ignore", ConvergenceWarning)
        fit = model.fit(use_brute=False)
    return np.asarray(fit.forecast(horizon)) * scale + centre


def decomposition(values: FloatArray, task: Task, dates: TimeArray) -> FloatArray:
    """Cycles by MSTL (Bandara et al. 2021), each repeated as it was last, on smoothing of the rest."""
    from statsmodels.tsa.seasonal import MSTL

    cycles = [cycle for cycle in (task.cycle, task.longer) if 1 < cycle <= values.size // 2]
    if not cycles:
        return _smoothed(values, task.horizon, 1)
    parts = MSTL(values, periods=cycles).fit()
    seasonal = np.asarray(parts.seasonal).reshape(values.size, -1)
    ahead = _smoothed(values - seasonal.sum(axis=1), task.horizon, 1)
    for cycle, part in zip(cycles, seasonal.T, strict=True):
        ahead = ahead + np.tile(part[-cycle:], -(-task.horizon // cycle))[: task.horizon]
    return ahead


@contextmanager
def _quiet(level: int, *names: str) -> Iterator[None]:
    """Loggers that report every fit as news keep to `level`."""
    loggers = [logging.getLogger(name) for name in names]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(level)
    try:
        yield
    finally:
        for logger, before in zip(loggers, levels, strict=True):
            logger.setLevel(before)


def prophet(values: FloatArray, task: Task, dates: TimeArray) -> FloatArray:
    """Prophet's trend, day and week, as far as the values hold them (Taylor & Letham 2018)."""
    with _quiet(logging.CRITICAL, "prophet.plot"):  # it reports a missing plotly as an error
        from cmdstanpy.utils import get_logger
        from prophet import Prophet

    get_logger()  # at its first use it sets its own level
    step = dates[1] - dates[0]
    with _quiet(logging.WARNING, "prophet", "cmdstanpy"):
        model = Prophet(
            weekly_seasonality=bool(values.size * step >= np.timedelta64(14, "D") and step < np.timedelta64(7, "D")),
            daily_seasonality=bool(values.size * step >= np.timedelta64(2, "D") and step < np.timedelta64(1, "D")),
            yearly_seasonality=False,
            uncertainty_samples=0,
            holidays=_holidays(task, dates),
        )
        model.fit(pd.DataFrame({"ds": dates[: values.size], "y": values}), seed=_SEED)
        ahead = model.predict(pd.DataFrame({"ds": dates[values.size :]}))["yhat"]
    return np.asarray(ahead, dtype=np.float64)


def _holidays(task: Task, dates: TimeArray) -> pd.DataFrame | None:
    """Special days of the first series of the task, as Prophet takes them; each kind has an effect of its own."""
    if task.special is None:
        return None
    kinds = task.special[0, : dates.size]
    days = dates[kinds > 0].astype("datetime64[D]").astype("datetime64[us]")
    table = pd.DataFrame({"ds": days, "holiday": [f"kind {kind}" for kind in kinds[kinds > 0]]}).drop_duplicates()
    return table if len(table) else None


def gradient_boosting(task: Task, row: int) -> FloatArray | None:
    """One model for all series, of each origin on windows before it; None where these are too few. Properties of the
    series are categories."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    ahead = []
    for origin in task.origins:
        features, targets = window_rows(task, origin, _MOST_ROWS)
        if len(targets) < _FEWEST_ROWS:
            return None
        # A feature without two values cannot be binned and explains nothing.
        telling = features.max(axis=0) > features.min(axis=0)
        model = HistGradientBoostingRegressor(
            max_iter=60, learning_rate=0.08, max_leaf_nodes=15, min_samples_leaf=40, early_stopping=False,
            random_state=_SEED, categorical_features=np.flatnonzero(_are_properties(task, features)[telling]),
        )  # fmt: skip
        model.fit(features[:, telling], targets)
        own, base, unit = newest_window(task, origin, row)
        ahead.append(base + model.predict(own[:, telling]) * unit)
    return np.stack(ahead)


def _are_properties(task: Task, features: FloatArray) -> npt.NDArray[np.bool_]:
    count = 0 if task.properties is None else task.properties.shape[1]
    return np.asarray(np.arange(features.shape[1]) >= features.shape[1] - count)
