"""Tables of the state store, in what SQLite and Postgres share. All times are UTC without a zone, all ids text.

A change here needs a new version, or databases that exist lack it: migrating.py says how.
"""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, DateTime, Integer, MetaData, Table, Text

metadata = MetaData()

acknowledgements = Table(
    "acknowledgements",
    metadata,
    Column("finding_id", Text, primary_key=True),
    Column("acknowledged_by", Text, nullable=False),
    Column("acknowledged_at", DateTime, nullable=False),
    Column("note", Text, nullable=False),
)
"""One row a finding that somebody has taken note of; the latest word wins."""

deliveries = Table(
    "deliveries",
    metadata,
    Column("alert_id", Text, primary_key=True),
    Column("channel", Text, primary_key=True),
    Column("status", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("first_tried_at", DateTime, nullable=False),
    # When the running attempt took the row; a crashed attempt is known by the age of its claim.
    Column("claimed_at", DateTime, nullable=False),
    Column("sent_at", DateTime),
    Column("receipt", Text),
    Column("error", Text),
    # Alerts once gathered in a digest stay in it, so that a repeat is one message and not hundreds.
    Column("digest_id", Text),
    CheckConstraint("status IN ('sending', 'sent', 'failed')", name="known_status"),
)
"""One row an alert and channel; only 'sent' means that it need not be sent again."""

epochs = Table(
    "epochs",
    metadata,
    Column("epoch_id", Text, primary_key=True),
    Column("starts_at", DateTime, nullable=False),
    Column("reason", Text, nullable=False),
    Column("declared_by", Text, nullable=False),
    Column("declared_at", DateTime, nullable=False),
    Column("project", Text),
    Column("node_id", Text),
    Column("node_type", Text),
    Column("test_name", Text),
    Column("metric", Text),
)
"""One row an epoch declared on the command line or by a CI step; the same one again is the same row."""

regression_anchors = Table(
    "regression_anchors",
    metadata,
    Column("series_id", Text, primary_key=True),
    Column("first_bad_run", Text, primary_key=True),
    # Empty where the change holds all day: a key column cannot be null.
    Column("part_of_day", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("regression_id", Text, nullable=False),
    Column("low_ts", DateTime, nullable=False),
    Column("high_ts", DateTime, nullable=False),
    Column("confirmed_at", DateTime, nullable=False),
)
"""One row a confirmed change of one series: the id it was given first, and the interval in which it began."""
