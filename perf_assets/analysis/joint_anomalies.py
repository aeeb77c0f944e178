"""Joint anomalies: windows in which the metrics of one node are odd together, though perhaps no single one is.

What all metrics do together, such as following the load, is normal; what is left of a window once that is taken out is
compared with what is usually left.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from perf_assets.analysis.seasonality import deseasonalise_many
from perf_assets.analysis.statistics import MAD_TO_SD, FloatArray, benjamini_hochberg, robust_scale
from perf_assets.tables import JOINT_ANOMALIES

JOINT_EPISODE_COLUMNS = ("start", "end", "points", "score", "p_value", "metrics")
JOINT_ANOMALY_COLUMNS = JOINT_ANOMALIES.names
FALSE_DISCOVERY_RATE = 0.05
SIGNIFICANT = 0.01
"""Chance that a table without episodes yields one."""

_LEVEL_WINDOWS = 15
_FEWEST_WINDOWS = 10
_LARGEST_DEVIATION = 4.0
"""In standard deviations: a spike of one metric is not to fill its window."""
_COMMON = 2.0
"""A component with the variance of this many metrics is common behaviour, not a part of the remainder."""
_COPIED = 1e-6
"""A component with less variance than this is what copies of one metric differ by: rounding."""
_TRIALS_A_WINDOW = 4.0
"""Overlapping windows are tests of one thing: a search over all positions is worth this many a window length."""
_FEWEST_METRICS = 2
_CONTRIBUTES = 3.0


def find_joint_anomalies(readings: pd.DataFrame) -> pd.DataFrame:
    """Joint episodes of the nodes of a fleet, with the columns JOINT_ANOMALY_COLUMNS, by project, node and start.

    `readings`: project, node_id, series_id, metric, ts, value, one row a metric and time on the node's own grid; sorted
    by project, node_id, series_id and ts. Days and weeks are taken out of each metric first. `q_value` is over the
    nodes: each enters with its most significant episode, those without with 1 (Benjamini & Hochberg 1995).
    """
    nodes = list(readings.groupby(["project", "node_id"], sort=True))
    found = [find_joint_episodes(_of_node(rows)).assign(project=name[0], node_id=name[1]) for name, rows in nodes]
    odd = [episodes for episodes in found if not episodes.empty]
    if not odd:
        return pd.DataFrame(columns=list(JOINT_ANOMALY_COLUMNS))
    clearest = np.array([episodes["p_value"].min() for episodes in odd])
    q_values = benjamini_hochberg(np.concatenate((clearest, np.ones(len(nodes) - len(odd)))))
    # An episode less clear than the node's clearest is the more likely to be false, by as much.
    ratios = q_values[: len(odd)] / np.maximum(clearest, 1e-300)
    judged = [
        episodes.assign(q_value=np.minimum(episodes["p_value"] * ratio, 1.0))
        for episodes, ratio in zip(odd, ratios, strict=True)
    ]
    table = pd.concat(judged, ignore_index=True)
    table = table[table["q_value"] <= FALSE_DISCOVERY_RATE]
    names = {"start": "episode_start", "end": "episode_end", "points": "buckets"}
    return table.rename(columns=names)[list(JOINT_ANOMALY_COLUMNS)].reset_index(drop=True)


def _of_node(rows: pd.DataFrame) -> pd.DataFrame:
    """Metrics of one node side by side, as `find_joint_episodes` takes them, without days and weeks."""
    ids = rows["series_id"].to_numpy()
    edges = np.concatenate(([0], np.flatnonzero(ids[1:] != ids[:-1]) + 1, [ids.size]))
    level = deseasonalise_many(rows["ts"].to_numpy(), rows["value"].to_numpy(dtype=np.float64), edges)
    table = rows.assign(value=level).pivot_table(index="ts", columns="series_id", values="value", sort=False)
    names = rows.drop_duplicates("series_id").set_index("series_id")["metric"]
    return table.sort_index().rename(columns=names)


def find_joint_episodes(metrics: pd.DataFrame, window: int = 10) -> pd.DataFrame:
    """Episodes of joint oddness, with the columns JOINT_EPISODE_COLUMNS, in time order.

    `metrics`: one row a time (index, ascending), one column a metric; NaN are gaps. `window`: length, in rows, of the
    episodes looked for; shorter ones must be the stronger, longer ones are found whole. Too few rows (ten windows) or
    metrics (three that vary) give no episodes.

    Each metric is taken as its distance from a running median in robust standard deviations. Principal components of
    their correlation that carry the variance of two metrics or more are common behaviour; the moving averages of the
    others, each in units of its own robust scale, which allows for autocorrelation, give Hotelling's T^2.

    `score`: root mean square of those averages, about 1 when nothing is odd; `p_value`: of the strongest window,
    from F with as many degrees of freedom as there are windows, times the number of windows searched (Bonferroni);
    `metrics`: names of those that took part, strongest first, at least two, joined by ", ".

    Sources: Jackson & Mudholkar (1979), Control Procedures for Residuals Associated with Principal Component Analysis;
    Hotelling (1947) for T^2 of the remainder.
    """
    varying, deviations = _deviations(metrics, window)
    count = deviations.shape[0]
    if count < _FEWEST_WINDOWS * window or varying.size <= _FEWEST_METRICS:
        return pd.DataFrame(columns=list(JOINT_EPISODE_COLUMNS))
    basis = _remainder_basis(deviations)
    components = deviations @ basis
    averages = _in_usual_units(_moving_average(components, window))
    mean_square = (averages**2).mean(axis=1)
    windows = count / window
    chance = special.fdtrc(basis.shape[1], windows, mean_square)
    p_values = np.minimum(chance * _TRIALS_A_WINDOW * windows, 1.0)
    shares = _in_usual_units(_moving_average(components @ basis.T, window))
    rows = []
    for best in _peaks(p_values, window):
        named = _contributors(np.abs(shares[best]))
        if named.size < _FEWEST_METRICS:
            continue
        direction = averages[best] / np.std(components, axis=0)
        start, end = _extent(components @ direction, best, window)
        names = ", ".join(str(name) for name in varying[named])
        span = (metrics.index[start], metrics.index[end], end - start + 1)
        rows.append((*span, float(np.sqrt(mean_square[best])), float(p_values[best]), names))
    return pd.DataFrame(rows, columns=list(JOINT_EPISODE_COLUMNS)).sort_values("start", ignore_index=True)


def _deviations(metrics: pd.DataFrame, window: int) -> tuple[pd.Index, FloatArray]:
    """Names of the metrics that vary, and their distances from their level, shape (n, varying); 0 in gaps."""
    values = metrics.astype(np.float64)
    width = _LEVEL_WINDOWS * window
    distances = (values - values.rolling(width, center=True, min_periods=1).median()).to_numpy()
    scales = np.array([robust_scale(column) for column in distances.T])
    varies = scales > 1e-12 * np.nanmax(np.abs(values.to_numpy()), axis=0, initial=0.0)
    scaled = np.nan_to_num(distances[:, varies]) / scales[varies]
    return metrics.columns[varies], np.clip(scaled, -_LARGEST_DEVIATION, _LARGEST_DEVIATION)


def _remainder_basis(deviations: FloatArray) -> FloatArray:
    """Principal directions that are not common behaviour, shape (metrics, components)."""
    variances, directions = np.linalg.eigh(np.corrcoef(deviations, rowvar=False))
    return np.asarray(directions[:, (variances < _COMMON) & (variances > _COPIED)])


def _moving_average(columns: FloatArray, window: int) -> FloatArray:
    """Means of `window` rows, by their first row, shape (n - window + 1, columns)."""
    sums = np.cumsum(np.concatenate((np.zeros((1, columns.shape[1])), columns)), axis=0)
    return np.asarray((sums[window:] - sums[:-window]) / window)


def _in_usual_units(columns: FloatArray) -> FloatArray:
    centred = columns - np.median(columns, axis=0)
    scales = MAD_TO_SD * np.median(np.abs(centred), axis=0)
    return np.asarray(centred / np.where(scales > 0, scales, np.inf))


def _peaks(p_values: FloatArray, window: int) -> Iterator[int]:
    """Positions of significant windows, best first, none within two windows of a better one."""
    left = p_values.copy()
    while left.min(initial=1.0) < SIGNIFICANT:
        best = int(np.argmin(left))
        yield best
        left[max(0, best - 2 * window) : best + 2 * window + 1] = 1.0


def _contributors(sizes: FloatArray) -> npt.NDArray[np.intp]:
    """Metrics that stand out in the remainder, strongest first; the weaker share what the removal of the common
    behaviour spread over all.
    """
    order = np.argsort(-sizes, kind="stable")
    return np.asarray(order[sizes[order] >= max(_CONTRIBUTES, sizes.max() / 2.0)])


def _extent(course: FloatArray, best: int, window: int) -> tuple[int, int]:
    """First and last row of the stretch around the best window whose course is nearer to its mean than to normal."""
    lowest, highest = max(0, best - window), min(course.size, best + 2 * window)
    excess = course[lowest:highest] - course[best : best + window].mean() / 2.0
    sums = np.concatenate(([0.0], np.cumsum(excess)))
    lowest_before = np.minimum.accumulate(sums)
    last = int(np.argmax(sums[1:] - lowest_before[:-1]))
    first = int(np.argmin(sums[: last + 1]))
    return lowest + first, lowest + last
