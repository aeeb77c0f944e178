"""Views of the warehouse: which series and measurements are analysed, and the wide table of the specification."""

from __future__ import annotations


def fits(declared: str, series: str) -> str:
    """SQL that says whether a row of `declared` (an incident, an epoch) is about a row of `series`."""
    narrowing = ("project", "node_id", "node_type", "test_name", "metric")
    return " AND ".join(
        f"coalesce({declared}.{name} = {series}.{name}, {declared}.{name} IS NULL)" for name in narrowing
    )


VIEWS = (
    # Sample data is for the first look only: once there are results of one's own, it is left out.
    """CREATE OR REPLACE VIEW analysed_series AS
    SELECT * FROM series WHERE NOT sample OR NOT EXISTS (SELECT 1 FROM series WHERE NOT sample)""",
    # Results of short-lived branches form no series, nor do those that name no branch of a run that is there on such
    # a one.
    """CREATE OR REPLACE VIEW series_runs AS
    SELECT r.* FROM runs r WHERE r.on_series_branch AND (r.branch IS NOT NULL OR NOT EXISTS (
      SELECT 1 FROM runs o WHERE NOT o.on_series_branch AND o.project = r.project AND o.run_key = r.run_key
        AND o.attempt = r.attempt))""",
    # Of several attempts at a run the last one counts. Few runs are repeated, so that only their measurements are
    # compared.
    """CREATE OR REPLACE VIEW series_measurements AS
    WITH repeated AS (
      SELECT run_id, project, run_key, attempt FROM series_runs
      QUALIFY count(*) OVER (PARTITION BY project, run_key) > 1
    ), superseded AS (
      SELECT m.series_id, m.run_id FROM measurements m JOIN repeated r USING (run_id)
      QUALIFY r.attempt < max(r.attempt) OVER (PARTITION BY m.series_id, r.project, r.run_key)
    )
    SELECT m.series_id, m.run_id, m.ts, m.value FROM measurements m
    SEMI JOIN analysed_series s ON s.series_id = m.series_id
    SEMI JOIN series_runs r ON r.run_id = m.run_id
    ANTI JOIN superseded d ON d.series_id = m.series_id AND d.run_id = m.run_id""",
    f"""CREATE OR REPLACE VIEW incident_series AS
    SELECT s.series_id, i.incident_id, i.starts_at, i.ends_at FROM incidents i JOIN analysed_series s
    ON {fits("i", "s")}""",  # noqa: S608 - an expression of this module
    # What a declared incident explains is a gap: neither a finding nor part of what is usual. What lies before an
    # epoch is history that nothing is compared with.
    """CREATE OR REPLACE VIEW analysed_measurements AS
    SELECT m.series_id, m.run_id, m.ts, m.value FROM series_measurements m ANTI JOIN incident_series i
    ON i.series_id = m.series_id AND m.ts >= i.starts_at AND m.ts < i.ends_at
    ANTI JOIN series_epochs e ON e.series_id = m.series_id AND m.ts < e.starts_at""",
    """CREATE OR REPLACE VIEW performance_metrics AS
    SELECT md5_number_lower(concat_ws('/', m.series_id, m.run_id)) AS id, m.ts AS timestamp,
      s.metric AS metric_name, m.value AS metric_value, s.test_name, s.test_type, coalesce(s.node_id, d.node_name)
      AS node_id, s.node_type, r.run_key AS test_run_id, r.ci_job_id,
      nullif(coalesce(d.context, r.context), '{}') :: JSON AS context_data
    FROM measurements m JOIN analysed_series s USING (series_id) JOIN runs r USING (run_id)
    LEFT JOIN measurement_details d ON d.series_id = m.series_id AND d.run_id = m.run_id""",
)
