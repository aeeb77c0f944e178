"""Forecasts of regular series: a pool of models, chosen per series by backtest, with prediction intervals.

Belongs here: the models, the backtest that chooses between them, and the calibration of their intervals. When a
limit will be crossed is in `breach`. Sources: Hyndman & Athanasopoulos, Forecasting: Principles and Practice (3rd
ed.), chapters 5 (backtest, MASE), 8 (exponential smoothing); further ones are named where they are used.

A model gives a mean and a standard deviation per step. The standard deviation starts from what the model says about
itself and is then scaled by how large its errors were in the backtest, so a model that is wrong about its own
uncertainty gets the width that it has earned. Both the mean and the ends of the intervals are drawn back to the bounds
within which the values of the series can lie.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from perf_assets.analysis.bounds import Bounds
from perf_assets.analysis.statistics import (
    FloatArray,
    effective_sample_size,
    lag1_autocorrelation,
    noise_scale,
    robust_scale,
)

IntArray = npt.NDArray[np.int64]

MIN_POINTS = 14
"""Observed points below which a series gets no forecast."""

MAX_POINTS = 400
"""Grid points used of a series: what lies further back says nothing about the next two weeks."""

FOLDS = 3
MIN_TRAIN = 7
"""Observed points below which a fold of the backtest is dropped."""

TIE_MARGIN = 0.25
"""The simplest model whose mean absolute error is within this share of the best one's is chosen.

Three overlapping folds hardly tell models apart, and on simulated steep late rises smaller margins more often
preferred damped models, which date the crossing of a limit worse.
"""

PRIOR_POINTS = 20.0
"""Weight of a model's own standard deviation, in points of backtest evidence."""

SLOPE_PRICE = 3.0
"""Coefficients, as the Bayesian information criterion counts them, that a line has more than a level.

More than the one that a slope is: with fewer, more AR(.5) values around a level were forecast to drift into a limit
3 standard deviations away (simulated, 200 series).
"""

WEEK = 7
SIMPLEST_FIRST = (
    "linear_trend",
    "recent_median",
    "seasonal_naive",
    "exponential_smoothing",
    "gradient_boosting",
    "prophet",
)

MODEL_COLUMNS = ("unique_id", "model", "folds", "mae", "mase", "coverage_80", "coverage_95", "chosen", "note")
FORECAST_COLUMNS = ("unique_id", "ds", "step", "model", "mean", "lo-80", "hi-80", "lo-95", "hi-95")


@dataclass(frozen=True)
class Forecasts:
    """What was tried and what came of it.

    `models`: one row per series and model: unique_id, model ("none" for a series too short to forecast), folds, mae
    (unit of the series), mase (1 = as large as the errors of the naive forecast within the series), coverage_80 and
    coverage_95 (share of held-out points inside the interval, calibrated without the fold they are in), chosen, note
    (why a model was not tried, or was tried without a backtest; else empty). Not measured is NaN.

    `forecasts`: one row per series and future step of the chosen model: unique_id, ds, step (from 1), model, mean,
    lo-80, hi-80, lo-95, hi-95 (unit of the series).
    """

    models: pd.DataFrame
    forecasts: pd.DataFrame


@dataclass(frozen=True)
class Series:
    """Values on a regular grid, shape (n,), NaN where nothing was measured; the first one is measured."""

    unique_id: str
    start: pd.Timestamp
    step: pd.Timedelta
    values: FloatArray
    bounds: Bounds = field(default_factory=Bounds)

    @property
    def has_weeks(self) -> bool:
        return bool(self.step == pd.Timedelta(days=1))

    @property
    def observed(self) -> int:
        return int(np.isfinite(self.values).sum())

    def until(self, count: int) -> Series:
        """The first `count` grid points."""
        return replace(self, values=self.values[:count])

    def dates(self, first: int, count: int) -> pd.DatetimeIndex:
        return pd.DatetimeIndex([self.start + self.step * index for index in range(first, first + count)])


@dataclass(frozen=True)
class Prediction:
    """Mean and standard deviation of the next steps, each of shape (horizon,)."""

    mean: FloatArray
    sd: FloatArray


@dataclass(frozen=True)
class Backtest:
    """Held-out values and what a model said about them, each of shape (folds, held-out steps); unmeasured is NaN."""

    actual: FloatArray
    mean: FloatArray
    sd: FloatArray

    @property
    def mae(self) -> float:
        errors = np.abs(self.actual - self.mean)
        return float(np.nanmean(errors)) if np.isfinite(errors).any() else float("nan")


@dataclass(frozen=True)
class Candidate:
    """A model on one series: its backtest and its forecast, or the reason why there is none."""

    model: str
    backtest: Backtest | None = None
    forecast: Callable[[], Prediction] | None = None
    note: str = ""


Model = Callable[[Series, int], Prediction]


def forecast_series(
    history: pd.DataFrame, *, horizon: int = 14, headline: Collection[str] = (), seed: int = 0
) -> Forecasts:
    """Forecast every series of `history` for `horizon` steps beyond its last observation.

    `history` has columns unique_id (str), ds (datetime, naive UTC, one regular grid per series), y (float, NaN for
    none) and optionally since (datetime: start of what may be the current level; what lies before it is left out where
    at least `MIN_POINTS` observations remain), stepped_at (datetime: a step beyond doubt; what lies before it is left
    out in any case), lowest and highest (float: bounds of the values; one that a value lies beyond is none). The step
    of a series is the most common difference of its dates; weekdays are modelled for daily series only. Prophet is
    tried for the ids in `headline`.

    Raises ValueError for missing columns, a horizon below 1, and, naming the series, for dates that occur twice or
    lie off the grid.
    """
    missing = {"unique_id", "ds", "y"} - set(history.columns)
    if missing:
        raise ValueError(f"history lacks the columns {sorted(missing)}")
    if horizon < 1:
        raise ValueError(f"horizon must be at least 1 step, not {horizon}")
    groups = [
        (str(unique_id), _regular(str(unique_id), group))
        for unique_id, group in history.groupby("unique_id", sort=True)
    ]
    stepped = set(history.loc[history["stepped_at"].notna(), "unique_id"]) if "stepped_at" in history else set()
    with _one_thread():
        return _forecast_all(groups, horizon, headline, seed, stepped)


@contextmanager
def _one_thread() -> Iterator[None]:
    """One thread for BLAS and OpenMP: matrices this small cost several times the CPU time with two."""
    # Only libraries that are loaded already are limited.
    import scipy.linalg  # noqa: F401
    import sklearn.ensemble  # noqa: F401
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    with threadpool_limits(limits=1):
        yield


def _forecast_all(
    groups: Sequence[tuple[str, Series | None]],
    horizon: int,
    headline: Collection[str],
    seed: int,
    stepped: Collection[str],
) -> Forecasts:
    usable = [series for _, series in groups if series is not None and series.observed >= MIN_POINTS]
    boosted = _gradient_boosting([series for series in usable if not _is_constant(series)], horizon, seed)
    known = {series.unique_id: series for series in usable}
    model_rows: list[dict[str, object]] = []
    forecast_tables: list[pd.DataFrame] = []
    for unique_id, series in groups:
        if unique_id not in known:
            count = 0 if series is None else series.observed
            model_rows.append(
                _score_row(unique_id, Candidate("none", note=_too_short(count, unique_id in stepped)), 0.0)
            )
            continue
        candidates = _candidates(known[unique_id], horizon, unique_id in headline, seed)
        candidates += [boosted[unique_id]] if unique_id in boosted else []
        rows, table = _choose(known[unique_id], candidates)
        model_rows += rows
        forecast_tables.append(table)
    empty = pd.DataFrame(columns=list(FORECAST_COLUMNS))
    return Forecasts(
        pd.DataFrame(model_rows, columns=list(MODEL_COLUMNS)),
        pd.concat(forecast_tables, ignore_index=True) if forecast_tables else empty,
    )


def _too_short(count: int, stepped: bool) -> str:
    return f"{count} observed points{' since the last step' if stepped else ''}, at least {MIN_POINTS} are needed"


def _regular(unique_id: str, group: pd.DataFrame) -> Series | None:
    """One series on its grid, from the start of its current level on; None where nothing was measured."""
    if group["ds"].isna().any():
        raise ValueError(f"series {unique_id!r}: a row has no ds")
    twice = group.loc[group["ds"].duplicated(), "ds"]
    if not twice.empty:
        raise ValueError(f"series {unique_id!r}: ds {twice.iloc[0]} occurs twice")
    observed = group[np.isfinite(group["y"].to_numpy(dtype=float))].sort_values("ds")
    if observed.empty:
        return None
    days = pd.DatetimeIndex(group["ds"].sort_values())
    step = pd.Series(days).diff().mode().iloc[0] if len(days) > 1 else pd.Timedelta(days=1)
    start = observed["ds"].iloc[0]
    places = ((observed["ds"] - start) / step).to_numpy(dtype=float)
    off_grid = np.abs(places - np.round(places)) > 1e-6
    if off_grid.any():
        raise ValueError(
            f"series {unique_id!r}: ds {observed['ds'].iloc[int(np.argmax(off_grid))]} is off its {step} grid"
        )
    current = _present_level(observed)
    if current.empty:
        return None
    index = np.round(places).astype(np.int64)[-len(current) :]
    kept = index > index[-1] - MAX_POINTS
    index, kept_values = index[kept], current["y"].to_numpy(dtype=float)[kept]
    values = np.full(int(index[-1] - index[0]) + 1, np.nan)
    values[index - index[0]] = kept_values
    first = pd.Timestamp(start + step * int(index[0]))
    return Series(unique_id, first, pd.Timedelta(step), values, _bounds(observed))


def _present_level(observed: pd.DataFrame) -> pd.DataFrame:
    """Rows since the last step, and since the last change if enough of them remain."""
    stepped, changed = (
        observed[name].max() if name in observed and observed[name].notna().any() else None
        for name in ("stepped_at", "since")
    )
    current = observed if stepped is None else observed[observed["ds"] >= stepped]
    after = current if changed is None else current[current["ds"] >= changed]
    return after if len(after) >= MIN_POINTS else current


def _bounds(observed: pd.DataFrame) -> Bounds:
    """The bounds that all values of the series, those of earlier levels too, bear out."""
    lowest, highest = (
        float(observed[name].iloc[0]) if name in observed and pd.notna(observed[name].iloc[0]) else none
        for name, none in (("lowest", -np.inf), ("highest", np.inf))
    )
    return Bounds(lowest, highest).borne_out_by(observed["y"])


def _is_constant(series: Series) -> bool:
    return bool(np.nanmax(series.values) == np.nanmin(series.values))


# The backtest


def _held_out(count: int, horizon: int) -> int:
    return max(1, min(horizon, count // 4))


def _origins(series: Series, horizon: int) -> list[int]:
    """How many grid points are known at each fold, newest first; each fold starts a seventh of its length earlier."""
    held = _held_out(series.values.size, horizon)
    stride = max(1, held // 7)
    origins = [series.values.size - held - fold * stride for fold in range(FOLDS)]
    return [
        origin
        for origin in origins
        if origin > 0
        and series.until(origin).observed >= MIN_TRAIN
        and np.isfinite(series.values[origin : origin + held]).any()
    ]


def _backtest(series: Series, horizon: int, predictions: Sequence[Prediction]) -> Backtest:
    """Predictions, one per origin of `_origins`, beside what came; the floor keeps ratios to the deviation finite."""
    held = _held_out(series.values.size, horizon)
    origins = _origins(series, horizon)
    floor = 0.01 * float(np.nanstd(series.values))
    shape = (len(origins), held)
    return Backtest(
        np.array([series.values[origin : origin + held] for origin in origins]).reshape(shape),
        series.bounds.within([prediction.mean[:held] for prediction in predictions]).reshape(shape),
        np.array([np.maximum(prediction.sd[:held], floor) for prediction in predictions]).reshape(shape),
    )


def _tried(name: str, model: Model, series: Series, horizon: int) -> Candidate:
    predictions = [model(series.until(origin), horizon) for origin in _origins(series, horizon)]
    return Candidate(name, _backtest(series, horizon, predictions), lambda: model(series, horizon))


def _candidates(series: Series, horizon: int, is_headline: bool, seed: int) -> list[Candidate]:
    baseline = _tried("recent_median", recent_median, series, horizon)
    if _is_constant(series):
        return [replace(baseline, note="constant: no other model was tried")]
    weeks = series.has_weeks and series.values.size >= 3 * WEEK
    candidates = [
        baseline,
        _tried("seasonal_naive", seasonal_naive, series, horizon)
        if weeks
        else Candidate("seasonal_naive", note="needs a daily series of at least 3 weeks"),
        _tried("linear_trend", linear_trend, series, horizon),
        _tried("exponential_smoothing", exponential_smoothing, series, horizon),
    ]
    if is_headline:
        candidates.append(_tried("prophet", lambda known, ahead: prophet(known, ahead, seed), series, horizon))
    return candidates


def _variance_factor(backtest: Backtest | None, without: int | None = None) -> tuple[float, float]:
    """Factor on a model's variance, and degrees of freedom, from its standardised errors in the backtest.

    The posterior of a variance whose prior says that the model is right (scaled inverse chi-squared; Gelman et al.,
    Bayesian Data Analysis, section 2.6). The median over folds keeps one fold that straddles a change in level
    from widening intervals after it. Folds overlap and errors are correlated, hence a third of the points count.
    """
    if backtest is None or backtest.actual.shape[0] == 0:
        return 1.0, PRIOR_POINTS
    squared = ((backtest.actual - backtest.mean) / np.where(backtest.sd > 0, backtest.sd, 1.0)) ** 2
    folds = [fold for place, fold in enumerate(squared) if place != without]
    if not folds:
        return 1.0, PRIOR_POINTS
    ratio = float(np.median([np.nanmean(fold) for fold in folds]))
    weight = float(np.isfinite(np.array(folds)).sum()) / 3.0
    return (PRIOR_POINTS + weight * ratio) / (PRIOR_POINTS + weight), PRIOR_POINTS + weight


def _half_width(level: float, factor: float, freedom: float) -> float:
    """Half of the central interval holding `level`, in standard deviations as the model gave them."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, 0.5 + level / 2.0)) * float(np.sqrt(factor))


def _coverage(backtest: Backtest, level: float) -> float:
    """Share of held-out points inside their interval, each fold calibrated on the other ones."""
    inside = []
    for place in range(backtest.actual.shape[0]):
        width = _half_width(level, *_variance_factor(backtest, without=place))
        measured = np.isfinite(backtest.actual[place])
        errors = np.abs(backtest.actual[place] - backtest.mean[place])[measured]
        inside.append(errors <= width * backtest.sd[place][measured])
    return float(np.concatenate(inside).mean()) if inside else float("nan")


def _naive_error(series: Series) -> float:
    """Mean absolute error of the naive forecast within the series: the unit of the MASE (Hyndman & Koehler 2006)."""
    lag = WEEK if series.has_weeks and series.values.size >= 3 * WEEK else 1
    errors = np.abs(series.values[lag:] - series.values[:-lag])
    return float(np.nanmean(errors)) if np.isfinite(errors).any() else 0.0


def _score_row(unique_id: str, candidate: Candidate, naive_error: float) -> dict[str, object]:
    backtest = candidate.backtest
    mae = backtest.mae if backtest else float("nan")
    note = candidate.note
    if backtest and backtest.actual.shape[0] == 0:
        note = note or "too many gaps for a backtest"
    return {
        "unique_id": unique_id,
        "model": candidate.model,
        "folds": backtest.actual.shape[0] if backtest else 0,
        "mae": mae,
        "mase": mae / naive_error if naive_error > 0 else float("nan"),
        "coverage_80": _coverage(backtest, 0.80) if backtest else float("nan"),
        "coverage_95": _coverage(backtest, 0.95) if backtest else float("nan"),
        "chosen": False,
        "note": note,
    }


def _choose(series: Series, candidates: list[Candidate]) -> tuple[list[dict[str, object]], pd.DataFrame]:
    """Score rows of all candidates, and the forecast of the simplest one that is as good as the best."""
    ranked = sorted(candidates, key=lambda candidate: SIMPLEST_FIRST.index(candidate.model))
    rows = [_score_row(series.unique_id, candidate, _naive_error(series)) for candidate in ranked]
    errors = np.array([candidate.backtest.mae if candidate.backtest else np.nan for candidate in ranked])
    scored = np.isfinite(errors)
    chosen = int(np.argmax(errors <= np.nanmin(errors) * (1.0 + TIE_MARGIN))) if scored.any() else 0
    rows[chosen]["chosen"] = True
    return rows, _forecast_table(series, ranked[chosen])


def _forecast_table(series: Series, candidate: Candidate) -> pd.DataFrame:
    if candidate.forecast is None:
        raise ValueError(f"series {series.unique_id!r}: {candidate.model} was chosen and has no forecast")
    prediction = candidate.forecast()
    sd = np.maximum(prediction.sd, 0.01 * float(np.nanstd(series.values)))
    factor = _variance_factor(candidate.backtest)
    inner, outer = (_half_width(level, *factor) * sd for level in (0.80, 0.95))
    count = prediction.mean.size
    # The backtest has calibrated intervals about the bounded mean.
    mean, within = series.bounds.within(prediction.mean), series.bounds.within
    columns = [
        series.unique_id,
        series.dates(series.values.size, count),
        np.arange(1, count + 1),
        candidate.model,
        mean,
        within(mean - inner),
        within(mean + inner),
        within(mean - outer),
        within(mean + outer),
    ]
    return pd.DataFrame(dict(zip(FORECAST_COLUMNS, columns, strict=True)))


# Simple models


def _spread(errors: FloatArray) -> float:
    """Standard deviation of errors about zero, from the bulk of them: a bias counts as error."""
    finite = np.abs(errors[np.isfinite(errors)])
    return robust_scale(np.concatenate([finite, -finite]))


def _week_of(horizon: int) -> IntArray:
    """Week of each step, from 1: leads of one week share one spread, since single ones have too few errors."""
    return (np.arange(horizon) // WEEK + 1).astype(np.int64)


def recent_median(series: Series, horizon: int) -> Prediction:
    """Median of the last 7 observations at every step; spread from the same forecast made earlier in the series."""
    rolling = pd.Series(series.values).rolling(WEEK, min_periods=1).median().ffill().to_numpy(dtype=float)
    weeks = _week_of(horizon)
    spreads = np.array([_median_spread(series.values, rolling, week) for week in range(1, int(weeks[-1]) + 1)])
    finite = series.values[np.isfinite(series.values)]
    return Prediction(np.full(horizon, float(np.median(finite[-WEEK:]))), np.maximum.accumulate(spreads)[weeks - 1])


def _median_spread(values: FloatArray, rolling: FloatArray, week: int) -> float:
    leads = range(WEEK * (week - 1) + 1, WEEK * week + 1)
    errors = [values[lead + WEEK - 1 :] - rolling[WEEK - 1 : -lead] for lead in leads if values.size > lead + WEEK]
    return _spread(np.concatenate(errors)) if errors else 0.0


def seasonal_naive(series: Series, horizon: int) -> Prediction:
    """The last value of the same weekday; spread from differences at the same distance within the series."""
    by_week = pd.DataFrame(series.values.reshape(-1, 1))
    weekday = np.arange(series.values.size) % WEEK
    last = by_week.groupby(weekday)[0].last().reindex(range(WEEK)).fillna(float(np.nanmedian(series.values)))
    target = (series.values.size + np.arange(horizon)) % WEEK
    weeks = _week_of(horizon)
    spreads = np.array([_lag_spread(series.values, WEEK * week) for week in range(1, int(weeks[-1]) + 1)])
    return Prediction(last.to_numpy(dtype=float)[target], np.maximum.accumulate(spreads)[weeks - 1])


def _lag_spread(values: FloatArray, lag: int) -> float:
    return _spread(values[lag:] - values[:-lag]) if values.size > lag + WEEK else 0.0


def weekly_profile(series: Series) -> FloatArray:
    """Effect of each weekday, shape (7,) by grid index modulo 7, sums to 0; all 0 where no weekly pattern shows.

    Effects are weekday medians of the distance from the centred 7-day mean, so a drift leaves no trace in them. A
    pattern is there when the weekdays differ at the 1 % level by analysis of ranks (Kruskal & Wallis 1952).
    """
    none = np.zeros(WEEK)
    if not series.has_weeks or series.values.size < 3 * WEEK:
        return none
    centred = pd.Series(series.values).rolling(WEEK, center=True, min_periods=5).mean().to_numpy(dtype=float)
    away = series.values - centred
    groups = [away[day::WEEK][np.isfinite(away[day::WEEK])] for day in range(WEEK)]
    if min(group.size for group in groups) < 2 or _kruskal_wallis(groups) > 0.01:
        return none
    effects = np.array([float(np.median(group)) for group in groups])
    return effects - float(effects.mean())


def _kruskal_wallis(groups: Sequence[FloatArray]) -> float:
    """p-value that all groups have one distribution; ties without correction, which only makes it larger."""
    # scipy's own function spends 3 ms on its arguments, and this runs a dozen times per series.
    from scipy.special import chdtrc
    from scipy.stats import rankdata

    sizes = np.array([group.size for group in groups])
    ranks = np.split(rankdata(np.concatenate(groups)), np.cumsum(sizes)[:-1])
    count = int(sizes.sum())
    distances = np.array([float(rank.mean()) for rank in ranks]) - (count + 1) / 2.0
    statistic = 12.0 / (count * (count + 1)) * float((sizes * distances**2).sum())
    return float(chdtrc(len(groups) - 1, statistic))


def _winsorised(values: FloatArray) -> FloatArray:
    """Values pulled to within 3 noise scales of their centred 7-point median; gaps stay."""
    centre = pd.Series(values).rolling(WEEK, center=True, min_periods=1).median().to_numpy(dtype=float)
    reach = 3.0 * robust_scale(values - centre)
    return np.clip(values, centre - reach, centre + reach)


def linear_trend(series: Series, horizon: int) -> Prediction:
    """A level, then a straight line from an onset on, plus the weekly profile where there is one.

    Least squares on winsorised values for the level alone and for each onset on the grid (Hinkley 1971), averaged by
    their probability (Bayesian model averaging; Hoeting et al. 1999), so a rise that is not yet certain counts in
    part. The variance holds that of the coefficients, that between the lines, and that of the values around them;
    autocorrelated residuals count as their effective sample size.
    """
    profile = weekly_profile(series)
    plain = series.values - profile[np.arange(series.values.size) % WEEK]
    known = np.isfinite(plain)
    index, values = np.flatnonzero(known).astype(float), _winsorised(plain)[known]
    ahead = series.values.size + np.arange(horizon, dtype=float)
    onsets = np.unique(np.concatenate([[0.0], index[: max(values.size - MIN_TRAIN + 1, 1)]]))
    # The last row starts at the last observation, so it never rises: the level alone.
    starts = np.append(onsets, index[-1])[:, None]
    hinges = np.maximum(index - starts, 0.0)
    reach = np.maximum(ahead - starts, 0.0) - hinges.mean(axis=1, keepdims=True)
    reach[-1] = 0.0
    hinges -= hinges.mean(axis=1, keepdims=True)
    squares = np.maximum((hinges**2).sum(axis=1, keepdims=True), np.finfo(float).tiny)
    slopes = hinges @ (values - values.mean())[:, None] / squares
    fitted = values.mean() + slopes * hinges
    lines = values.mean() + slopes * reach
    weights, worth = _probabilities(values, fitted)
    freedom = max(values.size - 3, 1)
    noise = ((values - fitted) ** 2).sum(axis=1, keepdims=True) / freedom
    variances = noise * values.size / worth * (1.0 / values.size + reach**2 / squares)
    mean = weights @ lines
    # Around the line lie the values as measured: what winsorising took away may come again.
    around = float(((plain[known] - weights @ fitted) ** 2).sum()) / freedom
    variance = weights @ (variances + (lines - mean) ** 2) + around
    return Prediction(mean + profile[ahead.astype(np.int64) % WEEK], np.sqrt(variance))


def _probabilities(values: FloatArray, fitted: FloatArray) -> tuple[FloatArray, float]:
    """Probability of each fitted line, shape (lines,), the last being the level, and what the values are worth.

    Even odds for level and line, and for each onset; a line pays `SLOPE_PRICE` as in the Bayesian information
    criterion (Schwarz 1978), and for its onset by sharing the odds with the others.
    """
    left = np.maximum(((values - fitted) ** 2).sum(axis=1), 1e-12 * float(((values - values.mean()) ** 2).sum()))
    if left[-1] == 0.0:
        return np.append(np.zeros(left.size - 1), 1.0), float(values.size)
    residuals = values - fitted[int(np.argmin(left))]
    worth = effective_sample_size(values.size, lag1_autocorrelation(residuals))
    odds = -worth / 2.0 * np.log(left / left.min())
    odds[:-1] -= SLOPE_PRICE / 2.0 * np.log(max(worth, np.e)) + np.log(left.size - 1)
    weights = np.exp(odds - odds.max())
    return weights / weights.sum(), worth


def _filled(series: Series) -> FloatArray:
    """Values with gaps bridged linearly beside the weekly profile, for models that cannot skip a point."""
    season = weekly_profile(series)[np.arange(series.values.size) % WEEK]
    bridged = pd.Series(series.values - season).interpolate(limit_direction="both").to_numpy(dtype=float)
    return np.asarray(bridged + season, dtype=np.float64)


def exponential_smoothing(series: Series, horizon: int) -> Prediction:
    """Additive smoothing with damped trend, and with weekdays where a weekly pattern shows over at least 3 weeks.

    Variance by step from the smoothing parameters: Hyndman et al. (2008), Forecasting with Exponential Smoothing,
    table 6.1, class 1.
    """
    from statsmodels.tools.sm_exceptions import ConvergenceWarning
    from statsmodels.tsa.holtwinters import ExponentialSmoothing

    values = _filled(series)
    centre, scale = float(np.median(values)), robust_scale(values)
    if scale == 0.0 or values.size < MIN_TRAIN:
        return recent_median(series, horizon)
    seasonal = bool(weekly_profile(series).any())
    model = ExponentialSmoothing(
        (values - centre) / scale,
        trend="add",
        damped_trend=True,
        seasonal="add" if seasonal else None,
        seasonal_periods=WEEK if seasonal else None,
        initialization_method="heuristic" if values.size >= 10 else "estimated",
    )
    with warnings.catch_warnings():
        # A fit that stopped early competes in the backtest like any other.
        warnings.simplefilter("ignore", ConvergenceWarning)
        fit = model.fit(use_brute=False)
    noise = float(np.sqrt(np.mean(np.asarray(fit.resid) ** 2) * values.size / max(values.size - 4, 1)))
    alpha, beta, phi = (float(fit.params[name]) for name in ("smoothing_level", "smoothing_trend", "damping_trend"))
    gamma = float(fit.params["smoothing_seasonal"]) if seasonal else 0.0
    leads = np.arange(1, horizon, dtype=float)
    weights = alpha * (1.0 + beta * np.cumsum(phi**leads)) + gamma * (leads % WEEK == 0)
    growth = 1.0 + np.concatenate([[0.0], np.cumsum(weights**2)])
    return Prediction(np.asarray(fit.forecast(horizon)) * scale + centre, scale * noise * np.sqrt(growth))


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


def prophet(series: Series, horizon: int, seed: int) -> Prediction:
    """Prophet's trend and weekdays (Taylor & Letham 2018), without its sampled intervals.

    The spread is that of its residuals, growing as that of a mean over the series; the backtest does the rest.
    """
    with _quiet(logging.CRITICAL, "prophet.plot"):  # it reports a missing plotly as an error
        from cmdstanpy.utils import get_logger
        from prophet import Prophet

    get_logger()  # at its first use it sets its own level
    with _quiet(logging.WARNING, "prophet", "cmdstanpy"):
        model = Prophet(
            weekly_seasonality=series.has_weeks and series.values.size >= 3 * WEEK,
            daily_seasonality=False,
            yearly_seasonality=False,
            uncertainty_samples=0,
        )
        dates = series.dates(0, series.values.size + horizon)
        known = pd.DataFrame({"ds": dates[: series.values.size], "y": series.values}).dropna()
        model.fit(known, seed=seed)
        fitted = model.predict(pd.DataFrame({"ds": dates}))["yhat"].to_numpy(dtype=float)
    spread = float(np.nanstd(series.values - fitted[: series.values.size]))
    growth = 1.0 + (1.0 + np.arange(horizon)) / max(series.observed, 1)
    return Prediction(fitted[series.values.size :], spread * np.sqrt(growth))


# One gradient-boosted model over all series of a step

MIN_BOOSTING_ROWS = 500
MAX_BOOSTING_ROWS = 12_000
FEATURES = 9
STALE_STEPS = 7
"""A series that ended longer before the newest one would pull the training data of all the others back to its end."""


def _gradient_boosting(all_series: Sequence[Series], horizon: int, seed: int) -> dict[str, Candidate]:
    """A candidate for each series by its id."""
    steps = sorted({series.step for series in all_series})
    return {
        unique_id: candidate
        for step in steps
        for unique_id, candidate in _boost_step([s for s in all_series if s.step == step], horizon, seed).items()
    }


def _boost_step(all_series: Sequence[Series], horizon: int, seed: int) -> dict[str, Candidate]:
    """Backtests and forecasts of one global model per fold, and one for the future, over series of one step.

    In a fold no row of any series is used for training whose target lies beyond the earliest origin of the fold, so
    that what happened to the whole fleet in the held-out days stays unknown.
    """
    ends = {series.unique_id: series.dates(series.values.size - 1, 1)[0] for series in all_series}
    newest = max(ends.values())
    folds = {s.unique_id: _origins(s, horizon) for s in all_series}
    stale = f"ended more than {STALE_STEPS} steps before the newest series, or has fewer than {FOLDS} folds"
    result = {s.unique_id: Candidate("gradient_boosting", note=stale) for s in all_series}
    fresh = [
        s for s in all_series if ends[s.unique_id] >= newest - STALE_STEPS * s.step and len(folds[s.unique_id]) == FOLDS
    ]
    per_fold = [_boost_fold(fresh, [folds[s.unique_id][fold] for s in fresh], horizon, seed) for fold in range(FOLDS)]
    if not fresh or any(predicted is None for predicted in per_fold):
        note = f"fewer than {MIN_BOOSTING_ROWS} training rows over all series"
        return result | {s.unique_id: Candidate("gradient_boosting", note=note) for s in fresh}
    means = np.array([predicted for predicted in per_fold if predicted is not None])
    scales = np.array([[_scale(s.until(folds[s.unique_id][fold])) for s in fresh] for fold in range(FOLDS)])
    spread = _pooled_spread(fresh, folds, means, scales, horizon)
    future = _boost_fold(fresh, [s.values.size for s in fresh], horizon, seed)
    for place, s in enumerate(fresh):
        predictions = [Prediction(means[fold, place], scales[fold, place] * spread) for fold in range(FOLDS)]
        ahead = means[0, place] if future is None else future[place]
        final = Prediction(ahead, _scale(s) * spread)
        result[s.unique_id] = Candidate("gradient_boosting", _backtest(s, horizon, predictions), _constantly(final))
    return result


def _constantly(prediction: Prediction) -> Callable[[], Prediction]:
    return lambda: prediction


def _scale(series: Series) -> float:
    """Unit in which the global model sees a series: its noise, or its spread where the noise is 0."""
    noise = noise_scale(series.values)
    return noise if noise > 0 else float(np.nanstd(series.values)) or 1.0


def _pooled_spread(
    fresh: Sequence[Series], folds: dict[str, list[int]], means: FloatArray, scales: FloatArray, horizon: int
) -> FloatArray:
    """Spread of held-out errors by week of the lead over all series, in their scales, shape (horizon,)."""
    errors = np.full(means.shape, np.nan)
    for place, series in enumerate(fresh):
        held = _held_out(series.values.size, horizon)
        for fold, origin in enumerate(folds[series.unique_id]):
            actual = series.values[origin : origin + held]
            errors[fold, place, :held] = (actual - means[fold, place, :held]) / scales[fold, place]
    weeks = _week_of(horizon)
    spreads = np.array([_spread(errors[:, :, weeks == week].ravel()) for week in range(1, int(weeks[-1]) + 1)])
    return np.maximum.accumulate(spreads)[weeks - 1]


def _boost_fold(fresh: Sequence[Series], origins: Sequence[int], horizon: int, seed: int) -> FloatArray | None:
    """Means beyond each series' origin, shape (series, horizon); None where there is too little to learn from."""
    if not fresh:
        return None
    from sklearn.ensemble import HistGradientBoostingRegressor

    cut = min(s.dates(origin - 1, 1)[0] for s, origin in zip(fresh, origins, strict=True))
    blocks = [_training_rows(s, cut, horizon) for s in fresh]
    features = np.concatenate([block[0] for block in blocks])
    targets = np.concatenate([block[1] for block in blocks])
    if targets.size < MIN_BOOSTING_ROWS:
        return None
    if targets.size > MAX_BOOSTING_ROWS:
        rows = np.random.default_rng(seed).choice(targets.size, MAX_BOOSTING_ROWS, replace=False)
        features, targets = features[rows], targets[rows]
    model = HistGradientBoostingRegressor(
        max_iter=60, learning_rate=0.08, max_leaf_nodes=15, min_samples_leaf=40, early_stopping=False, random_state=seed
    )
    known = [s.until(origin) for s, origin in zip(fresh, origins, strict=True)]
    # A feature without two values, as the weekday is on a weekly grid, cannot be binned and tells nothing.
    telling = np.fmax.reduce(features, axis=0) > np.fmin.reduce(features, axis=0)
    model.fit(features[:, telling], targets)
    rows_ahead = np.concatenate([_last_rows(s, horizon) for s in known])[:, telling]
    ahead = model.predict(rows_ahead).reshape(len(fresh), horizon)
    levels = np.array([_levels(s.values)[-1] for s in known])
    means: FloatArray = levels[:, None] + ahead * np.array([_scale(s) for s in known])[:, None]
    return means


def _levels(values: FloatArray) -> FloatArray:
    """Mean of the last 7 points at each point; across longer gaps the last one known."""
    levels: FloatArray = pd.Series(values).rolling(WEEK, min_periods=1).mean().ffill().to_numpy(dtype=float)
    return levels


def _training_rows(series: Series, cut: pd.Timestamp, horizon: int) -> tuple[FloatArray, FloatArray]:
    """Features, shape (rows, k), and targets: distance of a later value from the level then known, in scales."""
    known = series.until(max(int((cut - series.start) / series.step) + 1, 0))
    count = known.values.size
    if known.observed < MIN_TRAIN:
        return np.empty((0, FEATURES)), np.empty(0)
    at = np.arange(WEEK - 1, count - 1)
    target_at = at[:, None] + np.arange(1, horizon + 1)[None, :]
    padded = np.concatenate([known.values, np.full(horizon, np.nan)])
    targets = (padded[target_at] - _levels(known.values)[at][:, None]) / _scale(known)
    usable = np.isfinite(targets)
    # Beyond 6 noise scales a target is an outlier or a level shift that nothing foretold.
    return _features(known, at, horizon)[usable], np.clip(targets[usable], -6.0, 6.0)


def _last_rows(series: Series, horizon: int) -> FloatArray:
    rows: FloatArray = _features(series, np.array([series.values.size - 1]), horizon)[0]
    return rows


def _features(series: Series, at: IntArray, horizon: int) -> FloatArray:
    """What is known at each grid point of `at` about each later step, shape (at, horizon, FEATURES), in scales.

    Last value, means of 14 and 28 points, change over a week, same weekday last seen, mean of that weekday (all as
    distance from the mean of 7), lead, weekday of the target (NaN unless daily), steps since the start.
    """
    values, scale = series.values, _scale(series)
    frame = pd.Series(values)
    levels = _levels(values)
    known = frame.ffill().to_numpy(dtype=float)
    means = [frame.rolling(length, min_periods=1).mean().ffill().to_numpy(dtype=float) for length in (14, 28)]
    earlier = np.concatenate([np.full(WEEK, np.nan), levels[:-WEEK]])
    leads = np.arange(1, horizon + 1)
    back = at[:, None] + leads[None, :] - WEEK * ((leads + WEEK - 1) // WEEK)[None, :]
    by_weekday = np.array([_weekday_mean(values, back, weeks) for weeks in (1, 4)])
    shape = (at.size, horizon)
    first_weekday = series.start.day_of_week if series.has_weeks else np.nan
    columns = [
        *(np.broadcast_to(((column - levels) / scale)[at][:, None], shape) for column in (known, *means, earlier)),
        *((column - levels[at][:, None]) / scale for column in by_weekday),
        np.broadcast_to(leads[None, :], shape),
        (first_weekday + at[:, None] + leads[None, :]) % WEEK,
        np.broadcast_to(at[:, None], shape),
    ]
    return np.stack(columns, axis=-1).astype(np.float64)


def _weekday_mean(values: FloatArray, back: IntArray, weeks: int) -> FloatArray:
    """Mean of the values at `back` and at the same place of the weeks before it, NaN where none is known."""
    places = back[None, :, :] - WEEK * np.arange(weeks)[:, None, None]
    found = np.where(places >= 0, values[np.maximum(places, 0)], np.nan)
    counts = np.isfinite(found).sum(axis=0)
    found_mean: FloatArray = np.where(counts > 0, np.nansum(found, axis=0) / np.maximum(counts, 1), np.nan)
    return found_mean
