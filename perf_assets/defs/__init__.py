"""Dagster: assets, checks, jobs, schedules, sensors, resources. Thin: no formula, no SQL beyond reading tables.

An asset reads tables, calls one function of analysis or advice, writes tables, and reports what it did as metadata.
"""

import warnings

from dagster import BetaWarning

# All of it runs in one process for many partitions; that the parameter may change in a minor version is known, and
# constraints.txt holds the version.
warnings.filterwarnings("ignore", message="Parameter `backfill_policy`", category=BetaWarning)
