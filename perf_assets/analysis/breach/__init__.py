"""When the level of a series, or a single value of it, passes a limit, and how likely that is.

Belongs here: what a series may be doing (a level, a leak, a leak that flattens, a step, a restart now and then),
courses that it may take from here, and what they say of a limit. Forecasts of all series are in `forecasts`.
"""

from perf_assets.analysis.breach.limits import with_baselines
from perf_assets.analysis.breach.outlook import BREACH_COLUMNS, COURSE_COLUMNS, DAYS, SIDES, Outlook, breach_outlook

__all__ = ["BREACH_COLUMNS", "COURSE_COLUMNS", "DAYS", "SIDES", "Outlook", "breach_outlook", "with_baselines"]
