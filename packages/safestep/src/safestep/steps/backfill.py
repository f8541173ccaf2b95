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

from safestep.steps.constraints import NOT_NULL
from safestep.steps.steps import Steps, milliseconds, own_transactions, timeouts, verbatim

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
    WHERE attrelid = to_regclass(:table) AND attname = :key AND NOT attisdropped
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
    schema: str | None = None,
) -> None:
    """UPDATE `table` SET `values` (column to SQL expression) WHERE `where`, `batch` keys at a time.

    Each batch is one statement and one transaction, with row locks only. Between two it sleeps `pause` seconds, or as
    long as the batch took when that is more: a server that is slow has enough to do. It also waits for as long as a
    replica is more than MIGRATION_MAX_REPLICATION_LAG_MB behind. `key` is the primary key, in its order. Rows that are
    written behind the position meanwhile aren't visited: the code or a default has to fill them by then.
    Raises CommandError when a key column doesn't exist, may be null or is itself set, or a replica doesn't catch up.
    """
    keys = [key] if isinstance(key, str) else list(key)
    if moved := values.keys() & keys:
        raise CommandError(f"a backfill of {table} can't go along {min(moved)} and change it: rows would come up again")
    with own_transactions() as steps:
        assigned = {steps.quote(column): value for column, value in values.items()}
        work = _Backfill(steps, steps.quote(table, schema), assigned, where, keys, batch, pause)
        if steps.offline:
            work.show()
        else:
            work.run()


def forget_positions(*, ctx: MigrationContext, **_: Any) -> None:
    """When a revision is recorded: its backfills are complete for good once that commits."""
    met = ctx.impl.memo.pop(POSITIONS, None)
    if ctx.as_sql:
        is_there = bool(met)
    else:
        looked_for = text(f"SELECT to_regclass('{POSITIONS}') IS NOT NULL")
        is_there = ctx.connection is not None and ctx.connection.scalar(looked_for)
    if is_there:
        ctx.execute(f"DROP TABLE {POSITIONS}")


@dataclass
class _Backfill:
    """`table` and the columns of `values` are quoted; the expressions and `where` are the revision's own SQL."""

    steps: Steps
    table: str
    values: dict[str, str]
    where: str
    keys: list[str]
    size: int
    pause: float

    def show(self) -> None:
        """Prints the loop that `run` goes through, as a block that commits after every batch."""
        self.steps.comment("A backfill, a batch and a transaction at a time. When it ends early, run these statements")
        self.steps.comment(f"again, and it goes on from where it was: its position is kept in {POSITIONS}.")
        name, settings = self._start(), self.steps.pace.settings
        # A timeout of the whole loop would end it half-way; and a plan made without the last key reads all before it.
        self.steps.set(lock_timeout=self._lock_timeout, statement_timeout="0")
        self.steps.run("SET plan_cache_mode = force_custom_plan")
        self.steps.run(lambda: op.execute(text(self._loop(name))))
        self.steps.run("RESET plan_cache_mode")
        self.steps.set(**timeouts(settings))

    def run(self) -> None:
        types = [self._type(key) for key in self.keys]
        name = self._start()
        position = self.steps.require(POSITION, name=name)
        self.steps.set(lock_timeout=self._lock_timeout)
        typed = ", ".join(f"CAST(CAST(:last_{n} AS text) AS {kind})" for n, kind in enumerate(types))
        with _Bar(self.steps, self.table) as bar:
            while not position.is_done:
                began, last = monotonic(), {f"last_{n}": value for n, value in enumerate(position.last_key or [])}
                after = f"WHERE ({self._columns}) > ({typed})" if last else ""
                batch = f"{self._batch(after, ':name')} RETURNING last_key, seen, changed, is_done"
                position = self.steps.require(batch, name=name, **last)
                self.steps.pace.done += 1
                bar.show(position.seen)
                self._throttle(0 if position.is_done else max(self.pause, monotonic() - began))
        self.steps.set(**timeouts(self.steps.pace.settings))
        self.steps.pace.report(f"backfill of {self.table}: {position.changed} of {position.seen} rows changed")

    def _start(self) -> str:
        """The name of its position. A second backfill that says the same in one revision has one of its own."""
        what = (self.table, self.values, self.where, self.keys)
        name = sha256(repr((what, self.steps.count(POSITIONS, repr(what)))).encode()).hexdigest()
        self.steps.run(CREATE_POSITIONS)
        self.steps.run(lambda: op.execute(text(START).bindparams(name=name)))
        return name

    def _batch(self, after: str, position: str) -> str:
        """One batch and the new position in one statement: neither is there without the other.

        For `text()`, as all of the following.
        """
        names = [f"postern_key_{n}" for n in range(len(self.keys))]
        pairs = list(zip(self._keys, names, strict=True))
        table = verbatim(self.table)
        return f"""
            WITH postern_batch AS MATERIALIZED (
                SELECT {", ".join(f"{key} AS {name}" for key, name in pairs)} FROM {table} {after}
                ORDER BY {self._columns} LIMIT {self.size}
            ), postern_changed AS (
                UPDATE {table} SET {", ".join(f"{column} = {value}" for column, value in self._assigned)}
                FROM (SELECT * FROM postern_batch LIMIT {self.size}) AS postern_batch
                WHERE {" AND ".join(f"{table}.{key} = {name}" for key, name in pairs)} AND ({verbatim(self.where)})
                RETURNING 1
            ), postern_last AS (
                SELECT ARRAY[{", ".join(f"{name}::text" for name in names)}] AS last_key FROM postern_batch
                ORDER BY {", ".join(f"{name} DESC" for name in names)} LIMIT 1
            )
            UPDATE {POSITIONS} SET
                last_key = coalesce((SELECT last_key FROM postern_last), last_key),
                seen = seen + (SELECT count(*) FROM postern_batch),
                changed = changed + (SELECT count(*) FROM postern_changed),
                is_done = (SELECT count(*) FROM postern_batch) < {self.size}
            WHERE name = {position}
        """  # noqa: S608 - the author of a revision writes SQL

    def _loop(self, name: str) -> str:
        settings = self.steps.pace.settings
        last = [f"postern_at.{key}" for key in self._keys]
        after = f"WHERE {last[0]} IS NULL OR ({self._columns}) > ({', '.join(last)})"
        return f"""DO $postern_backfill$
#variable_conflict use_column
DECLARE
    postern_at {verbatim(self.table)}; -- of which only the key is used, for the types of its columns
    postern_is_done boolean;
    postern_began timestamptz;
    postern_failed integer = 0;
BEGIN
    LOOP
        SELECT {", ".join(f"last_key[{n + 1}]" for n in range(len(last)))}, is_done
            INTO STRICT {", ".join(last)}, postern_is_done FROM {POSITIONS} WHERE name = '{name}';
        EXIT WHEN postern_is_done;
        postern_began = clock_timestamp();
        BEGIN {self._batch(after, f"'{name}'")};
            postern_failed = 0;
        EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
            postern_failed = postern_failed + 1;
            IF postern_failed >= {settings.migration_attempts} THEN RAISE; END IF;
        END;
        COMMIT;
        PERFORM pg_sleep(greatest({self.pause}, extract(epoch FROM clock_timestamp() - postern_began))
                         + {settings.migration_retry_delay} * postern_failed);
        WHILE ({" ".join(LAG.split())}) > {settings.migration_max_replication_lag_mb} LOOP
            COMMIT;
            PERFORM pg_sleep(1);
        END LOOP;
    END LOOP;
END $postern_backfill$"""  # noqa: S608 - the author of a revision writes SQL

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
        if not self.steps.ask(NOT_NULL, table=self.table, column=key):
            raise CommandError(
                f"a backfill of {self.table} can't go along {key}: rows where that is null would be missed"
            )
        return str(found.type)

    @property
    def _lock_timeout(self) -> str:
        return milliseconds(min(BATCH_LOCK_TIMEOUT, self.steps.pace.settings.migration_lock_timeout))

    @property
    def _keys(self) -> list[str]:
        return [verbatim(self.steps.quote(key)) for key in self.keys]

    @property
    def _columns(self) -> str:
        return ", ".join(self._keys)

    @property
    def _assigned(self) -> list[tuple[str, str]]:
        return [(verbatim(column), verbatim(value)) for column, value in self.values.items()]


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
