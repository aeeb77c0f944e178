"""What the fuzzer begins with: whole files of the tests, and pieces of text that parsers stumble over."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator

from perf_assets.formats import formats
from perf_assets.formats.head import Head
from perf_assets_tests.formats import (
    test_asv,
    test_conbench,
    test_criterion,
    test_github_actions,
    test_gitlab_ci,
    test_google_benchmark,
    test_jenkins,
    test_k6,
    test_locust,
    test_long_table,
    test_opening,
    test_otlp,
    test_perfherder,
    test_vitest,
)
from perf_assets_tests.formats.whole_files import whole_files
from soak.parsers import SEPARATOR, joined, parsers

_TOKENS = (
    *b'{ } [ ] : , " \' \\ ; | null true false "" [[[[[[[[ ]]]]]]]] {"":{"":{"":'.split(),
    *b"NaN Infinity -Infinity nan inf -0.0 -1 0 1.5 1e308 1e309 -1e999 1e-400 1e11 1e17 1e18 0x10 1_000".split(),
    *b"% ms MB/s 9223372036854775807 9223372036854775808 -9223372036854775809 \\ud800 \\udfff \\u0000".split(),
    *b"2026-09-01T08:00:00Z 2026-02-30 1970-01-01 0001-01-01T00:00:00+23:59 9999-12-31T23:59:59-23:59 +14:00".split(),
    *b"< > /> </ <![CDATA[ ]]> <!-- --> <?xml <!DOCTYPE &amp; &#x0; &#xD800; xmlns=''".split(),
    *(b"\n", b"\r", b"\r\n", b"\t", b"\x00", b"\x1b[0m", b"<!ENTITY a '&b;'>", b"9" * 25, b"9" * 60),
    *(
        b"\xed\xa0\x80",
        b"\xff",
        b"\xc3",
        b"\xef\xbb\xbf",
        b"\xff\xfe",
        b"\xfe\xff",
        b"\xf0\x9f\x98\x80",
        b"\xe2\x80\xa8",
    ),
    SEPARATOR,
)
_WORD = re.compile(rb"[\w./-]{2,60}")
_MOST_WORDS = 500


def seeds() -> dict[str, list[bytes]]:
    """Inputs to begin with, by parser. A format without whole files of its own has those of all others."""
    by_format: dict[str, list[bytes]] = defaultdict(list)
    for content in (*whole_files().values(), *_further()):
        head = Head(content)
        by_format[next(format.name for format in formats() if format.recognises(head))].append(content)
    everything = [content for contents in by_format.values() for content in contents]
    own = {"archives": list(_archives()), "recognition": everything, **by_format}
    return {name: own.get(name, everything) for name in parsers()}


def tokens(contents: Iterable[bytes]) -> str:
    """A dictionary for libFuzzer: what parsers stumble over, and the words of these files."""
    words = dict.fromkeys(word for content in contents for word in _WORD.findall(content))
    written = ("".join(f"\\x{byte:02x}" for byte in token) for token in (*_TOKENS, *list(words)[:_MOST_WORDS]))
    return "".join(f'"{token}"\n' for token in written)


def _further() -> Iterator[bytes]:
    """Whole files in the other forms that a format has."""
    yield test_github_actions.runs_page(test_github_actions.run())
    yield json.dumps(test_github_actions.run()).encode()
    yield test_gitlab_ci.document([test_gitlab_ci.pipeline()])
    yield test_jenkins.document(test_jenkins.pipeline(test_jenkins.stage()))
    yield test_k6.flat(vus={"value": 1}, my_trend={"med": 1.0})
    yield test_k6.summary({"name": "m", **test_k6.metric()})
    yield test_locust.table(test_locust.current(), test_locust.current(1_788_242_500))
    yield test_google_benchmark.written(test_google_benchmark.row(), test_google_benchmark.aggregate("median"))
    yield test_criterion.message().encode()
    yield joined(test_criterion.estimates(), test_criterion.described(), test_criterion.sampled())
    yield test_asv.old_results_of({"sort.time_quick": 0.5})
    benchmarks = test_asv.described(**{"sort.time_quick": {"name": "sort.time_quick", "unit": "seconds"}})
    yield joined(test_asv.WHOLE, benchmarks, json.dumps(test_asv.MACHINE).encode())
    yield test_conbench.flattened(test_conbench.result())
    yield test_perfherder.log(test_perfherder.data(test_perfherder.suite(test_perfherder.subtest())))
    yield test_vitest.printed({"Task name": "a", **test_vitest.NOW}).encode()
    points = test_otlp.at(10, since=0, **test_otlp.counts(5, 5, 0, total=10.0))
    yield test_otlp.lines(test_otlp.export(test_otlp.histogram(points)))
    yield test_long_table.parquet()
    yield test_long_table.parquet(context_data=['{"a": 1}'], attempt=[2], region=["eu"])
    yield test_long_table.arrow(context_data=[{"a": 1}])


def _archives() -> Iterator[bytes]:
    import bz2
    import gzip
    import lzma

    files = test_opening.RESULTS
    for pack in (test_opening.zipped, test_opening.tarred):
        yield pack(files)
        yield pack({"inner.zip": test_opening.zipped(files), "inner.gz": gzip.compress(test_opening.LINE)})
    for compress in (gzip.compress, bz2.compress, lzma.compress):
        yield compress(test_opening.LINE)
        yield compress(test_opening.tarred(files))
    yield test_opening.LINE
