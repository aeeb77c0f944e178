"""What a measurement of a metric will be, given when and where it is taken: a boosted model of single measurements.

Belongs here: fitting, judging and predicting. Where models are kept is in `perf_assets.predictions`. Source: gradient
boosting (Friedman 2001) of scikit-learn; intervals are those of held-out errors (split conformal; Lei et al. 2018).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from perf_assets.analysis.seasonality import day_of_week, hour_of_day
from perf_assets.analysis.statistics import FloatArray

FORMAT = 1
"""Version of the JSON form; another one is refused."""
PLACES = ("project", "test_name", "test_type", "node_id", "node_type")
"""What a measurement may say of where it was taken."""
_BACKOFF: tuple[tuple[str, ...], ...] = (
    PLACES, ("test_name", "node_type"), ("test_name",), ("node_id",), ("test_type",), ("node_type",), (),
)  # fmt: skip
"""What the level is of, the first of these that was measured before."""
_FEWEST_ROWS, _MOST_ROWS = 40, 20_000
_HELD_OUT = 0.2
"""Newest share of the rows by which a model is judged."""
_OF_LEVEL = 25
"""Newest measurements whose median is a level."""
_AROUND = 49
"""Measurements of a place around one whose median is the usual level there."""
LEVELS = (80, 95)
_SETTINGS = {"n_estimators": 100, "max_depth": 3, "learning_rate": 0.1, "subsample": 0.7, "min_samples_leaf": 20}
_SEED = 0
_SEPARATOR = "\x1f"


@dataclass(frozen=True)
class Tree:
    """A decision tree as arrays by node: a leaf has -1 for `left`; what is at most `threshold` goes to the left."""

    left: list[int]
    right: list[int]
    feature: list[int]
    threshold: list[float]
    value: list[float]

    def predict(self, x: FloatArray) -> FloatArray:
        left, right, feature = (np.array(part, dtype=np.intp) for part in (self.left, self.right, self.feature))
        threshold, value = np.array(self.threshold), np.array(self.value)
        node = np.zeros(len(x), dtype=np.intp)
        while (inside := left[node] >= 0).any():
            rows = np.flatnonzero(inside)
            own = node[rows]
            # scikit-learn compares in single precision.
            goes_left = x[rows, feature[own]].astype(np.float32) <= threshold[own]
            node[rows] = np.where(goes_left, left[own], right[own])
        return value[node]


@dataclass(frozen=True)
class PredictiveModel:
    """A fitted model: levels by place, trees for what time and place change about them, and how it did on the newest
    fifth of the rows, which it was not fitted to (`error` and `error_of_level`: mean absolute errors on the scale of
    the model, of the model and of the level alone).

    `logarithms`: all values are positive and the model is one of ratios. `quantiles`: errors that 2.5, 10, 90 and
    97.5 % of the held-out values do not exceed. `fingerprint` is that of the rows.
    """

    metric: str
    unit: str
    rows: int
    trained_until: str
    fingerprint: str
    logarithms: bool
    levels: Mapping[str, Mapping[str, float]]
    codes: Mapping[str, Mapping[str, int]]
    trees: Sequence[Tree] = field(repr=False)
    base: float
    quantiles: Sequence[float]
    error: float
    error_of_level: float
    format: int = FORMAT

    @property
    def better_than_level(self) -> bool:
        """Whether time and place say more than the newest level does, by the held-out rows."""
        return self.error < self.error_of_level

    def predict(self, features: pd.DataFrame) -> pd.DataFrame:
        """`predicted` (median), lo-80, hi-80, lo-95, hi-95 in the unit, and `level_of`: what the level is of (its
        columns in words, "all" where nothing was measured there), with the index of `features`.

        `features`: timestamp (naive UTC) and any of PLACES; what is missing is not known. Where the model is no better
        than the level, the level is predicted.
        """
        given = _given(features)
        level, level_of = self._level(given)
        centre = level + self._effect(given)
        low95, low80, high80, high95 = (self._back(centre + error) for error in self.quantiles)
        return pd.DataFrame(
            {
                "predicted": self._back(centre), "lo-80": low80, "hi-80": high80, "lo-95": low95, "hi-95": high95,
                "level_of": level_of,
            },
            index=features.index,
        )  # fmt: skip

    def _back(self, values: FloatArray) -> FloatArray:
        return np.exp(values) if self.logarithms else values

    def _level(self, given: pd.DataFrame) -> tuple[FloatArray, npt.NDArray[np.object_]]:
        level, level_of = np.full(len(given), np.nan), np.full(len(given), "all", dtype=object)
        for columns in _BACKOFF:
            name = _SEPARATOR.join(columns)
            found = _keys(given, columns).map(self.levels[name]).to_numpy(dtype=np.float64)
            new = np.isnan(level) & np.isfinite(found)
            level[new], level_of[new] = found[new], ", ".join(columns) or "all"
        return level, level_of

    def _effect(self, given: pd.DataFrame) -> FloatArray:
        return _summed(self.trees, _matrix(given, self.codes), self.base)

    def to_json(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> PredictiveModel:
        """Raises ValueError for what is no model, or is one of another format."""
        known: dict[str, Any] = json.loads(text)
        if not isinstance(known, dict) or known.get("format") != FORMAT:
            raise ValueError(f"not a predictive model of format {FORMAT}; train it again")
        trees = [Tree(**tree) for tree in known.pop("trees")]
        return cls(trees=trees, **known)


def fit(metric: str, unit: str, rows: pd.DataFrame) -> PredictiveModel:
    """A model of the measurements `rows` of one metric: timestamp (naive UTC), value, and PLACES, None where unknown.

    Of more than 20,000 rows the newest are taken. Raises ValueError for fewer than 40 with a value.
    """
    known = rows[np.isfinite(rows["value"].to_numpy(dtype=np.float64))]
    known = known.sort_values(["timestamp", *PLACES, "value"], kind="stable").tail(_MOST_ROWS).reset_index(drop=True)
    if len(known) < _FEWEST_ROWS:
        raise ValueError(f"{metric} has {len(known)} measurements; a model needs at least {_FEWEST_ROWS}")
    value = known["value"].to_numpy(dtype=np.float64)
    logarithms = bool((value > 0).all())
    target = np.log(value) if logarithms else value
    held = int(len(known) * _HELD_OUT)
    given = _given(known)
    left = {}
    for boosted in (True, False):
        tried = _fitted(given.iloc[:-held], target[:-held], boosted)
        judged = _model(metric, unit, known, logarithms, tried, (0.0,) * 4, (0.0, 0.0))
        level, _ = judged._level(given.iloc[-held:])
        left[boosted] = target[-held:] - level - judged._effect(given.iloc[-held:])
    errors = float(np.abs(left[True]).mean()), float(np.abs(left[False]).mean())
    better = errors[0] < errors[1]
    used = left[better]
    shares = [(100 - LEVELS[1]) / 200, (100 - LEVELS[0]) / 200, (100 + LEVELS[0]) / 200, (100 + LEVELS[1]) / 200]
    quantiles = [float(one) for one in np.quantile(used, shares)]
    return _model(metric, unit, known, logarithms, _fitted(given, target, better), quantiles, errors)


@dataclass(frozen=True)
class _Fitted:
    levels: dict[str, dict[str, float]]
    codes: dict[str, dict[str, int]]
    trees: list[Tree]
    base: float


def _fitted(given: pd.DataFrame, target: FloatArray, boosted: bool) -> _Fitted:
    """Levels, and trees for what they leave, if `boosted`."""
    codes = {name: _codes(given[name], target) for name in PLACES}
    x = _matrix(given, codes)
    trees, base = _grown(given, target, x) if boosted else ([], 0.0)
    # Levels are without what hour and place explain, which is added again to what is predicted.
    level = target - _summed(trees, x, base)
    return _Fitted(
        {_SEPARATOR.join(columns): _levels(given, level, columns) for columns in _BACKOFF}, codes, trees, base
    )


def _grown(given: pd.DataFrame, target: FloatArray, x: FloatArray) -> tuple[list[Tree], float]:
    from sklearn.ensemble import GradientBoostingRegressor

    # What a measurement is held against is the usual level around it: neither a step nor a drift is an effect of hours.
    series = pd.Series(target).groupby(_keys(given, PLACES).fillna("").to_numpy())
    around = series.transform(lambda own: own.rolling(_AROUND, center=True, min_periods=1).median())
    boosted = GradientBoostingRegressor(**_SETTINGS, random_state=_SEED).fit(x, target - around.to_numpy())
    rate = float(boosted.learning_rate)
    trees = [_tree(tree.tree_, rate) for tree in boosted.estimators_[:, 0]]
    return trees, float(boosted.init_.constant_.ravel()[0])


def _summed(trees: Sequence[Tree], x: FloatArray, base: float) -> FloatArray:
    return np.asarray(base + sum((tree.predict(x) for tree in trees), np.zeros(len(x))))


def _tree(grown: Any, rate: float) -> Tree:
    return Tree(
        left=grown.children_left.tolist(), right=grown.children_right.tolist(), feature=grown.feature.tolist(),
        threshold=grown.threshold.tolist(), value=(rate * grown.value.ravel()).tolist(),
    )  # fmt: skip


def _levels(given: pd.DataFrame, target: FloatArray, columns: Sequence[str]) -> dict[str, float]:
    """Median of the newest measurements of each place, by its key."""
    keyed = pd.DataFrame({"key": _keys(given, columns).to_numpy(), "target": target})
    newest = keyed.groupby("key").tail(_OF_LEVEL)
    return {str(key): float(level) for key, level in newest.groupby("key")["target"].median().items()}


def _codes(column: pd.Series, target: FloatArray) -> dict[str, int]:
    """Numbers of the names in a column, from 1, in the order of their medians: a tree then splits them by few cuts."""
    medians = pd.Series(target).groupby(column.to_numpy()).median()
    ordered = medians.reset_index().sort_values([0, "index"], kind="stable")["index"]
    return {str(name): number for number, name in enumerate(ordered, start=1)}


def _given(features: pd.DataFrame) -> pd.DataFrame:
    """timestamp and PLACES as text, empty where unknown, in a new index."""
    if "timestamp" not in features:
        raise ValueError("features lack the column 'timestamp'")
    columns = {
        name: features[name].astype(object).where(features[name].notna(), "").astype(str).to_numpy()
        if name in features
        else ""
        for name in PLACES
    }
    times = pd.to_datetime(pd.Series(features["timestamp"].to_numpy())).astype("datetime64[us]")
    return pd.DataFrame({"timestamp": times, **columns})


def _keys(given: pd.DataFrame, columns: Sequence[str]) -> pd.Series:
    """The places in `columns` as one text each, unknown parts included; a place of unknown parts alone is none."""
    if not columns:
        return pd.Series("all", index=given.index)
    joined = given[list(columns)].agg(_SEPARATOR.join, axis=1) if len(given) else pd.Series(dtype=str)
    return joined.where(joined.str.strip(_SEPARATOR) != "")


def _matrix(given: pd.DataFrame, codes: Mapping[str, Mapping[str, int]]) -> FloatArray:
    """Hour, weekday, and the code of each place, 0 where it is new or unknown: shape (rows, 2 + places)."""
    times = given["timestamp"].to_numpy(dtype="datetime64[us]")
    columns = [given[name].map(codes[name]).fillna(0.0).to_numpy(dtype=np.float64) for name in PLACES]
    return np.column_stack((hour_of_day(times), day_of_week(times), *columns)).astype(np.float64)


def _model(
    metric: str,
    unit: str,
    known: pd.DataFrame,
    logarithms: bool,
    fitted: _Fitted,
    quantiles: Sequence[float],
    errors: tuple[float, float],
) -> PredictiveModel:
    columns = known[["timestamp", "value", *PLACES]]
    digest = hashlib.sha256(columns.to_csv(index=False).encode()).hexdigest()
    return PredictiveModel(
        metric, unit, len(known), known["timestamp"].max().isoformat(), digest, logarithms, fitted.levels,
        fitted.codes, fitted.trees, fitted.base, list(quantiles), *errors,
    )  # fmt: skip
