"""Tables as analysis and advice want them, read by SQL from the facts and findings."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import pandas as pd
from duckdb import DuckDBPyConnection

from perf_assets.analysis.environments import RUNNER_IMAGE_NAMES
from perf_assets.analysis.group_shifts import FEWEST_VALUES, MOST_VALUES


def scenario_runs(con: DuckDBPyConnection) -> pd.DataFrame:
    """Scenario runs: project, run_id, scenario, ts, duration (s), nodes, edges, observations, risks; NaN is missing."""
    return con.execute(
        """SELECT s.project, m.run_id, s.test_name AS scenario, max(m.ts) AS ts,
          max(m.value) FILTER (s.metric = 'scenario_duration') AS duration,
          max(m.value) FILTER (s.metric = 'blast_radius_nodes') AS nodes,
          max(m.value) FILTER (s.metric = 'blast_radius_edges') AS edges,
          max(m.value) FILTER (s.metric = 'observations') AS observations,
          max(m.value) FILTER (s.metric = 'risk_count') AS risks
        FROM analysed_measurements m JOIN analysed_series s USING (series_id)
        WHERE s.metric IN ('scenario_duration', 'blast_radius_nodes', 'blast_radius_edges', 'observations',
        'risk_count')
        GROUP BY ALL ORDER BY s.project, scenario, m.run_id"""
    ).df()


def daily_metric_values(con: DuckDBPyConnection) -> pd.DataFrame:
    """Project, node_id (or 'whole project'), metric, day, value: one row a day and place.

    `value` is the median over the series of the day's mean as a share of the series' level, so that series of
    different size count alike; null where all levels are zero.
    """
    return con.execute(
        """WITH daily AS (SELECT s.project, s.node_id, s.metric, r.day, r.mean / nullif(abs(s.level), 0) AS value
          FROM metric_rollups r JOIN metric_series s USING (series_id))
        SELECT project, 'whole project' AS node_id, metric, day, median(value) AS value FROM daily GROUP BY ALL
        UNION ALL
        SELECT project, node_id, metric, day, median(value) FROM daily WHERE node_id IS NOT NULL GROUP BY ALL
        ORDER BY project, node_id, metric, day"""
    ).df()


def factor_cells(con: DuckDBPyConnection) -> pd.DataFrame:
    """project, metric, test_name, test_type, node_id, node_type, value: one row a series with values in the newest 14
    days of its project, their median. What a series does not have is missing."""
    return con.execute(
        """SELECT s.project, s.metric, s.test_name, s.test_type, s.node_id, s.node_type, median(b.value) AS value
        FROM series_buckets b JOIN metric_series s USING (series_id) WHERE b.ts > s.as_of - INTERVAL 14 DAY
        GROUP BY s.series_id, s.project, s.metric, s.test_name, s.test_type, s.node_id, s.node_type
        ORDER BY s.series_id"""
    ).df()


def node_readings(con: DuckDBPyConnection) -> pd.DataFrame:
    """project, node_id, series_id, metric, ts, value: what nodes report of themselves, a grid of time for each node.

    The grid is as wide as three quarters of the node's metrics allow; rarer ones are left out, others averaged.
    """
    return (
        con.execute(
            """WITH own AS (SELECT * FROM metric_series WHERE node_id IS NOT NULL AND test_name IS NULL),
        grids AS (SELECT project, node_id, quantile_disc(bucket_seconds, 0.75) AS width FROM own GROUP BY ALL)
        SELECT s.project, s.node_id, s.series_id, any_value(s.metric) AS metric,
          time_bucket(to_seconds(g.width), b.ts, TIMESTAMP '1970-01-05') AS bucket, avg(b.value ORDER BY b.ts) AS value
        FROM own s JOIN grids g USING (project, node_id) JOIN series_buckets b USING (series_id)
        WHERE s.bucket_seconds <= g.width
        GROUP BY s.project, s.node_id, s.series_id, bucket ORDER BY s.project, s.node_id, s.series_id, bucket"""
        )
        .df()
        .rename(columns={"bucket": "ts"})
    )


def recent_averages(con: DuckDBPyConnection) -> pd.DataFrame:
    """series_id, average_7d, average_30d: means over the last days before the newest measurement, NaN without any."""
    # Exact sums: those of several threads would differ in the last digits from run to run.
    return con.execute(
        """SELECT series_id, favg(b.value) FILTER (b.ts > s.as_of - INTERVAL 7 DAY) AS average_7d,
          favg(b.value) AS average_30d
        FROM series_buckets b JOIN metric_series s USING (series_id) WHERE b.ts > s.as_of - INTERVAL 30 DAY
        GROUP BY series_id"""
    ).df()


def reporting(con: DuckDBPyConnection) -> pd.DataFrame:
    """series_id, project, title, test_name, node_id, last_seen, simulated, reports, lifetime_hours, silent_hours,
    longest_gap_hours: one row a series, in hours with runs of its kind (project, test type, suite, type of node).

    Incidents do not count as silence: what they leave out was measured.
    """
    return con.execute(_REPORTING).df()


_REPORTING = """
WITH kinds AS (
  SELECT s.series_id, hash(s.project, s.test_type, s.tags ->> '$.suite', s.node_type, s.test_name IS NULL) AS kind
  FROM analysed_series s JOIN metric_series USING (series_id)
), reports AS (
  SELECT DISTINCT kind, series_id, date_trunc('hour', ts) AS hour FROM series_measurements JOIN kinds USING (series_id)
), hours AS (
  SELECT kind, hour, row_number() OVER (PARTITION BY kind ORDER BY hour) AS place FROM (
    SELECT DISTINCT kind, hour FROM reports)
), ends AS (SELECT kind, max(place) AS last_place FROM hours GROUP BY kind),
placed AS (
  SELECT kind, series_id, place, place - lag(place, 1, place) OVER (PARTITION BY series_id ORDER BY place) AS gap
  FROM reports JOIN hours USING (kind, hour)
)
SELECT p.series_id, any_value(s.project) AS project, any_value(s.title) AS title, any_value(s.test_name) AS test_name,
  any_value(s.node_id) AS node_id, any_value(s.last_seen) AS last_seen, any_value(s.simulated) AS simulated,
  count(*) AS reports, max(place) - min(place) + 1 AS lifetime_hours,
  any_value(e.last_place) - max(place) AS silent_hours, greatest(max(gap) - 1, 0) AS longest_gap_hours
FROM placed p JOIN metric_series s USING (series_id) JOIN ends e USING (kind)
GROUP BY p.series_id ORDER BY p.series_id
"""


def newest_results(con: DuckDBPyConnection) -> pd.DataFrame:
    """project, origin, newest, longest_gap: a row for each project and one for each origin, the other being null.

    `newest` is the time of the newest measurement. `longest_gap`, of origins, is the longest time between two
    measurements of the four weeks before it, null where there is only one. The bundled sample is no result.
    """
    return con.execute(_NEWEST_RESULTS).df()


# Moments are told apart in the last four weeks only: over all of ten million measurements that took 10 s, not 0.3 s.
_NEWEST_RESULTS = """
WITH own AS (
  SELECT s.project, r.origin, max(m.ts) AS newest
  FROM measurements m JOIN series s USING (series_id) JOIN batches b USING (batch_id)
  LEFT JOIN raw_results r USING (content_hash)
  WHERE NOT b.sample GROUP BY ALL
), origins AS (
  SELECT origin, max(newest) AS newest FROM own WHERE origin IS NOT NULL GROUP BY origin
), moments AS (
  SELECT DISTINCT o.origin, m.ts
  FROM measurements m JOIN batches b USING (batch_id) JOIN raw_results r USING (content_hash)
  JOIN origins o ON o.origin = r.origin AND m.ts > o.newest - INTERVAL 28 DAY
  WHERE NOT b.sample
), gaps AS (
  SELECT origin, ts - lag(ts) OVER (PARTITION BY origin ORDER BY ts) AS gap FROM moments
)
SELECT project, NULL :: VARCHAR AS origin, max(newest) AS newest, NULL :: INTERVAL AS longest_gap
FROM own GROUP BY project
UNION ALL
SELECT NULL, origin, any_value(newest), max(gap) FROM origins JOIN gaps USING (origin) GROUP BY origin
ORDER BY project, origin
"""


_IMAGE = f"""list_filter(json_extract_string(context, {[f"$.{name}" for name in RUNNER_IMAGE_NAMES]}),
  lambda image: image <> '')[1]"""


def image_changes(con: DuckDBPyConnection) -> pd.DataFrame:
    """series_id, runner_image, since: measurements of a series on an image that it was not on at the moment before.

    What has a context of its own is on the image that this names, everything else on that of its run.
    """
    return con.execute(_IMAGE_CHANGES).df()


_IMAGE_CHANGES = f"""
WITH of_runs AS (SELECT run_id, {_IMAGE} AS image FROM runs WHERE contains(context, 'image')),
with_own AS (
  SELECT series_id, run_id, CASE WHEN contains(context, 'image') THEN {_IMAGE} END AS image FROM measurement_details
  WHERE context <> '{{}}'
), known AS (
  SELECT m.series_id, m.ts, r.image FROM analysed_measurements m JOIN of_runs r USING (run_id)
  ANTI JOIN with_own o ON o.series_id = m.series_id AND o.run_id = m.run_id
  UNION ALL
  SELECT m.series_id, m.ts, o.image FROM analysed_measurements m JOIN with_own o USING (series_id, run_id)
), moments AS (
  SELECT series_id, ts, min(image) AS lowest, max(image) AS highest, bit_or(hash(image)) AS others FROM known
  WHERE image IS NOT NULL GROUP BY series_id, ts
), beside_previous AS (
  SELECT series_id, ts, lag(ts) OVER own AS before, (lowest, highest, others) AS images,
    lag((lowest, highest, others)) OVER own AS previous
  FROM moments WINDOW own AS (PARTITION BY series_id ORDER BY ts)
), changed AS (SELECT series_id, ts, before FROM beside_previous WHERE images <> previous)
SELECT DISTINCT k.series_id, k.image AS runner_image, k.ts AS since
FROM changed c JOIN known k USING (series_id, ts)
ANTI JOIN known p ON p.series_id = c.series_id AND p.ts = c.before AND p.image = k.image
WHERE k.image IS NOT NULL ORDER BY series_id, since, runner_image
"""  # noqa: S608 - expressions of this module


def stretches(con: DuckDBPyConnection) -> pd.DataFrame:
    """series_id, since, until: from which measurement to which a series was measured without a long pause.

    A pause is long if it is over 36 hours and over three times what nine of ten distances of the series stay below,
    its longest left out.
    """
    return con.execute(_STRETCHES).df()


# Few series have pauses; the distances of the others need no order, and where no bucket is empty there is none.
_STRETCHES = """
WITH dense AS (
  SELECT series_id, first_seen, last_seen FROM metric_series
  WHERE observed_buckets = buckets AND 2 * bucket_seconds <= 36 * 3600
), steps AS MATERIALIZED (
  SELECT series_id, ts, epoch(ts - lag(ts) OVER (PARTITION BY series_id ORDER BY ts)) AS pause
  FROM analysed_measurements WHERE series_id NOT IN (SELECT series_id FROM dense)
), whole AS (
  SELECT series_id, min(ts) AS since, max(ts) AS until, max(pause) AS longest, count(pause) AS steps
  FROM steps GROUP BY series_id
), paused AS (
  SELECT s.series_id, s.ts, s.pause, w.longest, w.steps FROM steps s JOIN whole w USING (series_id)
  WHERE w.longest > 36 * 3600
), usual AS (
  SELECT series_id, coalesce(quantile_cont(pause, 0.9) FILTER (pause < longest OR steps >= 20), min(pause)) AS pause
  FROM paused WHERE steps > 1 GROUP BY series_id
), numbered AS (
  SELECT p.series_id, p.ts, count(*) FILTER (p.pause > greatest(3 * u.pause, 36 * 3600))
    OVER (PARTITION BY p.series_id ORDER BY p.ts) AS stretch
  FROM paused p LEFT JOIN usual u USING (series_id)
)
SELECT series_id, min(ts) AS since, max(ts) AS until FROM numbered GROUP BY series_id, stretch
UNION ALL SELECT series_id, since, until FROM whole WHERE longest IS NULL OR longest <= 36 * 3600
UNION ALL SELECT series_id, first_seen, last_seen FROM dense ORDER BY ALL
"""


def environments(con: DuckDBPyConnection) -> pd.DataFrame:
    """series_id, field, setting, since, position, stop, first, last: stretches of measurements of a series during which
    a field of the context has one setting, in order.

    `position` is the index of the first one, `stop` that after the last one, `first` and `last` are medians of the
    first and last ten values. Fields that have one setting in all of a project are left out, and those that in a series
    have another one at nearly every commit (or run, where no commit is known) or change at more than half of its
    measurements: they explain nothing.
    """
    return con.execute(_ENVIRONMENTS).df()


_FIELDS = """SELECT context, substr(told.fullkey, 3) AS field, told.atom ->> '$' AS setting
  FROM (SELECT DISTINCT context FROM {contexts} WHERE context <> '{{}}'), json_tree(context) AS told
  WHERE told.atom IS NOT NULL AND json_type(told.atom) <> 'NULL' AND told.atom ->> '$' <> ''"""
_ENVIRONMENTS = f"""
WITH own_contexts AS (SELECT series_id, run_id, context FROM measurement_details WHERE context <> '{{}}'),
contexts AS (SELECT context, project, run_id FROM runs UNION ALL
  SELECT o.context, r.project, o.run_id FROM own_contexts o JOIN runs r USING (run_id)),
fields AS MATERIALIZED ({_FIELDS.format(contexts="contexts")}),
varied AS (
  SELECT project, field FROM contexts JOIN fields USING (context) GROUP BY ALL HAVING count(DISTINCT setting) > 1
), placed AS (
  SELECT m.series_id, m.run_id, m.ts, m.value,
    row_number() OVER (PARTITION BY m.series_id ORDER BY m.ts, m.run_id) - 1 AS place,
    r.project, coalesce(r.commit_id, r.run_key) AS version, coalesce(o.context, r.context) AS context
  FROM analysed_measurements m JOIN runs r USING (run_id) LEFT JOIN own_contexts o USING (series_id, run_id)
  WHERE r.project IN (SELECT project FROM varied)
), known AS (
  SELECT p.series_id, f.field, f.setting, p.ts, p.value, p.place, p.version
  FROM placed p JOIN fields f USING (context) SEMI JOIN varied v ON v.project = p.project AND v.field = f.field
), telling AS (
  SELECT series_id, field FROM known GROUP BY ALL
  HAVING count(DISTINCT setting) BETWEEN 2 AND CASE count(DISTINCT version) WHEN 1 THEN count(*) / 2
    ELSE (count(DISTINCT version) + 1) / 2 END
), changed AS (
  SELECT *, setting IS DISTINCT FROM lag(setting) OVER own AS is_new
  FROM known SEMI JOIN telling USING (series_id, field)
  WINDOW own AS (PARTITION BY series_id, field ORDER BY place)
), numbered AS (
  SELECT *, count(*) FILTER (is_new) OVER (PARTITION BY series_id, field ORDER BY place) AS number FROM changed
), steady AS (
  SELECT series_id, field FROM numbered GROUP BY ALL HAVING max(number) <= greatest(2, count(*) / 2)
)
SELECT series_id, field, any_value(setting) AS setting, min(ts) AS since, min(place) AS position,
  max(place) + 1 AS stop, median(value) FILTER (from_first <= 10) AS first,
  median(value) FILTER (from_last <= 10) AS last
FROM (SELECT *, row_number() OVER (PARTITION BY series_id, field, number ORDER BY place) AS from_first,
    row_number() OVER (PARTITION BY series_id, field, number ORDER BY place DESC) AS from_last
  FROM numbered SEMI JOIN steady USING (series_id, field))
GROUP BY series_id, field, number ORDER BY series_id, field, position
"""  # noqa: S608 - expressions of this module


def findings(con: DuckDBPyConnection) -> pd.DataFrame:
    """The table regressions of this or an earlier version, which did not know `shape` (null here) and `restores`."""
    table = con.execute("SELECT * FROM regressions ORDER BY first_bad_at DESC, members DESC, regression_id").df()
    return table.assign(shape=table.get("shape"), restores=table.get("restores", False))


def steps_shown(con: DuckDBPyConnection) -> str:
    """A SELECT of series_id and changed_at: the steps behind which nothing may be fitted that claims to go on.

    Those are the changes beyond doubt that no drift looks like, and what a report shows as a step: of a finding, the
    members that no drift looks like, or all where the finding itself is a step, and the change that ended it. A drift
    is now and then taken for a step; the trend within half of it would be lost.
    """
    columns = {str(name) for name, *_ in con.execute("DESCRIBE regressions").fetchall()}
    return _STEPS_SHOWN.format(shape="shape" if "shape" in columns else "NULL")


_STEPS_SHOWN = """WITH shown AS (
    SELECT m.series_id, m.changed_at, {shape} AS shape FROM regression_members m JOIN regressions r USING
    (regression_id)
    UNION ALL SELECT series_id, recovered_at, {shape} FROM regressions WHERE recovered_at IS NOT NULL
  )
  SELECT DISTINCT c.series_id, c.changed_at FROM change_points c
  LEFT JOIN shown s ON s.series_id = c.series_id AND s.changed_at = c.changed_at
  WHERE c.sharp AND (c.confirmed OR s.series_id IS NOT NULL) OR s.shape = 'step'"""


def drifting_buckets(
    con: DuckDBPyConnection, steps: pd.DataFrame, least: float, known: Sequence[int] = ()
) -> pd.DataFrame:
    """series_id, ts, value of the buckets of series that may drift: the last quarter of what was measured since their
    last step, of those that twelve buckets follow, lies by the share `least` off the first.

    `steps`: series_id, changed_at; `known`: series that drifted before.
    """
    con.register("finding_steps", steps[["series_id", "changed_at"]])
    return con.execute(_DRIFTING, {"least": least, "known": list(known)}).df()


_DRIFTING = """
WITH starts AS (
  SELECT s.series_id, s.last_seen,
    coalesce(max(f.changed_at) FILTER (f.changed_at <= s.last_seen - to_seconds(12 * s.bucket_seconds)), s.first_seen)
      AS since
  FROM metric_series s LEFT JOIN finding_steps f USING (series_id) GROUP BY s.series_id, s.first_seen, s.last_seen
), quarters AS (
  SELECT series_id, since + (last_seen - since) / 4 AS first_until, last_seen - (last_seen - since) / 4 AS last_from,
    since FROM starts
), ends AS (
  SELECT b.series_id, median(b.value) FILTER (b.ts <= q.first_until) AS early,
    median(b.value) FILTER (b.ts >= q.last_from) AS late
  FROM series_buckets b JOIN quarters q USING (series_id) WHERE b.ts >= q.since GROUP BY b.series_id
)
SELECT b.series_id, b.ts, b.value FROM series_buckets b
WHERE b.series_id IN (SELECT unnest($known :: BIGINT[]))
  OR b.series_id IN (SELECT series_id FROM ends WHERE abs(late - early) >= $least * abs(early))
ORDER BY b.series_id, b.ts
"""


def short_histories(con: DuckDBPyConnection) -> pd.DataFrame:
    """series_id, ts, value, run_key, commit_id of the series that are too short to prove a shift by themselves."""
    return con.execute(
        """SELECT m.series_id, m.ts, m.value, r.run_key, r.commit_id
        FROM analysed_measurements m JOIN runs r USING (run_id) JOIN metric_series s USING (series_id)
        WHERE s.measurements BETWEEN ? AND ? ORDER BY m.series_id, m.ts, m.run_id""",
        [FEWEST_VALUES, MOST_VALUES],
    ).df()


def first_runs(con: DuckDBPyConnection, series: list[int], since: list[datetime]) -> pd.DataFrame:
    """Run and commit of the first measurement of each series from its moment on, in the order asked (run_key,
    commit_id), null where there is none. A series may be asked for several times."""
    asked = pd.DataFrame(
        {"series_id": pd.Series(series, dtype="int64"), "since": pd.Series(since, dtype="datetime64[us]")}
    ).rename_axis("place")
    con.register("asked", asked.reset_index())
    found = con.execute(
        """SELECT a.place, arg_min(r.run_key, (m.ts, m.run_id)) AS run_key,
             arg_min(r.commit_id, (m.ts, m.run_id)) AS commit_id
        FROM analysed_measurements m JOIN asked a ON a.series_id = m.series_id AND m.ts >= a.since
        JOIN runs r USING (run_id) GROUP BY a.place"""
    ).df()
    return found.set_index("place").reindex(asked.index)


_MOST_EXPLAINED = 30
"""Regressions whose surroundings are compared, the newest that stand."""


def levels_around_regressions(con: DuckDBPyConnection, load: Sequence[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(regression_id, metric, unit, last_good_commit, first_bad_commit, last_good_at, first_bad_at of the newest
    regressions that stand; regression_id, series_id, metric, unit, test_name, test_type, node_id, node_type, before,
    after: medians of two weeks, or ten buckets, on both sides of each, of the series of its project that are of its
    metric, of its category and unit, or of a metric of `load`, and have two values on both sides).
    """
    con.execute(
        """CREATE OR REPLACE TEMP TABLE standing_regressions AS
        SELECT r.regression_id, r.project, r.metric, r.unit, r.last_good_commit, r.first_bad_commit, r.last_good_at,
          r.first_bad_at, s.category
        FROM regressions r JOIN metric_series s USING (series_id)
        WHERE r.kind = 'regression' AND r.recovered_at IS NULL AND NOT r.restores AND r.last_good_at IS NOT NULL
        ORDER BY r.first_bad_at DESC, r.regression_id LIMIT ?""",
        [_MOST_EXPLAINED],
    )
    levels = con.execute(_LEVELS_AROUND, [list(load)]).df()
    standing = con.execute("SELECT * FROM standing_regressions ORDER BY regression_id").df()
    con.execute("DROP TABLE standing_regressions")
    return standing, levels


_LEVELS_AROUND = """
WITH beside AS (
  SELECT r.regression_id, r.last_good_at, r.first_bad_at, s.*,
    to_seconds(greatest(10 * s.bucket_seconds, 14 * 86400)) AS span
  FROM standing_regressions r JOIN metric_series s ON s.project = r.project
    AND (s.metric = r.metric OR s.category = r.category AND s.unit = r.unit OR list_contains(?, s.metric))
)
SELECT b.regression_id, b.series_id, any_value(b.metric) AS metric, any_value(b.unit) AS unit,
  any_value(b.test_name) AS test_name, any_value(b.test_type) AS test_type, any_value(b.node_id) AS node_id,
  any_value(b.node_type) AS node_type, median(v.value) FILTER (v.ts < b.first_bad_at) AS before,
  median(v.value) FILTER (v.ts >= b.first_bad_at) AS after
FROM beside b JOIN series_buckets v ON v.series_id = b.series_id
  AND (v.ts BETWEEN b.last_good_at - b.span AND b.last_good_at
    OR v.ts BETWEEN b.first_bad_at AND b.first_bad_at + b.span)
GROUP BY b.regression_id, b.series_id
HAVING count(*) FILTER (v.ts < b.first_bad_at) >= 2 AND count(*) FILTER (v.ts >= b.first_bad_at) >= 2
ORDER BY b.regression_id, b.series_id
"""


def measurements_of(con: DuckDBPyConnection, metric: str) -> pd.DataFrame:
    """timestamp, value, unit, project, test_name, test_type, node_id, node_type of the measurements of a metric that
    are no incident; of several units those of the most frequent one."""
    return con.execute(
        """WITH own AS (SELECT s.*, m.ts AS timestamp, m.value
          FROM metric_series s JOIN analysed_measurements m USING (series_id) WHERE s.metric = ?)
        SELECT timestamp, value, unit, project, test_name, test_type, node_id, node_type FROM own
        WHERE unit = (SELECT mode(unit ORDER BY unit) FROM own) ORDER BY ALL""",
        [metric],
    ).df()


def recent_durations(con: DuckDBPyConnection, days: int = 14) -> pd.DataFrame:
    """project, test_name, node_id, node_type, duration: the median of the last days, one row a test and node."""
    return con.execute(
        """SELECT s.project, s.test_name, s.node_id, s.node_type, median(m.value) AS duration
        FROM metric_series s JOIN analysed_measurements m USING (series_id)
        WHERE s.metric = 'test_execution_time' AND s.node_id IS NOT NULL AND s.test_name IS NOT NULL
          AND m.ts > s.as_of - to_days(?)
        GROUP BY ALL ORDER BY s.project, s.test_name, s.node_id""",
        [days],
    ).df()
