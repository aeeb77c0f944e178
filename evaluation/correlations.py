"""Correlations on simulated series: pairs called linked that are independent, and planted links with their lag.

Beside the product stand Pearson's and Spearman's correlations as pandas gives them, with scipy's p-values and its
Benjamini-Hochberg procedure, as people customarily correlate columns. Noise has standard deviation 1.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain, cycle, islice

import numpy as np
import pandas as pd
from scipy import stats

from evaluation.markdown import mark, met, number, percent, table
from evaluation.methods import OURS
from evaluation.proportions import Check, Estimate, exactly, mean_of, share_of
from evaluation.signals import FloatArray, autoregressive
from perf_assets.analysis.correlations import LAGS, correlate

SERIES, LINKS = 45, 10
"""Series of a set, which have 990 pairs, and the pairs of them that a set with links has."""
DAYS, SLOW_DAYS = 200, 400
LINK = 0.5
"""Correlation of the shocks of linked series; of a slow part, the share of the variance that it is."""
LEVEL = 0.05
MOST_SETS, LEAST_FOUND, LEAST_SLOW = 0.05, 0.95, 0.75
SLOW = "slow part in common"
LARGE, MOST_SECONDS = 1_000, 1.5
"""Series with 499,500 pairs, and the target for the CPU seconds that they take."""
_SEASON, _STEP_DAY = 7, 120
_ROUNDS = 3


@dataclass(frozen=True)
class Sample:
    """One set: `values` of shape (series, days). Series 2 k + 1 follows series 2 k by `lags[k]` days; the others are
    independent. `target` is the least share of links to be found."""

    kind: str
    values: FloatArray
    lags: tuple[int, ...] = ()
    target: float = np.nan


def samples(count: int, seed: int) -> Iterator[Sample]:
    """`count` sets of each kind, those without links first."""
    for place, (kind, independent) in enumerate(_INDEPENDENT.items()):
        random = np.random.default_rng([seed, place])
        for _ in range(count):
            yield Sample(kind, independent(random))
    for place, (correlation, lags) in enumerate(((0.6, (0,)), (0.6, (1,)), (0.6, (2, 3, 4, 5, 6)), (0.9, (0,)))):
        random = np.random.default_rng([seed, len(_INDEPENDENT) + place])
        about = f"{lags[0]} to {lags[-1]}" if len(lags) > 1 else f"{lags[0]}"
        for _ in range(count):
            yield _linked(random, f"AR {correlation}, lag {about}".replace("0.", "."), correlation,
                          tuple(islice(cycle(lags), LINKS)))  # fmt: skip
    random = np.random.default_rng([seed, 99])
    for _ in range(count):
        yield _slow(random)


def _white(random: np.random.Generator) -> FloatArray:
    return random.standard_normal((SERIES, DAYS))


def _arma(random: np.random.Generator) -> FloatArray:
    noise = autoregressive(random.standard_normal((SERIES, DAYS + 1)), 0.7)
    return np.asarray(noise[:, 1:] + 0.4 * noise[:, :-1])


def _seasonal(random: np.random.Generator) -> FloatArray:
    phase = np.arange(DAYS) / _SEASON + random.random((SERIES, 1))
    return _white(random) + 1.5 * np.sin(2.0 * np.pi * phase)


def _stepped(random: np.random.Generator) -> FloatArray:
    sizes = random.choice([-1.0, 1.0], (SERIES, 1)) * random.uniform(4.0, 9.0, (SERIES, 1))
    return _white(random) + sizes * (np.arange(DAYS) >= _STEP_DAY)


_INDEPENDENT: dict[str, Callable[[np.random.Generator], FloatArray]] = {
    "white": _white,
    "random walks": lambda random: _white(random).cumsum(axis=1),
    "own trends": lambda random: _white(random) + random.standard_normal((SERIES, 1)) * np.linspace(0.0, 10.0, DAYS),
    "ARMA(1,1) .7, .4": _arma,
    "AR .9": lambda random: autoregressive(_white(random), 0.9),
    "weekly seasons": _seasonal,
    "steps on one day": _stepped,
}


def _linked(random: np.random.Generator, kind: str, correlation: float, lags: tuple[int, ...]) -> Sample:
    """Shocks of each pair with LINK in common, the second `lag` days later, in autoregressive noise."""
    shocks = random.standard_normal((SERIES, DAYS + LAGS))
    early, late = shocks[: 2 * LINKS : 2], shocks[1 : 2 * LINKS : 2]
    late[:] = LINK * early + np.sqrt(1.0 - LINK**2) * late
    noise = autoregressive(shocks, correlation)
    starts = np.full(SERIES, LAGS)
    starts[1 : 2 * LINKS : 2] -= lags
    values = noise[np.arange(SERIES)[:, None], starts[:, None] + np.arange(DAYS)]
    return Sample(kind, values, lags, LEAST_FOUND)


def _slow(random: np.random.Generator) -> Sample:
    """White noise, of which each pair has one slow part in common, AR .95 and as large as the noise."""
    values = random.standard_normal((SERIES, SLOW_DAYS))
    slow = autoregressive(random.standard_normal((LINKS, SLOW_DAYS)), 0.95)
    values[: 2 * LINKS] += np.repeat(slow, 2, axis=0)
    return Sample(SLOW, values, (0,) * LINKS, LEAST_SLOW)


# Methods: of each pair of series, in the order of np.triu_indices, the q-value and the lag in days


def _ours(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    found = correlate(_panel(values))
    q_values, lags = np.full((2, SERIES, SERIES), np.nan)
    first, second = (found[name].astype(int) for name in ("metric_a", "metric_b"))
    q_values[first, second], lags[first, second] = found["q_value"], found["lag"]
    pairs = np.triu_indices(SERIES, 1)
    return q_values[pairs], lags[pairs]


def _customary(method: str) -> Callable[[FloatArray], tuple[FloatArray, FloatArray]]:
    def correlated(values: FloatArray) -> tuple[FloatArray, FloatArray]:
        rho = _panel(values).corr(method=method).to_numpy()[np.triu_indices(SERIES, 1)]
        freedom = values.shape[1] - 2
        # What scipy.stats.pearsonr and spearmanr give, for all pairs at once.
        p_values = 2.0 * stats.t.sf(np.abs(rho) * np.sqrt(freedom / (1.0 - rho**2)), freedom)
        return np.asarray(stats.false_discovery_control(p_values)), np.zeros(rho.size)

    return correlated


METHODS: dict[str, Callable[[FloatArray], tuple[FloatArray, FloatArray]]] = {
    OURS: _ours,
    "Pearson": _customary("pearson"),
    "Spearman": _customary("spearman"),
}


def _panel(values: FloatArray) -> pd.DataFrame:
    return pd.DataFrame(values.T, columns=[f"{place:03}" for place in range(len(values))])


def evaluate_links(count: int, seed: int) -> pd.DataFrame:
    """One row a set and method: kind, method, target, links (planted), found and lag_right (of the links, those called
    significant, and those of them whose lag is right), false (other pairs called significant), pairs (the others)."""
    rows = []
    first, second = np.triu_indices(SERIES, 1)
    kind = ""
    for sample in samples(count, seed):
        if sample.kind != kind:
            kind = sample.kind
            print(f"  correlations: {kind}", flush=True)
        planted = (first % 2 == 0) & (second == first + 1) & (first < 2 * len(sample.lags))
        for name, method in METHODS.items():
            q_values, lags = method(sample.values)
            # A pair that a method declines to judge has no q-value, which is not called significant.
            significant = q_values <= LEVEL
            right = significant[planted] & (lags[planted] == np.array(sample.lags))
            found = int(significant[planted].sum()), int(right.sum()), int(significant[~planted].sum())
            rows.append((kind, name, sample.target, len(sample.lags), *found, int((~planted).sum())))
    names = ["kind", "method", "target", "links", "found", "lag_right", "false", "pairs"]
    return pd.DataFrame(rows, columns=names)


def evaluate_cost(seed: int, series: int = LARGE) -> pd.DataFrame:
    """One row a round: CPU seconds of all pairs of `series` of DAYS values, and of numpy's corrcoef of them."""
    values = np.random.default_rng([seed, 100]).standard_normal((series, DAYS))
    panel = _panel(values)
    rows = []
    for _ in range(_ROUNDS):
        started = time.process_time()
        correlate(panel)
        between = time.process_time()
        np.corrcoef(values)
        rows.append((between - started, time.process_time() - between))
    return pd.DataFrame(rows, columns=["seconds", "corrcoef_seconds"])


def checks(links: pd.DataFrame, cost: pd.DataFrame) -> list[Check]:
    own = links[links["method"] == OURS]
    seconds = Check("CPU seconds of 499,500 pairs", exactly(float(cost["seconds"].median())), "at most", MOST_SECONDS)
    return [*chain.from_iterable(_judged(str(kind), sets) for kind, sets in own.groupby("kind", sort=False)), seconds]


def _judged(kind: str, sets: pd.DataFrame) -> list[Check]:
    if not sets["links"].any():
        return [Check(f"sets with a false link: {kind}", _sets_with_any(sets), "at most", MOST_SETS)]
    target = float(sets["target"].iloc[0])
    found = Check(f"found: {kind}", _share(sets, "found"), "at least", target)
    if kind == SLOW:
        # A slow part is much the same a few days later.
        return [found]
    return [found, Check(f"found with the right lag: {kind}", _share(sets, "lag_right"), "at least", target)]


def _mean_number(sets: pd.DataFrame) -> Estimate:
    mean = mean_of(sets["false"])
    return Estimate(mean.value, max(mean.low, 0.0), mean.high)


def _sets_with_any(sets: pd.DataFrame) -> Estimate:
    return share_of(int((sets["false"] > 0).sum()), len(sets))


def _share(sets: pd.DataFrame, column: str) -> Estimate:
    return share_of(int(sets[column].sum()), int(sets["links"].sum()))


def chapter(links: pd.DataFrame, cost: pd.DataFrame, seed: int) -> list[str]:
    judged = checks(links, cost)
    marks = {check.what: mark(check) for check in judged}
    false, found = [], []
    for kind, sets in links.groupby("kind", sort=False):
        by_method = [sets[sets["method"] == method] for method in METHODS]
        if not sets["links"].any():
            means = [number(_mean_number(own)) for own in by_method]
            shares = [percent(_sets_with_any(own)) for own in by_method]
            false.append([str(kind), means[0], shares[0] + marks[f"sets with a false link: {kind}"],
                          *chain.from_iterable(zip(means[1:], shares[1:], strict=True))])  # fmt: skip
            continue
        right = percent(_share(by_method[0], "lag_right")) + marks.get(f"found with the right lag: {kind}", "")
        seen = [percent(_share(own, "found")) for own in by_method]
        others = [number(exactly(own["false"].mean())) for own in by_method]
        goal = f"at least {100 * sets['target'].iloc[0]:.0f}"
        found.append([str(kind), goal, seen[0] + marks[f"found: {kind}"], right, *seen[1:], *others])
    seconds, ratio = cost["seconds"].median(), (cost["seconds"] / cost["corrcoef_seconds"]).median()
    peers = list(METHODS)[1:]
    return [
        "## Correlations",
        "",
        f"Pairs called significant (q at most {LEVEL:g}) in {int(links.groupby(['kind', 'method']).size().max())} sets "
        f"a kind of {SERIES} series; seed {seed}. {OURS} is `correlate` with its {LAGS} lags either way. Pearson and "
        "Spearman are the correlations of pandas at lag 0 with scipy's p-values and Benjamini-Hochberg procedure, on "
        "the values as they are.",
        "",
        f"Independent series of {DAYS} days: mean number of the 990 pairs of a set that are called significant, with "
        "its normal 95 % interval, and per cent of the sets that have any, with its Wilson interval (target: at most "
        f"{100 * MOST_SETS:.0f}). Own trends have slopes of their own, weekly seasons phases of their own; steps of 4 "
        "to 9 standard deviations come to all series on the same day, which is no link.",
        "",
        *table(
            ["series", f"{OURS}: number", "sets with any",
             *chain.from_iterable((f"{peer}: number", "sets with any") for peer in peers)],
            false,
        ),
        f"Sets with {LINKS} linked pairs among the 990: per cent of the links that are found, and that are found with "
        "the right lag (a slow part has no target for it), 95 % Wilson intervals. The shocks of linked series have a "
        f"correlation of {LINK:g}, over {DAYS} days; the slow part is an AR .95 as large as each series' own white "
        f"noise, over {SLOW_DAYS} days. The last columns are the mean number of other pairs that are called "
        "significant in a set; the false-discovery rate allows for about one of them with every nineteen true links.",
        "",
        *table(
            ["links", "target", OURS, "with the right lag", *peers, *(f"others, {name}" for name in METHODS)], found
        ),
        f"All 499,500 pairs of {LARGE:,} series of {DAYS} days take {seconds:.2f} s of CPU, the median of {_ROUNDS} "
        f"rounds (target: at most {MOST_SECONDS}){marks['CPU seconds of 499,500 pairs']}: {ratio:,.0f} times that of "
        "one numpy `corrcoef` of the same matrix, which looks at one lag and gives no p-values.",
        "",
        met(judged),
        "",
    ]  # fmt: skip
