"""Dagster: assets, checks, jobs, schedules, sensors, resources. Thin: no formula, no SQL beyond reading tables.

An asset reads tables, calls one function of analysis or advice, writes tables, and reports what it did as metadata.
"""
