"""Models of the duration of scenario runs, judged by runs that they were not fitted to.

Four candidates, the simplest first: the three features by least squares; all recorded columns with an effect for each
scenario; the same in logarithms; gradient boosting. R² of held-out runs is 1 - sum of squared errors / sum of squares
about the mean of these runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from perf_assets.analysis import durations
from perf_assets.analysis.durations import DRIVERS, FEATURES, complete_runs, fit_duration_model, largest_influence
from perf_assets.analysis.statistics import FloatArray
from perf_assets.tables import DURATION_MODELS

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
Predict = Callable[[FloatArray, FloatArray], FloatArray]
"""Durations (s), shape (m,), of numeric columns, shape (m, columns), and indicators of scenarios, (m, scenarios)."""
Fit = Callable[[FloatArray, FloatArray, FloatArray], Predict]
"""From numeric columns, indicators of scenarios and durations (s) of the same runs."""

CORRELATED = 0.7
"""Columns of a larger absolute correlation share half of their variance, and are permuted together."""
MOST_RUNS = 1_000
"""The newest runs that a project's models are judged by."""
_FEWEST_RUNS = 8
_RECORDED_SHARE = 0.9
_FOLDS, _BLOCKS, _SMALL = 10, 5, 30
_DRAWS, _DONORS = 2_000, 30
_FEWEST_BOOSTED = 20
_LEAST = 1e-12
_PENALTIES = (1.0, 4.0, 16.0)
MODEL_COLUMNS = DURATION_MODELS.names
SHARE_COLUMNS = ("project", "driver", "vif", "permuted_together", "share", "share_low", "share_high")


# Candidates


def _scale(x: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean and standard deviation of each column, 1 for a constant, which so stays without effect."""
    return x.mean(axis=0), np.where(np.ptp(x, axis=0) > 0, x.std(axis=0), 1.0)


def _least_squares(x: FloatArray, y: FloatArray) -> Callable[[FloatArray], FloatArray]:
    mean, spread = _scale(x)
    level = float(y.mean())
    slopes = np.linalg.lstsq((x - mean) / spread, y - level, rcond=None)[0]
    return lambda own: np.asarray(level + (own - mean) / spread @ slopes)


def _fit_features(numeric: FloatArray, scenarios: FloatArray, duration: FloatArray) -> Predict:
    own = slice(len(FEATURES))
    predict = _least_squares(numeric[:, own], duration)
    return lambda new, _: predict(new[:, own])


def _fit_recorded(numeric: FloatArray, scenarios: FloatArray, duration: FloatArray) -> Predict:
    """Ridge regression (Hoerl & Kennard 1970) on standardised columns and indicators, so that the effect of a scenario
    of few runs is drawn to 0. The penalty is the one with the smallest leave-one-out error (Allen 1974).
    """
    mean, spread = _scale(numeric)

    def design(own: FloatArray, indicators: FloatArray) -> FloatArray:
        return np.column_stack(((own - mean) / spread, indicators))

    x = design(numeric, scenarios)
    centre, level = x.mean(axis=0), duration.mean()
    left, singular, right = np.linalg.svd(x - centre, full_matrices=False)
    y = duration - level

    def left_out_error(penalty: float) -> float:
        weights = singular**2 / (singular**2 + penalty)
        leverages = (left**2) @ weights + 1.0 / y.size
        deleted = (y - left @ (weights * (left.T @ y))) / np.maximum(1.0 - leverages, 1e-9)
        return float(deleted @ deleted)

    penalty = min(_PENALTIES, key=left_out_error)
    solution = right.T @ (singular / (singular**2 + penalty) * (left.T @ y))
    return lambda own, indicators: np.asarray(level + (design(own, indicators) - centre) @ solution)


def _fit_logarithms(numeric: FloatArray, scenarios: FloatArray, duration: FloatArray) -> Predict:
    """Log duration by log1p of the columns. Back-transformed by smearing (Duan 1983), which estimates the mean: the
    squared error that judges the models is smallest there, not at the median.
    """
    logs = np.log(duration)
    fitted = _fit_recorded(np.log1p(numeric), scenarios, logs)
    smearing = float(np.mean(np.exp(logs - fitted(np.log1p(numeric), scenarios))))
    return lambda own, indicators: smearing * np.exp(fitted(np.log1p(own), indicators))


def _fit_boosting(numeric: FloatArray, scenarios: FloatArray, duration: FloatArray) -> Predict:
    """Small trees and few of them, as there are some dozens of runs."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    x = np.column_stack((numeric, scenarios))
    # A column without two values cannot be binned and explains nothing.
    telling = x.max(axis=0) > x.min(axis=0)
    if not telling.any():
        mean = float(duration.mean())
        return lambda own, _: np.full(len(own), mean)
    # Boosting is not exactly equivariant in floating point, so it sees durations of mean 0 and standard deviation 1.
    level, spread = float(duration.mean()), float(duration.std()) or 1.0
    model = HistGradientBoostingRegressor(
        max_iter=50, learning_rate=0.1, max_leaf_nodes=4, min_samples_leaf=4, l2_regularization=1.0,
        early_stopping=False, random_state=0,
    )  # fmt: skip
    model.fit(x[:, telling], (duration - level) / spread)
    return lambda own, indicators: np.asarray(
        level + spread * model.predict(np.column_stack((own, indicators))[:, telling])
    )


CANDIDATES: dict[str, Fit] = {
    "three features": _fit_features,
    "all columns": _fit_recorded,
    "logarithms": _fit_logarithms,
    "gradient boosting": _fit_boosting,
}
"""The simplest first."""


# Judging


@dataclass(frozen=True)
class Known:
    """Complete runs of one project in order of time, as arrays of one row a run.

    `columns` name those of `numeric`; `scenarios` holds indicators of the scenarios `names`, `group` their places, and
    `earlier` how many runs have an earlier time, 0 throughout where times are not known.
    """

    runs: pd.DataFrame
    columns: tuple[str, ...]
    numeric: FloatArray
    names: tuple[str, ...]
    scenarios: FloatArray
    group: IntArray
    earlier: IntArray
    duration: FloatArray


def known_runs(runs: pd.DataFrame) -> Known:
    """The newest MOST_RUNS complete runs of `runs`, of one project: scenario, duration (s), nodes, edges, observations,
    and, where recorded, risks, ts and run_id; NaN is missing.

    Risks are a column where at least 9 in 10 runs have them, and runs without them are then left out for all models.
    Runs without a time count as the first.
    """
    runs = runs.reindex(columns=[*dict.fromkeys((*runs.columns, "scenario", "duration", *DRIVERS, "ts", "run_id"))])
    # In one order, however they come, so that the same runs have the same figures.
    order = ["ts", "run_id", "scenario", "duration", *DRIVERS]
    complete = complete_runs(runs.sort_values(order, na_position="first")).tail(MOST_RUNS)
    columns = DRIVERS if complete["risks"].notna().mean() >= _RECORDED_SHARE else FEATURES
    complete = complete.dropna(subset=list(columns)).reset_index(drop=True)
    group, names = pd.factorize(complete["scenario"].astype("str"), sort=True)
    times = pd.to_datetime(complete["ts"]).rank(method="min")
    return Known(
        complete, columns, complete[list(columns)].to_numpy(dtype=np.float64), tuple(names),
        (group[:, None] == np.arange(len(names))).astype(np.float64),
        # Runs without a scenario are one group, and have no effect of one.
        np.where(group < 0, len(names), group).astype(np.int64), (times.fillna(1.0) - 1.0).to_numpy(dtype=np.int64),
        complete["duration"].to_numpy(dtype=np.float64),
    )  # fmt: skip


@dataclass(frozen=True)
class Split:
    """Runs that a model is fitted to and runs that it then predicts, as masks over the known runs."""

    fitted: BoolArray
    held_out: BoolArray


def time_ordered(known: Known) -> list[Split]:
    """An expanding window: the second half of the runs in blocks, each predicted from all runs before it.

    Runs of one time stay together. None where times leave fewer than 8 runs to predict.
    """
    total = known.duration.size
    half = (total + 1) // 2
    later = known.earlier >= half
    if later.sum() < _FEWEST_RUNS:
        return []
    block = np.where(later, (known.earlier - half) * _BLOCKS // max(total - half, 1), -1)
    splits = []
    for number in np.unique(block[later]):
        own = block == number
        splits.append(Split(known.earlier < known.earlier[own].min(), own))
    return splits


def left_out(known: Known) -> list[Split]:
    """Each run by all others, or of more than 30 a tenth at a time."""
    total = known.duration.size
    if total < _FEWEST_RUNS:
        return []
    return _folds(np.arange(total) % (total if total <= _SMALL else _FOLDS))


def grouped(known: Known) -> list[Split]:
    """Whole scenarios by the others, so that each is predicted by a model that has not seen it."""
    if known.duration.size < _FEWEST_RUNS or np.unique(known.group).size < 2:
        return []
    return _folds(known.group % _FOLDS)


def _folds(fold: IntArray) -> list[Split]:
    return [Split(fold != number, fold == number) for number in np.unique(fold)]


@dataclass(frozen=True)
class Score:
    """R² of held-out runs with its 95 % interval; NaN where there are too few of them."""

    r_squared: float
    low: float
    high: float


UNKNOWN = Score(float("nan"), float("nan"), float("nan"))


def _fit_within(fit: Fit, numeric: FloatArray, scenarios: FloatArray, duration: FloatArray) -> Predict:
    """`fit`, whose predictions treat a column beyond the range of these runs as at its end: what a model says further
    out rests on no run, and in columns of a long tail is wrong by multiples.
    """
    lowest, highest = numeric.min(axis=0), numeric.max(axis=0)
    predict = fit(numeric, scenarios, duration)
    return lambda own, indicators: predict(np.clip(own, lowest, highest), indicators)


@dataclass(frozen=True)
class Trial:
    """A candidate fitted once for each split. `expected` (s) has NaN for runs that no split holds out."""

    splits: list[Split]
    fits: list[Predict]
    expected: FloatArray


def _attempt(known: Known, fit: Fit, splits: list[Split]) -> Trial:
    expected = np.full(known.duration.size, np.nan)
    fits = []
    for split in splits:
        own = split.fitted
        predict = _fit_within(fit, known.numeric[own], known.scenarios[own], known.duration[own])
        expected[split.held_out] = predict(known.numeric[split.held_out], known.scenarios[split.held_out])
        fits.append(predict)
    return Trial(splits, fits, expected)


def _drawn_unexplained(known: Known, trial: Trial, cluster: IntArray) -> FloatArray:
    """1 - R² of the held-out runs, as they are and then in bootstrap samples of whole clusters, shape (1 + draws,).

    Empty where there are no held-out runs, or their durations are all the same.
    """
    told = np.isfinite(trial.expected)
    y = known.duration[told]
    if y.size < 2 or not np.ptp(y) > 0:
        return np.empty(0)
    y = (y - y.mean()) / y.std()
    errors = (known.duration - trial.expected)[told] / known.duration[told].std()
    codes = np.unique(cluster[told], return_inverse=True)[1]
    sums = np.stack([np.bincount(codes, weights) for weights in (np.ones(y.size), y, y**2, errors**2)])
    clusters = sums.shape[1]
    drawn = np.random.default_rng(0).integers(clusters, size=(_DRAWS, clusters))
    count, total, squares, left = sums[:, np.concatenate((np.arange(clusters)[None], drawn))].sum(axis=2)
    spread = squares - total**2 / count
    # A sample drawn from the runs varies less about its own mean than the runs do, by one cluster's part.
    spread[1:] *= clusters / max(clusters - 1, 1)
    return np.asarray(np.maximum(left, _LEAST) / np.maximum(spread, _LEAST))


def _score(drawn: FloatArray, splits: list[Split], clusters: int) -> Score:
    """The bootstrap knows the chance in the runs that were predicted, not in those that were fitted: log(1 - R²) varies
    more by the root of 1 + held out / fitted (Nadeau & Bengio 2003, Inference for the generalization error). With few
    clusters it is too narrow, as a normal interval is where one of Student's t is due (Hesterberg 2015, What teachers
    should know about the bootstrap).
    """
    from scipy.special import ndtri, stdtrit

    if not drawn.size or clusters < 2:
        return UNKNOWN
    held_out = sum(int(split.held_out.sum()) for split in splits)
    fitted = float(np.mean([split.fitted.sum() for split in splits]))
    logs = np.log(drawn)
    few = np.sqrt(clusters / (clusters - 1.0)) * stdtrit(clusters - 1, 0.975) / ndtri(0.975)
    wider = few * np.sqrt(1.0 + held_out / fitted)
    high, low = logs[0] + wider * (np.quantile(logs[1:], [0.025, 0.975]) - logs[0])
    return Score(1.0 - float(drawn[0]), 1.0 - float(np.exp(low)), 1.0 - float(np.exp(high)))


@dataclass(frozen=True)
class Judgement:
    """One candidate: R² of later runs, where runs have times; of runs left out in any order; of scenarios left out; and
    of runs left out where that of overwhelming leverage is not there.

    `borne_out` is the R² that new runs of known scenarios bear out: the lower end for runs left out, with and without
    that run, and no more than the R² of later runs.
    """

    time_ordered: Score
    left_out: Score
    grouped: Score
    without_run: Score
    borne_out: float


@dataclass(frozen=True)
class Judged:
    """A project's candidates. `chosen` is None where no candidate can be judged; `trial` is what the chosen one expects
    of runs left out; `leverage_run` is the place of the run of overwhelming leverage, if there is one."""

    known: Known
    judgements: dict[str, Judgement]
    chosen: str | None
    trial: Trial | None
    leverage_run: int | None

    def expect(self, runs: pd.DataFrame) -> pd.DataFrame:
        """`expected` (s, NaN where a column is missing) and `beyond_model` of `runs`, with their index, by the chosen
        model of all known runs.

        `beyond_model`: the scenario is not among those that were fitted, so that the figure is of other scenarios.
        Raises ValueError where no model could be chosen.
        """
        if self.chosen is None:
            raise ValueError("no model of these runs can be judged, so none was chosen")
        known = self.known
        predict = _fit_within(CANDIDATES[self.chosen], known.numeric, known.scenarios, known.duration)
        numeric = runs[list(known.columns)].to_numpy(dtype=np.float64)
        scenario = runs["scenario"].astype("str").to_numpy()
        indicators = (scenario[:, None] == np.array(known.names)).astype(np.float64)
        complete = np.isfinite(numeric).all(axis=1)
        expected = np.full(len(runs), np.nan)
        if complete.any():
            expected[complete] = predict(numeric[complete], indicators[complete])
        return pd.DataFrame({"expected": expected, "beyond_model": ~indicators.any(axis=1)}, index=runs.index)


def judge(runs: pd.DataFrame) -> Judged:
    """Judge all candidates by `runs` of one project (see `known_runs`)."""
    known = known_runs(runs)
    place = _overwhelming(known)
    rest = known_runs(known.runs.drop(index=known.runs.index[place])) if place is not None else None
    judgements, trials, drawn = {}, {}, {}
    for name in CANDIDATES:
        fit = CANDIDATES[name] if _fits(name, known) else None
        _, in_time, later = _judged(known, fit, time_ordered(known))
        trials[name], in_any_order, left = _judged(known, fit, left_out(known))
        # What is to be predicted are later runs, so that they choose where runs have times.
        drawn[name] = in_time if in_time.size else in_any_order
        without = _judged(rest, fit, left_out(rest))[2] if rest is not None else UNKNOWN
        limits = [left.low]
        if in_time.size:
            limits.append(later.r_squared)
        if rest is not None:
            limits.append(without.low)
        judgements[name] = Judgement(later, left, _grouped_score(known, fit), without, float(np.min(limits)))
    chosen = _choose(drawn)
    return Judged(known, judgements, chosen, trials[chosen] if chosen else None, place)


def _fits(name: str, known: Known) -> bool:
    if name == "logarithms":
        return bool((known.duration > 0).all() and (known.numeric >= 0).all())
    return name != "gradient boosting" or known.duration.size >= _FEWEST_BOOSTED


def _judged(known: Known, fit: Fit | None, splits: list[Split]) -> tuple[Trial | None, FloatArray, Score]:
    if fit is None or not splits:
        return None, np.empty(0), UNKNOWN
    trial = _attempt(known, fit, splits)
    drawn = _drawn_unexplained(known, trial, np.arange(known.duration.size))
    return trial, drawn, _score(drawn, splits, int(np.isfinite(trial.expected).sum()))


def _grouped_score(known: Known, fit: Fit | None) -> Score:
    """The wider interval either way of runs and of whole scenarios drawn: errors within a scenario may be alike, but of
    a few scenarios alone the chance cannot be learned well."""
    splits = grouped(known)
    trial, _, by_run = _judged(known, fit, splits)
    if trial is None:
        return UNKNOWN
    drawn = _drawn_unexplained(known, trial, known.group)
    by_scenario = _score(drawn, splits, np.unique(known.group).size)
    return Score(by_run.r_squared, min(by_run.low, by_scenario.low), max(by_run.high, by_scenario.high))


def _choose(drawn: dict[str, FloatArray]) -> str | None:
    """The simplest candidate whose error is within one standard error of the smallest (Breiman et al. 1984), in
    log(1 - R²) of the same bootstrap samples; NaN of `drawn` is no candidate."""
    judged = {name: np.log(values) for name, values in drawn.items() if values.size}
    if not judged:
        return None
    best = min(judged, key=lambda name: judged[name][0])
    return next(
        name for name, logs in judged.items()
        if logs[0] - judged[best][0] <= np.std(logs[1:] - judged[best][1:])
    )  # fmt: skip


def _overwhelming(known: Known) -> int | None:
    model = fit_duration_model(known.runs)
    influence = largest_influence(known.runs, model) if model is not None else None
    return influence.run if influence is not None and influence.overwhelming else None


# Shares


def variance_inflation(numeric: FloatArray) -> FloatArray:
    """Of each column, 1 / (1 - R²) by the other columns (Marquardt 1970), shape (columns,).

    NaN for a column without two values, infinite for one that the others determine.
    """
    inflation = np.full(numeric.shape[1], np.nan)
    for place, column in enumerate(numeric.T):
        if column.size <= numeric.shape[1] or not np.ptp(column) > 0:
            continue
        others = np.delete(numeric, place, axis=1)
        left = column - _least_squares(others, column)(others)
        unexplained = float(left @ left) / float(((column - column.mean()) ** 2).sum())
        inflation[place] = 1.0 / unexplained if unexplained > _LEAST else np.inf
    return inflation


def correlated_groups(known: Known, drivers: tuple[str, ...]) -> list[tuple[str, ...]]:
    """`drivers` (columns, or `scenario`) in groups that an absolute correlation above CORRELATED links.

    Of scenario and a column it is the correlation ratio, corrected for the number of scenarios (Wherry 1931). Permuting
    one of two linked drivers alone makes runs that cannot be, and gives the share of both to neither.
    """
    groups = [{driver} for driver in drivers]
    for place, one in enumerate(drivers):
        for other in drivers[place + 1 :]:
            if _association(known, one, other) > CORRELATED:
                linked = [group for group in groups if one in group or other in group]
                groups = [group for group in groups if group not in linked] + [set().union(*linked)]
    return sorted((tuple(d for d in drivers if d in group) for group in groups), key=lambda g: drivers.index(g[0]))


def _association(known: Known, one: str, other: str) -> float:
    values = [known.numeric[:, known.columns.index(name)] for name in (one, other) if name != "scenario"]
    if not all(np.ptp(column) > 0 for column in values):
        return 0.0
    if len(values) == 2:
        return abs(float(np.corrcoef(values[0], values[1])[0, 1]))
    runs, scenarios = known.group.size, np.unique(known.group).size
    if runs <= scenarios:
        return 0.0
    means = np.bincount(known.group, values[0]) / np.maximum(np.bincount(known.group), 1)
    within = float(((values[0] - means[known.group]) ** 2).sum()) / (runs - scenarios)
    return float(np.sqrt(max(1.0 - within / float(values[0].var(ddof=1)), 0.0)))


def _permuted_errors(judged: Judged, trial: Trial, group: tuple[str, ...]) -> FloatArray:
    """How much the squared error of each held-out run rises, on average, with the group's values of other runs (Fisher,
    Rudin & Dominici 2019, All models are wrong, but many are useful); NaN for runs that are not held out."""
    known = judged.known
    random = np.random.default_rng(0)
    places = [known.columns.index(name) for name in group if name != "scenario"]
    rises = np.full(known.duration.size, np.nan)
    for split, predict in zip(trial.splits, trial.fits, strict=True):
        own = np.flatnonzero(split.held_out)
        donors = random.integers(known.duration.size, size=(_DONORS, own.size)).ravel()
        numeric, scenarios = np.tile(known.numeric[own], (_DONORS, 1)), np.tile(known.scenarios[own], (_DONORS, 1))
        numeric[:, places] = known.numeric[donors][:, places]
        if "scenario" in group:
            scenarios = known.scenarios[donors]
        errors = known.duration[own] - predict(numeric, scenarios).reshape(_DONORS, own.size)
        rises[own] = (errors**2).mean(axis=0) - (known.duration[own] - trial.expected[own]) ** 2
    return rises


def driver_shares(judged: Judged) -> pd.DataFrame:
    """driver, vif, permuted_together, share, share_low, share_high of DRIVERS and scenario.

    `share`: of what the permutation of all groups costs on held-out runs, with a 95 % bootstrap interval; drivers that
    are permuted together have one share. NaN where new runs do not bear out that the chosen model explains anything,
    and for drivers that are not in it.
    """
    known = judged.known
    table = pd.DataFrame({"driver": [*DRIVERS, "scenario"]}, dtype="object").set_index("driver")
    table = table.assign(vif=np.nan, permuted_together=None, share=np.nan, share_low=np.nan, share_high=np.nan)
    table.loc[list(known.columns), "vif"] = variance_inflation(known.numeric)
    chosen, trial = judged.chosen, judged.trial
    if chosen is None or trial is None or not judged.judgements[chosen].borne_out > 0:
        return table.reset_index()
    groups = correlated_groups(known, columns_of(chosen, known))
    rises = np.stack([_permuted_errors(judged, trial, group) for group in groups])
    rises = rises[:, np.isfinite(trial.expected)]
    drawn = np.random.default_rng(0).integers(rises.shape[1], size=(_DRAWS, rises.shape[1]))
    costs = np.maximum(np.column_stack((rises.mean(axis=1), rises[:, drawn].mean(axis=2))), 0.0)
    total = costs.sum(axis=0)
    shares = np.divide(costs, total, out=np.full_like(costs, np.nan), where=total > 0)
    if np.isfinite(shares[0, 0]):
        low, high = np.nanquantile(shares[:, 1:], [0.025, 0.975], axis=1)
        for place, group in enumerate(groups):
            own = ["permuted_together", "share", "share_low", "share_high"]
            for driver in group:
                table.loc[driver, own] = [", ".join(group), shares[place, 0], low[place], high[place]]
    return table.reset_index()


def columns_of(model: str, known: Known) -> tuple[str, ...]:
    """What a candidate is given of these runs."""
    return FEATURES if model == "three features" else (*known.columns, "scenario")


# Tables


def judge_projects(runs: pd.DataFrame) -> dict[str, Judged]:
    """Judge the candidates of each project by its own runs (see `drivers_and_models`)."""
    return {str(project): judge(own) for project, own in runs.groupby("project", sort=True)}


def judged_tables(runs: pd.DataFrame, judged: dict[str, Judged]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The tables duration_drivers and duration_models of `runs` and what was made of them."""
    shares = [driver_shares(found).assign(project=project) for project, found in judged.items()]
    drivers = durations.duration_drivers(runs)
    added = pd.concat(shares, ignore_index=True) if shares else pd.DataFrame(columns=list(SHARE_COLUMNS))
    merged = drivers.merge(added[list(SHARE_COLUMNS)], on=["project", "driver"], how="left", validate="1:1")
    rows = [row for project, found in judged.items() for row in _model_rows(project, found)]
    models = pd.DataFrame(rows, columns=list(MODEL_COLUMNS))
    return merged, models.astype({"without_run": "Int64", "chosen": "bool", "runs": "int64"})


def drivers_and_models(runs: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The tables duration_drivers and duration_models of the scenario runs of all projects.

    `runs`: project, run_id, scenario, duration (s), nodes, edges, observations, risks, ts (time of the run); NaN is
    missing.
    """
    return judged_tables(runs, judge_projects(runs))


def _model_rows(project: str, judged: Judged) -> Iterator[dict[str, object]]:
    run = None if judged.leverage_run is None else judged.known.runs["run_id"].iloc[judged.leverage_run]
    for name, judgement in judged.judgements.items():
        row: dict[str, object] = {
            "project": project, "model": name, "chosen": name == judged.chosen, "runs": judged.known.duration.size,
            "columns": ", ".join(columns_of(name, judged.known)), "borne_out": judgement.borne_out,
            "without_run": run if run is None or pd.notna(run) else None,
        }  # fmt: skip
        for place in ("time_ordered", "left_out", "grouped", "without_run"):
            score: Score = getattr(judgement, place)
            row[f"r_squared_{place}"] = score.r_squared
            row[f"r_squared_{place}_low"] = score.low
            row[f"r_squared_{place}_high"] = score.high
        yield row
