"""From landed files to facts: many files in one transaction, duplicates, quarantine.

Of several reports of one measurement one stays, whatever the order of arrival and however they are spread over files,
and a different value goes to quarantine: a time of its own goes before the time of receipt, the earlier receipt before
the later, then a hash of the content decides.

The way of a group of files is a line of modules: `load` (the order of the steps), `group` (reading), `stage` (where
the rows wait), `identification`, `quarantine`, `repetitions`, `admission`, `settlement`, `storing`. Their SQL is in
`sql`, a file a step, each with a comment that names the tables it reads and writes. Beside the way: `identity` (ids),
`rules` (settings that decide how results are stored) and `registration` (which files have been loaded).
"""

from perf_assets.warehouse.loading.load import load_files
from perf_assets.warehouse.loading.registration import follow_rules, forget_files, not_loaded, record_files
from perf_assets.warehouse.loading.rules import Rules
from perf_assets.warehouse.loading.storing import Loaded

__all__ = ["Loaded", "Rules", "follow_rules", "forget_files", "load_files", "not_loaded", "record_files"]
