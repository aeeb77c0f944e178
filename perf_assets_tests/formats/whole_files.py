"""A whole small file of each format, as the tests of the formats have them."""

from __future__ import annotations

import importlib
import pkgutil

import perf_assets_tests.formats as tests

_OWN = {
    "github-action-benchmark": b"window.BENCHMARK_DATA = "
    b'{"entries": {"s": [{"commit": {"id": "c"}, "date": 1700000000000,'
    b'"tool": "cargo", "benches": [{"name": "a", "value": 1.5, "unit": "ns", "range": "1"}]}]}}',
    "scenario-runs": b'{"results": [{"scenario": "a", "overmindDurationMs": 5, "riskCount": 0, "runId": "x"}]}',
    "long-table-csv": b'timestamp,metric_name,metric_value,context_data\n1700000000,a,1.5,"{""b"": 1}"\n2,a,1,\n',
    "long-table-jsonl": b'{"timestamp": 1700000000, "metric_name": "a", "metric_value": "1",'
    b' "context_data": {"b": [1]}}\n',
}
_USES_THESE = "test_recognition"


def whole_files() -> dict[str, bytes]:
    """A whole file of each format, by the name of the module whose tests have it."""
    found = dict(_OWN)
    for module in pkgutil.iter_modules(tests.__path__):
        if module.name.startswith("test_") and module.name != _USES_THESE:
            content = getattr(importlib.import_module(f"{tests.__name__}.{module.name}"), "WHOLE", None)
            if content is not None:
                found[module.name.removeprefix("test_")] = content
    return found
