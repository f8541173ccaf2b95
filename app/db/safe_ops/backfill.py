"""Data changes on tables in use: in batches along the primary key, at a pace that the replicas can follow.

The position is kept in the database, in the statement that changes the batch: a batch is done once, whatever
happens to the process. The table that holds it goes with the revision's last transaction.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from time import monotonic
from typing import Any, Self

from alembic import op
from alembic.runtime.migration import MigrationContext
from alembic.util import CommandError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from sqlalchemy import text

from app.db.safe_ops.steps import Steps, milliseconds, own_transactions, timeouts, verbatim

POSITIONS = "postern_backfill"
CREATE_POSITIONS = f"""
    CREATE TABLE IF NOT EXISTS {POSITIONS} (
        name text PRIMARY KEY, last_key text[], seen bigint NOT NULL DEFAULT 0, changed bigint NOT NULL DEFAULT 0,
        is_done boolean NOT NULL DEFAULT false
    )
"""
START = f"INSERT INTO {POSITIONS} (name) VALUES (:name) ON CONFLICT DO NOTHING"  # noqa: S608 - a constant
POSITION = f"SELECT last_key, seen, changed, is_done FROM {POSITIONS} WHERE name = :name"  # noqa: S608 - a constant
KEY_TYPE = """
    SELECT format_type(atttypid, atttypmod) AS type FROM pg_attribute
    WHERE attrelid = to_regclass(:table) AND attname = (parse_ident(:key))[1] AND NOT attisdropped
"""
ESTIMATE = "SELECT reltuples::bigint AS rows FROM pg_class WHERE oid = to_regclass(:table)"
LAG = """
    SELECT coalesce(max(pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn)), 0)::bigint / 1048576 AS mb
    FROM pg_stat_replication
"""
# Below PostgreSQL's deadlock_timeout: in a deadlock with a request it is the backfill that gives way.
BATCH_LOCK_TIMEOUT = 0.5
HEARTBEAT = 10.0


def batched_backfill(
    table: str,
    values: Mapping[str, str],
    *,
    where: str = "true",
    key: str | Sequence[str] = "id",
    batch: int = 1000,
    pause: float = 0.05,
) -> None:
    """UPDATE `table` SET `values` (column to SQL expression) WHERE `where`, `batch` keys at a time.

    Each batch is one statement and one transaction, with row locks only. Between two it sleeps `pause` seconds, or as
    long as the batch took when that is more: a server that is slow has enough to do. It also waits for as long as a
    replica is more than MIGRATION_MAX_REPLICATION_LAG_MB behind. `key` is the primary key, in its order. Rows that are
    written behind the position meanwhile aren't visited: the code or a default has to fill them by then.
    Raises CommandError when a key column doesn't exist, or a replica doesn't catch up.
    """
    keys = [key] if isinstance(key, str) else list(key)
    with own_transactions() as steps:
        assigned = {steps.quote(column): value for column, value in values.items()}
        work = _Backfill(steps, steps.quote(table), assigned, where, [steps.quote(key) for key in keys], batch)
        if steps.offline:
            work.show()
        else:
            work.run(pause)


def forget_positions(*, ctx: MigrationContext, **_: Any) -> None:
    """When a revision is recorded: its backfills are complete for good once that commits."""
    if ctx.as_sql or ctx.connection is None:
        return
    if ctx.connection.scalar(text("SELECT to_regclass(:name) IS NOT NULL"), {"name": POSITIONS}):
        ctx.connection.execute(text(f"DROP TABLE {POSITIONS}"))


@dataclass
class _Backfill:
    """The names are quoted; `values` and `where` are the revision's own SQL."""

    steps: Steps
    table: str
    values: dict[str, str]
    where: str
    keys: list[str]
    size: int

    def show(self) -> None:
        columns, last = ", ".join(self.keys), ", ".join("'the last key'" for _ in self.keys)
        self.steps.comment(
            f"One batch of a backfill. It runs for every {self.size} keys from the first to the last, each"
        )
        self.steps.comment("batch in a transaction of its own, beginning after the last key of the batch before.")
        keys = f"SELECT {columns} FROM {self.table} WHERE ({columns}) > ({last}) ORDER BY {columns} LIMIT {self.size}"  # noqa: S608 - a revision's own SQL
        change = f"UPDATE {self.table} SET {self._assignments}"  # noqa: S608 - a revision's own SQL
        self.steps.run(lambda: op.execute(text(f"{change} WHERE ({columns}) IN ({keys}) AND ({self._where})")))

    def run(self, pause: float) -> None:
        name = sha256(repr((self.table, self.values, self.where, self.keys)).encode()).hexdigest()
        self.steps.run(CREATE_POSITIONS)
        self.steps.run(lambda: op.execute(text(START).bindparams(name=name)))
        position = self.steps.require(POSITION, name=name)
        settings = self.steps.pace.settings
        self.steps.set(lock_timeout=milliseconds(min(BATCH_LOCK_TIMEOUT, settings.migration_lock_timeout)))
        types = [self._type(key) for key in self.keys]
        with _Bar(self.steps, self.table) as bar:
            while not position.is_done:
                began, last = monotonic(), {f"last_{n}": value for n, value in enumerate(position.last_key or [])}
                position = self.steps.require(self._batch(types, is_first=not last), name=name, **last)
                self.steps.pace.done += 1
                bar.show(position.seen)
                self._throttle(0 if position.is_done else max(pause, monotonic() - began))
        self.steps.set(**timeouts(settings))
        self.steps.pace.report(f"backfill of {self.table}: {position.changed} of {position.seen} rows changed")

    def _batch(self, types: list[str], *, is_first: bool) -> str:
        """One batch and the new position in one statement: neither is there without the other."""
        columns = ", ".join(self.keys)
        typed = ", ".join(f"CAST(CAST(:last_{n} AS text) AS {kind})" for n, kind in enumerate(types))
        names = [f"key_{n}" for n in range(len(self.keys))]
        named = ", ".join(f"{key} AS {name}" for key, name in zip(self.keys, names, strict=True))
        pairs = zip(self.keys, names, strict=True)
        same = " AND ".join(f"{self.table}.{key} = postern_batch.{name}" for key, name in pairs)
        return f"""
            WITH postern_batch AS MATERIALIZED (
                SELECT {named} FROM {self.table} {"" if is_first else f"WHERE ({columns}) > ({typed})"}
                ORDER BY {columns} LIMIT {self.size}
            ), postern_changed AS (
                UPDATE {self.table} SET {self._assignments} FROM postern_batch
                WHERE {same} AND ({self._where}) RETURNING 1
            ), postern_last AS (
                SELECT ARRAY[{", ".join(f"{name}::text" for name in names)}] AS last_key FROM postern_batch
                ORDER BY {", ".join(f"{name} DESC" for name in names)} LIMIT 1
            )
            UPDATE {POSITIONS} SET
                last_key = coalesce((SELECT last_key FROM postern_last), last_key),
                seen = seen + (SELECT count(*) FROM postern_batch),
                changed = changed + (SELECT count(*) FROM postern_changed),
                is_done = (SELECT count(*) FROM postern_batch) < {self.size}
            WHERE name = :name RETURNING last_key, seen, changed, is_done
        """  # noqa: S608 - the author of a revision writes SQL

    def _throttle(self, pause: float) -> None:
        settings = self.steps.pace.settings
        self.steps.sleep(pause)
        deadline = monotonic() + settings.migration_concurrent_timeout
        while self.steps.require(LAG).mb > settings.migration_max_replication_lag_mb:
            if monotonic() > deadline:
                raise CommandError(f"the backfill of {self.table} stopped: a replica stays too far behind")
            self.steps.sleep(1.0)

    def _type(self, key: str) -> str:
        found = self.steps.ask(KEY_TYPE, table=self.table, key=key)
        if found is None:
            raise CommandError(f"{self.table} has no column {key} for its backfill to go along")
        return str(found.type)

    @property
    def _assignments(self) -> str:
        return ", ".join(f"{column} = {verbatim(value)}" for column, value in self.values.items())

    @property
    def _where(self) -> str:
        return verbatim(self.where)


class _Bar:
    """How far it is: a bar on a terminal, otherwise a line now and then."""

    def __init__(self, steps: Steps, table: str) -> None:
        console = Console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._progress = Progress(*columns, console=console, disable=not console.is_terminal)
        estimate = steps.require(ESTIMATE, table=table).rows
        self._task = self._progress.add_task(f"backfill of {table}", total=estimate if estimate > 0 else None)
        self._steps, self._table = steps, table
        self._mentioned = monotonic()

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, seen: int) -> None:
        self._progress.update(self._task, completed=seen)
        if self._progress.disable and monotonic() - self._mentioned >= HEARTBEAT:
            self._mentioned = monotonic()
            self._steps.pace.report(f"backfill of {self._table}: {seen} rows seen")
