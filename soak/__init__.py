"""Fuzzing of all parsers for as long as one likes: `make soak`.

Belongs here: what the fuzzer begins with, what counts as a failure, and watching over its processes. Does not belong
here: tests of what a parser reads, which are in perf_assets_tests.
"""
