"""State as it was written before versions were kept."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import URL, create_engine, make_url

TABLES = {
    "acknowledgements": """
        finding_id TEXT NOT NULL, acknowledged_by TEXT NOT NULL, acknowledged_at DATETIME NOT NULL,
        note TEXT NOT NULL, PRIMARY KEY (finding_id)""",
    "deliveries": """
        alert_id TEXT NOT NULL, channel TEXT NOT NULL, status TEXT NOT NULL, attempts INTEGER NOT NULL,
        first_tried_at DATETIME NOT NULL, claimed_at DATETIME NOT NULL, sent_at DATETIME, receipt TEXT, error TEXT,
        digest_id TEXT, PRIMARY KEY (alert_id, channel),
        CONSTRAINT known_status CHECK (status IN ('sending', 'sent', 'failed'))""",
    "epochs": """
        epoch_id TEXT NOT NULL, starts_at DATETIME NOT NULL, reason TEXT NOT NULL, declared_by TEXT NOT NULL,
        declared_at DATETIME NOT NULL, project TEXT, node_id TEXT, node_type TEXT, test_name TEXT, metric TEXT,
        PRIMARY KEY (epoch_id)""",
    "regression_anchors": """
        series_id TEXT NOT NULL, first_bad_run TEXT NOT NULL, part_of_day TEXT NOT NULL, kind TEXT NOT NULL,
        regression_id TEXT NOT NULL, low_ts DATETIME NOT NULL, high_ts DATETIME NOT NULL,
        confirmed_at DATETIME NOT NULL, PRIMARY KEY (series_id, first_bad_run, part_of_day, kind)""",
}
ROW = "INSERT INTO acknowledgements VALUES ('42', 'ada', '2026-09-10 12:00:00.000000', 'known')"


def write_unversioned(url: str | URL, tables: dict[str, str] = TABLES) -> None:
    """Create these tables, with one acknowledgement where there is a table for it."""
    engine = create_engine(url)
    if engine.dialect.name == "sqlite":
        Path(make_url(url).database or "").parent.mkdir(parents=True, exist_ok=True)
    time = "DATETIME" if engine.dialect.name == "sqlite" else "TIMESTAMP"
    with engine.begin() as connection:
        for name, columns in tables.items():
            connection.exec_driver_sql(f"CREATE TABLE {name} ({columns.replace('DATETIME', time)})")
        if "acknowledgements" in tables:
            connection.exec_driver_sql(ROW)
    engine.dispose()
