"""Performance of test fleets and benchmarks as Dagster data assets.

The functions for programs are `analyze_performance_trend`, `analyze_metric_correlations`, `train_predictive_model` and
`predict_future_performance`; `PerfSource` is a component for Dagster projects.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from perf_assets.components import PerfSource
    from perf_assets.predictions import predict_future_performance, train_predictive_model
    from perf_assets.queries import analyze_metric_correlations, analyze_performance_trend

__version__ = "0.1.0"

__all__ = [
    "PerfSource",
    "analyze_metric_correlations",
    "analyze_performance_trend",
    "predict_future_performance",
    "train_predictive_model",
]


def __getattr__(name: str) -> object:
    """What is public, each imported when it is asked for: the command needs none of it."""
    if name == "PerfSource":
        from perf_assets.components import PerfSource

        return PerfSource
    if name.startswith("analyze_") and name in __all__:
        from perf_assets import queries

        return getattr(queries, name)
    if name in __all__:
        from perf_assets import predictions

        return getattr(predictions, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """What is here, and the component, for which Dagster looks among these names; the functions would take seconds."""
    return sorted({*globals(), "PerfSource"})
