"""How figures, times and findings are written for people, wherever they are read.

Belongs here: digits, units, dates, and sentences that more than one reader shows. Does not belong here: deciding what
is shown, and how it looks. Imports no other part of the project.
"""
