"""A test fleet with planted events and their truth, for the sample and for the evaluation.

Belongs here: making data. Does not belong here: anything that looks at data.
"""

from perf_assets.simulation.fleet import PROJECT, Event, Fleet, simulate_fleet, write_fleet

__all__ = ["PROJECT", "Event", "Fleet", "simulate_fleet", "write_fleet"]
