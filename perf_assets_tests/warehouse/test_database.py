"""The file itself: transactions, whole tables, checksums, and SQL that runs elsewhere too."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import perf_assets
from perf_assets.tables import SERIES_BUCKETS, TABLES
from perf_assets.warehouse import Warehouse, WarehouseError
from perf_assets.warehouse.checksums import checksums
from perf_assets_tests.warehouse.building import Site, row


def buckets(*values: float) -> pd.DataFrame:
    stamps = pd.date_range("2026-09-01", periods=len(values), freq="h")
    return pd.DataFrame({"series_id": 1, "ts": stamps, "value": values, "measurements": 1, "unused": "x"})


def test_every_table_is_there_from_the_start(site: Site) -> None:
    with site.warehouse.reading() as con:
        found = checksums(con)
    assert list(found["table"]) == [table.name for table in TABLES]
    assert set(found["rows"]) == {0}


def test_an_exception_rolls_the_transaction_back(site: Site) -> None:
    with pytest.raises(KeyError), site.warehouse.transaction() as con:
        con.execute("INSERT INTO series_buckets VALUES (1, TIMESTAMP '2026-01-01', 1.0, 1)")
        raise KeyError("crash")
    assert site.warehouse.query("SELECT * FROM series_buckets").empty
    assert not site.warehouse.written


def test_replace_replaces_whole_tables(site: Site) -> None:
    site.warehouse.replace((SERIES_BUCKETS, buckets(1.0, 2.0)))
    site.warehouse.replace((SERIES_BUCKETS, buckets(3.0)))
    assert site.values("series_buckets") == [3.0]
    site.warehouse.replace((SERIES_BUCKETS, buckets()))
    assert site.values("series_buckets") == []


def test_a_missing_column_is_named_and_changes_nothing(site: Site) -> None:
    site.warehouse.replace((SERIES_BUCKETS, buckets(1.0)))
    with pytest.raises(WarehouseError, match="table series_buckets: column 'value' is missing"):
        site.warehouse.replace((SERIES_BUCKETS, buckets(2.0).drop(columns="value")))
    assert site.values("series_buckets") == [1.0]


def test_a_file_that_is_no_database_says_what_to_do(tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path / "perf.duckdb", tmp_path / "snapshots")
    warehouse.database.write_bytes(b"no database" * 1000)
    with pytest.raises(WarehouseError, match=r"perf.duckdb cannot be opened .* delete the file and run again"):
        warehouse.query("SELECT 1")


def test_values_are_bound(site: Site) -> None:
    assert site.warehouse.query("SELECT ? AS name", ["it's; DROP TABLE series"])["name"].tolist() == [
        "it's; DROP TABLE series"
    ]


def test_checksums_see_values_to_12_digits_and_no_order(site: Site, other_site: Site) -> None:
    def checksum(at: Site, rows: pd.DataFrame) -> str:
        at.warehouse.replace((SERIES_BUCKETS, rows))
        with at.warehouse.reading() as con:
            return str(checksums(con).set_index("table").loc["series_buckets", "checksum"])

    reference = checksum(site, buckets(1.0, 2.0))
    assert checksum(other_site, buckets(1.0, 2.0).iloc[::-1]) == reference
    assert checksum(other_site, buckets(1.0, 2.0 + 1e-14)) == reference
    assert checksum(other_site, buckets(1.0, 2.0 + 1e-10)) != reference
    assert checksum(other_site, buckets(1.0, float("nan"))) != reference
    assert checksum(other_site, buckets(0.0)) == checksum(site, buckets(-0.0))


def test_checksums_leave_the_time_of_receipt_out(site: Site, other_site: Site) -> None:
    site.load([row()])
    other_site.load([row()], received_at=pd.Timestamp("2026-10-07").to_pydatetime())
    with site.warehouse.reading() as one, other_site.warehouse.reading() as other:
        assert checksums(one).equals(checksums(other))


def test_no_sql_needs_what_a_lake_catalogue_lacks() -> None:
    lacking = re.compile(r"PRIMARY\s+KEY|CREATE\s+(UNIQUE\s+)?INDEX|\bSEQUENCE\b|\bUNIQUE\b|\bREFERENCES\b")
    package = Path(perf_assets.__file__).parent
    # The state store is a database of its own, on SQLite or Postgres.
    sources = (file for file in package.rglob("*") if file.suffix in (".py", ".sql"))
    files = [file for file in sources if file.relative_to(package).parts[0] != "state"]
    assert len(files) > 20
    found = [f"{file.relative_to(package)}: {hit[0]}" for file in files for hit in lacking.finditer(file.read_text())]
    assert found == []


def test_tables_of_another_schema_give_way(tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path / "w.duckdb", tmp_path / "snapshots")
    with warehouse.transaction() as con:
        con.execute("ALTER TABLE regressions DROP COLUMN explanation")
        con.execute("INSERT INTO batches (batch_id) VALUES (1)")
        con.execute("UPDATE warehouse_schema SET fingerprint = 'of an earlier version'")
    assert warehouse.query("SELECT explanation FROM regressions").empty
    assert warehouse.query("SELECT * FROM batches").empty


_SPILLS = """
import sys, time
from pathlib import Path
from perf_assets.warehouse import Warehouse
warehouse = Warehouse(Path(sys.argv[1]), Path(sys.argv[2]))
with warehouse.reading() as con:
    con.execute("SET memory_limit = '40MB'; SET threads = 1")
    con.execute("CREATE TEMP TABLE large AS SELECT hash(i) AS a, hash(i + 1) AS b FROM range(5000000) t(i)")
    print("spilled", flush=True)
    time.sleep(60)
"""


def spills(database: Path) -> list[Path]:
    return list(database.parent.glob("*.tmp-*"))


def test_what_a_killed_process_spilled_is_removed_by_the_next(tmp_path: Path) -> None:
    database = tmp_path / "warehouse" / "perf_assets.duckdb"
    command = [sys.executable, "-c", _SPILLS, str(database), str(tmp_path / "snapshots")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "spilled\n"
    [left] = spills(database)
    process.kill()
    process.wait()
    assert list(left.iterdir())
    with Warehouse(database, tmp_path / "snapshots").reading():
        assert spills(database) == []
