"""Forecasts of every series of a fleet, by a pool of methods that are computed for all series at once.

Belongs here: how a history becomes a mean and intervals. When a limit will be crossed is in `breach`. A history becomes
rectangles of values (`grids`), each method forecasts them from several origins (`members`), the methods are weighted by
how they did (`weights`), and the errors of the weighted forecast give the intervals (`intervals`).
"""

from perf_assets.analysis.forecasts.pool import Forecasts, forecast, forecast_fleet

__all__ = ["Forecasts", "forecast", "forecast_fleet"]
