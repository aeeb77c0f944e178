"""Reading and writing of the state store. The rows are small and few; every write is one short transaction."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from filelock import FileLock
from sqlalchemy import (
    URL,
    Connection,
    DateTime,
    Engine,
    Integer,
    Table,
    and_,
    create_engine,
    delete,
    event,
    func,
    insert,
    or_,
    select,
    text,
)
from sqlalchemy import update as update_rows
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from perf_assets.state.errors import StateError, reason_of
from perf_assets.state.migrating import upgrade, write_transaction
from perf_assets.state.schema import acknowledgements, deliveries, epochs, metadata, regression_anchors

if TYPE_CHECKING:
    import pandas as pd

BUSY_TIMEOUT_SECONDS = 30
"""How long a process waits for another one's write before it gives up."""

PORTION = 5000
"""Rows, or values bound in a statement, that go at once; a statement in SQLite has at most 32,766 values."""

ANCHOR_COLUMNS = [column.name for column in regression_anchors.columns]


class StateStore:
    """Acknowledgements, deliveries and anchors in one database that several processes may use at the same time.

    Times may be naive (taken as UTC) or aware; they are stored, and come back, as naive UTC with microseconds.
    """

    def __init__(self, engine: Engine, where: str) -> None:
        self._engine = engine
        self.where = where
        """What messages name it by; without a password."""

    def __enter__(self) -> StateStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give back all connections; the store opens new ones when it is used again."""
        self._engine.dispose()

    def acknowledge(self, finding_id: str, acknowledged_by: str, acknowledged_at: datetime, note: str = "") -> None:
        """Record that somebody has taken note of a finding; an earlier acknowledgement never replaces a later one."""
        statement = _insert(self._engine, acknowledgements).values(
            finding_id=finding_id,
            acknowledged_by=acknowledged_by,
            acknowledged_at=utc_naive(acknowledged_at),
            note=note,
        )
        latest = statement.on_conflict_do_update(
            index_elements=["finding_id"],
            set_={name: statement.excluded[name] for name in ("acknowledged_by", "acknowledged_at", "note")},
            where=statement.excluded.acknowledged_at >= acknowledgements.c.acknowledged_at,
        )
        with self._engine.begin() as connection:
            connection.execute(latest)

    def withdraw_acknowledgement(self, finding_id: str) -> bool:
        """Take an acknowledgement back; False where there was none."""
        with self._engine.begin() as connection:
            removed = connection.execute(delete(acknowledgements).where(acknowledgements.c.finding_id == finding_id))
        return removed.rowcount > 0

    def acknowledgements(self) -> pd.DataFrame:
        """Columns finding_id, acknowledged_by, acknowledged_at, note; one row a finding, sorted by finding."""
        return self._table(acknowledgements)

    def declare_epoch(
        self,
        epoch_id: str,
        starts_at: datetime,
        reason: str,
        declared_by: str,
        declared_at: datetime,
        **about: str | None,
    ) -> None:
        """Record an epoch; `about` narrows it (project, node_id, node_type, test_name, metric). The same id again
        changes nothing.
        """
        statement = _insert(self._engine, epochs).values(
            epoch_id=epoch_id,
            starts_at=utc_naive(starts_at),
            reason=reason,
            declared_by=declared_by,
            declared_at=utc_naive(declared_at),
            **about,
        )
        with self._engine.begin() as connection:
            connection.execute(statement.on_conflict_do_nothing())

    def withdraw_epoch(self, epoch_id: str) -> bool:
        """Take a declared epoch back; False where there was none."""
        with self._engine.begin() as connection:
            removed = connection.execute(delete(epochs).where(epochs.c.epoch_id == epoch_id))
        return removed.rowcount > 0

    def epochs(self) -> pd.DataFrame:
        """The declared epochs: the columns of `schema.epochs`."""
        return self._table(epochs)

    def deliveries(self) -> pd.DataFrame:
        """Every alert that any channel ever tried: the columns of `schema.deliveries`, sorted by alert and channel."""
        return self._table(deliveries)

    def claim_deliveries(
        self,
        alert_ids: Iterable[str],
        channel: str,
        claimed_at: datetime,
        lease: timedelta,
        digest_id: str | None = None,
    ) -> frozenset[str]:
        """Take alerts for sending, all in one transaction, and return those that are now the caller's alone.

        An alert can be taken when it was never tried, when it failed, or when its claim is older than `lease`
        (whoever held it has crashed). Each claim counts as an attempt. A `digest_id` given earlier is kept.
        """
        moment = utc_naive(claimed_at)
        # Sorted, so that two Postgres processes lock the rows in one order and cannot wait for each other.
        rows = [
            {
                "alert_id": alert_id,
                "channel": channel,
                "status": "sending",
                "attempts": 1,
                "first_tried_at": moment,
                "claimed_at": moment,
                "digest_id": digest_id,
            }
            for alert_id in sorted(set(alert_ids))
        ]
        if not rows:
            return frozenset()
        statement = _insert(self._engine, deliveries)
        claim = statement.on_conflict_do_update(
            index_elements=["alert_id", "channel"],
            set_={
                "status": "sending",
                "attempts": deliveries.c.attempts + 1,
                "claimed_at": statement.excluded.claimed_at,
                "digest_id": func.coalesce(deliveries.c.digest_id, statement.excluded.digest_id),
            },
            where=or_(
                deliveries.c.status == "failed",
                and_(deliveries.c.status == "sending", deliveries.c.claimed_at <= moment - lease),
            ),
        ).returning(deliveries.c.alert_id)
        with self._engine.begin() as connection:
            return frozenset(connection.execute(claim, rows).scalars())

    def record_sent(self, alert_ids: Iterable[str], channel: str, sent_at: datetime, receipt: str) -> None:
        """Record that the channel took the alerts; from now on they are never sent again."""
        self._settle(
            alert_ids, channel, {"status": "sent", "sent_at": utc_naive(sent_at), "receipt": receipt, "error": None}
        )

    def record_failure(self, alert_ids: Iterable[str], channel: str, claimed_at: datetime, error: str) -> None:
        """Record why the attempt claimed at `claimed_at` failed; no effect on alerts that another process took over."""
        # Postgres text holds no NUL, and an error message may quote anything.
        failure = {"status": "failed", "error": error.replace("\0", "�")}
        self._settle(alert_ids, channel, failure, only_claim=utc_naive(claimed_at))

    def add_anchors(self, anchors: pd.DataFrame) -> None:
        """Fix the ids of newly confirmed regressions; changes that already have an anchor keep it.

        `anchors` has the columns of `schema.regression_anchors`; only `part_of_day` may be null. A change is known
        by series, first bad run, part of day and kind.

        Raises ValueError for missing columns and for nulls.
        """
        rows = _anchor_rows(anchors)
        if not rows:
            return
        statement = _insert(self._engine, regression_anchors).on_conflict_do_nothing()
        with self._engine.begin() as connection:
            connection.execute(statement, rows)

    def anchors(self) -> pd.DataFrame:
        """All anchors: the columns of `schema.regression_anchors`; `part_of_day` is null for the whole day."""
        table = self._table(regression_anchors)
        return table.assign(part_of_day=table["part_of_day"].where(table["part_of_day"] != ""))

    def counts(self) -> dict[str, int]:
        """Rows of each table at one moment, by the table's name."""
        with self._snapshot() as connection:
            return {
                table.name: connection.scalar(select(func.count()).select_from(table)) or 0
                for table in metadata.sorted_tables
            }

    def copy_to(self, target: StateStore) -> None:
        """Replace all rows of `target` by those that this store holds at one moment, in one transaction.

        Raises StateError where reading or writing fails; `target` is then as it was.
        """
        try:
            with self._snapshot() as source, write_transaction(target._engine) as sink:
                _replace_rows(source, sink)
        except (SQLAlchemyError, ValueError) as error:
            raise StateError(
                f"{self.where}: cannot be copied to {target.where} ({reason_of(error)}), which is as it was."
            ) from error

    @contextmanager
    def _snapshot(self) -> Iterator[Connection]:
        """A transaction whose reads all see the same moment, as every one does in SQLite."""
        with self._engine.connect() as connection:
            if self._engine.dialect.name == "postgresql":
                connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
            yield connection

    def _settle(
        self, alert_ids: Iterable[str], channel: str, outcome: dict[str, Any], only_claim: datetime | None = None
    ) -> None:
        statement = update_rows(deliveries).where(deliveries.c.channel == channel)
        if only_claim is not None:
            statement = statement.where(deliveries.c.status == "sending", deliveries.c.claimed_at == only_claim)
        with self._engine.begin() as connection:
            for some in _portions(sorted(set(alert_ids))):
                connection.execute(statement.where(deliveries.c.alert_id.in_(some)).values(**outcome))

    def rows(self, name: str) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
        """Columns and rows of a table of `schema`, sorted by its key: for a command, which starts without pandas."""
        table = metadata.tables[name]
        with self._engine.connect() as connection:
            found = connection.execute(select(table).order_by(*table.primary_key.columns)).all()
        return tuple(column.name for column in table.columns), [tuple(row) for row in found]

    def _table(self, table: Table) -> pd.DataFrame:
        import pandas as pd

        columns, rows = self.rows(table.name)
        frame = pd.DataFrame(rows, columns=list(columns))
        # Named types, or an empty table would come back with other ones than a full table.
        return frame.astype({column.name: _pandas_type(column.type) for column in table.columns})


def open_state(url_or_path: str | Path, called: str | None = None) -> StateStore:
    """Open the state store at an SQLAlchemy URL or, without `://`, in an SQLite file; `called` names it in messages.

    An empty database gets its tables, and one of an older version is upgraded. Raises StateError where the database
    cannot be opened or has an unknown version.
    """
    url = _url(url_or_path)
    where = called or url.render_as_string(hide_password=True)
    try:
        engine = _engine(url)
        with _opening_lock(url):
            upgrade(engine, where)
    except ModuleNotFoundError as error:
        raise StateError(f"{where}: the driver {error.name} is not installed; `pip install {error.name}`.") from error
    except (SQLAlchemyError, OSError) as error:
        raise StateError(
            f"{where}: cannot open the state store ({reason_of(error)}). Check that the path is writable, or the "
            "server, user and database of the URL."
        ) from error
    return StateStore(engine, where)


def utc_naive(moment: datetime) -> datetime:
    """`moment` in UTC, without its zone, whole microseconds; a naive one is taken as UTC already."""
    # A Timestamp of pandas is a datetime that may have nanoseconds.
    whole: datetime = moment.to_pydatetime(warn=False) if hasattr(moment, "to_pydatetime") else moment
    return whole if whole.tzinfo is None else whole.astimezone(UTC).replace(tzinfo=None)


def _url(url_or_path: str | Path) -> URL:
    text = str(url_or_path)
    if "://" not in text:
        return URL.create("sqlite", database=text)
    try:
        return make_url(text)
    except ArgumentError as error:
        # The text may hold a password, so it is not repeated here.
        raise StateError("The URL of the state store is not one; write dialect://user:password@host/name.") from error


def _engine(url: URL) -> Engine:
    if url.get_backend_name() == "postgresql":
        return create_engine(url, pool_pre_ping=True)
    if url.get_backend_name() != "sqlite":
        raise StateError(f"The state store runs on SQLite and Postgres, not on {url.get_backend_name()}.")
    if url.database and url.database != ":memory:":
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, connect_args={"timeout": BUSY_TIMEOUT_SECONDS})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    """Write-ahead log: readers and the one writer do not wait for each other. The file remembers it, hence the test."""
    if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    # The driver begins transactions of its own only before it inserts, updates or deletes: a failed change of the
    # schema would stay half done, and reads in a row would see different moments.
    connection.isolation_level = None


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql(f"BEGIN {connection.get_execution_options().get('sqlite_begin', 'DEFERRED')}")


def _opening_lock(url: URL) -> AbstractContextManager[object]:
    """SQLite fails at once while another process switches a new file to the write-ahead log (5 of 240 openings)."""
    if url.get_backend_name() != "sqlite" or url.database in (None, ":memory:"):
        return nullcontext()
    return FileLock(f"{url.database}.lock", timeout=BUSY_TIMEOUT_SECONDS)


def _replace_rows(source: Connection, sink: Connection) -> None:
    if sink.dialect.name == "postgresql":
        # Rows that others insert meanwhile would stay, or collide with those copied.
        sink.execute(text(f"LOCK TABLE {', '.join(metadata.tables)} IN EXCLUSIVE MODE"))
    for table in metadata.sorted_tables:
        sink.execute(delete(table))
        rows = source.execute(select(table), execution_options={"yield_per": PORTION}).mappings()
        for portion in rows.partitions():
            sink.execute(insert(table), [dict(row) for row in portion])


def _insert(engine: Engine, table: Table) -> Any:
    """The dialect's own insert: ON CONFLICT is the same SQL in both, but no part of SQLAlchemy's common insert."""
    return postgresql.insert(table) if engine.dialect.name == "postgresql" else sqlite.insert(table)


def _anchor_rows(anchors: pd.DataFrame) -> list[dict[str, Any]]:
    missing = [name for name in ANCHOR_COLUMNS if name not in anchors.columns]
    if missing:
        raise ValueError(f"anchors lack the columns {', '.join(missing)}")
    required = anchors[ANCHOR_COLUMNS].drop(columns="part_of_day")
    if required.isna().to_numpy().any():
        raise ValueError(f"anchors have nulls in {', '.join(required.columns[required.isna().any()])}")
    times = [column.name for column in regression_anchors.columns if isinstance(column.type, DateTime)]
    table = anchors[ANCHOR_COLUMNS].assign(part_of_day=anchors["part_of_day"].astype(object).fillna(""))
    return [
        {str(name): utc_naive(value) if name in times else str(value) for name, value in row.items()}
        for row in table.to_dict("records")
    ]


def _portions(ids: Sequence[str]) -> Iterable[Sequence[str]]:
    return (ids[start : start + PORTION] for start in range(0, len(ids), PORTION))


def _pandas_type(column_type: object) -> str:
    if isinstance(column_type, DateTime):
        return "datetime64[us]"
    return "int64" if isinstance(column_type, Integer) else "str"
