-- Facts with a problem go to quarantine; of many with one problem the first are listed and the others counted.
-- Reads: facts, keyed, series_dims, parts, wanted_rows
-- Writes: refused, wanted, quarantine, facts
CREATE OR REPLACE TEMP TABLE wanted AS
SELECT row, problem FROM facts WHERE problem IS NOT NULL
QUALIFY row_number() OVER (PARTITION BY part, problem ORDER BY row) <= $listed;
INSERT INTO quarantine
SELECT part, stable_hash(content_hash, member, location, 'value', reason), location,
  CASE problem WHEN 'time_out_of_range' THEN 'timestamp' WHEN 'unit_conflict' THEN 'unit'
    WHEN 'name_too_long' THEN 'name' WHEN 'missing_identity' THEN 'metric' ELSE 'value' END, reason,
  concat(name, ', ', location, ': ', CASE problem
    WHEN 'not_finite' THEN 'too large for a number in its canonical unit; correct value or unit'
    WHEN 'impossible_value' THEN concat(metric, ' is ', value, if(unit IN ('', '1'), '', concat(' ', unit)), ', and ',
      if(value < lowest, concat('cannot be below ', lowest), concat('cannot be above ', highest)),
      if(unit = '1', '; write % where percent are meant', '; correct the value'))
    WHEN 'unit_conflict' THEN concat(metric, ' is measured in ',
      if(catalogue_unit = '1', 'shares from 0 to 1 (or %)', catalogue_unit), ', and ',
      if(raw_unit = '', 'no unit', raw_unit),
      ' does not convert to that; convert it, or give the metric another name')
    WHEN 'name_too_long' THEN concat('a name of this row has more than ', $longest_name, ' characters; shorten it')
    WHEN 'missing_identity' THEN 'a measurement needs the name of its metric; fill the field'
    WHEN 'time_out_of_range' THEN concat(ts, ' UTC lies ', if(ts > latest, concat('after the receipt at ', received_at),
      concat('before ', earliest)), '; check clock and time zone, or the limits under [quality]') END),
  concat_ws(', ', metric, raw_value, raw_unit, ts, test_name, node_id), NULL
FROM (
  SELECT f.part, p.content_hash, p.member, p.name, p.received_at, i.location, w.problem,
    CASE w.problem WHEN 'name_too_long' THEN 'missing_identity' ELSE w.problem END AS reason,
    s.metric, s.raw_unit, s.unit, s.catalogue_unit, s.lowest, s.highest, i.raw_value, f.value, f.ts, i.test_name,
    i.node_id, p.earliest, p.latest
  FROM wanted w JOIN facts f ON f.row = w.row JOIN keyed k ON k.row = f.row
  JOIN series_dims s ON s.series_key = k.series_key JOIN wanted_rows i ON i.row = f.row JOIN parts p ON p.part = f.part);
INSERT INTO quarantine
SELECT part, stable_hash(content_hash, member, location, 'value', reason), location, 'value', reason,
  more_like(name, more, $listed), '', NULL
FROM (
  SELECT part, CASE problem WHEN 'name_too_long' THEN 'missing_identity' ELSE problem END AS reason,
    count(*) - $listed AS more, concat(more, ' other places') AS location
  FROM facts WHERE problem IS NOT NULL GROUP BY part, problem HAVING count(*) > $listed)
JOIN parts USING (part);
INSERT INTO refused SELECT part, count(*) FROM facts WHERE problem IS NOT NULL GROUP BY part;
DELETE FROM facts WHERE problem IS NOT NULL;
