"""Acknowledgements, deliveries, epochs and anchors.

Tables that are there stay: state files were written before versions were kept, some of them without `epochs`.
"""

from __future__ import annotations

from alembic import op
from sqlalchemy import CheckConstraint, Column, DateTime, Integer, Text

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "acknowledgements",
        Column("finding_id", Text, primary_key=True),
        Column("acknowledged_by", Text, nullable=False),
        Column("acknowledged_at", DateTime, nullable=False),
        Column("note", Text, nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "deliveries",
        Column("alert_id", Text, primary_key=True),
        Column("channel", Text, primary_key=True),
        Column("status", Text, nullable=False),
        Column("attempts", Integer, nullable=False),
        Column("first_tried_at", DateTime, nullable=False),
        Column("claimed_at", DateTime, nullable=False),
        Column("sent_at", DateTime),
        Column("receipt", Text),
        Column("error", Text),
        Column("digest_id", Text),
        CheckConstraint("status IN ('sending', 'sent', 'failed')", name="known_status"),
        if_not_exists=True,
    )
    op.create_table(
        "epochs",
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
        if_not_exists=True,
    )
    op.create_table(
        "regression_anchors",
        Column("series_id", Text, primary_key=True),
        Column("first_bad_run", Text, primary_key=True),
        Column("part_of_day", Text, primary_key=True),
        Column("kind", Text, primary_key=True),
        Column("regression_id", Text, nullable=False),
        Column("low_ts", DateTime, nullable=False),
        Column("high_ts", DateTime, nullable=False),
        Column("confirmed_at", DateTime, nullable=False),
        if_not_exists=True,
    )
