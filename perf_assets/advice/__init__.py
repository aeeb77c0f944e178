"""Decisions from findings: node scores, recommendations, the schedule plan, and what to read first.

Belongs here: pure functions from finding tables to advice tables. Does not belong here: statistics, storage, sending.
"""
