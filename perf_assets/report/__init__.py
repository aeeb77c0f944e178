"""What people see of a run: charts, the report page, the report in the terminal.

Belongs here: pictures and words from finished tables. Does not belong here: statistics, decisions, storage.
"""
