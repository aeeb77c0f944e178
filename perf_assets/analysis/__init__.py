"""Statistics: arrays and tables in, tables out.

Belongs here: every formula. Does not belong here: Dagster, databases, files, clocks, the network.
"""
