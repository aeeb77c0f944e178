"""The `perf-assets` command.

Belongs here: arguments, exit codes, what is printed. Does not belong here: anything another room could do. Reads
snapshots, writes landing and state; runs are Dagster jobs.
"""
