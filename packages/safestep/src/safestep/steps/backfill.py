"""Data changes on tables in use: in batches along the primary key, at a pace that the replicas can follow.

The position is kept in the database, in the statement that changes the batch: a batch is done once, whatever
happens to the process. The table that holds it goes with the revision's last transaction.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from time import monotonic
from typing import Any

from alembic import op
from alembic.runtime.migration import MigrationContext
from alembic.util import CommandError
from sqlalchemy import text

from safestep.steps.constraints import NOT_NULL
from safestep.steps.execution import SafeStep, milliseconds, own_transactions, verbatim

POSITIONS = "safestep_backfill"
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
LAG = """
    SELECT coalesce(max(pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn)), 0)::bigint / 1048576 AS mb
    FROM pg_stat_replication
"""
# Below PostgreSQL's deadlock_timeout: in a deadlock with a request it is the backfill that gives way.
BATCH_LOCK_TIMEOUT = 0.5


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
    replica is more than `Limits.max_replication_lag_mb` behind. `key` is the primary key, in its order. Rows that are
    written behind the position meanwhile aren't visited: the code or a default has to fill them by then.
    Raises CommandError when a key column doesn't exist, may be null or is itself set, or a replica doesn't catch up.
    """
    keys = [key] if isinstance(key, str) else list(key)
    if moved := values.keys() & keys:
        raise CommandError(f"a backfill of {table} can't go along {min(moved)} and change it: rows would come up again")
    with own_transactions() as step:
        assigned = {step.quote(column): value for column, value in values.items()}
        backfill = _Backfill(step, step.quote(table, schema), assigned, where, keys, batch, pause)
        if step.is_offline:
            backfill.print()
        else:
            backfill.run()


def forget_positions(*, ctx: MigrationContext, **_: Any) -> None:
    """Alembic calls it when a revision is recorded: its backfills are complete for good once that commits."""
    printed = ctx.impl.memo.pop(POSITIONS, None)
    if ctx.as_sql:
        exists = bool(printed)
    else:
        query = text(f"SELECT to_regclass('{POSITIONS}') IS NOT NULL")
        exists = ctx.connection is not None and ctx.connection.scalar(query)
    if exists:
        ctx.execute(f"DROP TABLE {POSITIONS}")


@dataclass
class _Backfill:
    """`table` and the columns of `values` are quoted; the expressions and `where` are the revision's own SQL."""

    step: SafeStep
    table: str
    values: dict[str, str]
    where: str
    keys: list[str]
    size: int
    pause: float

    def print(self) -> None:
        """Prints the loop that `run` goes through, as a block that commits after every batch."""
        self.step.comment("A backfill, a batch and a transaction at a time. When it ends early, run these statements")
        self.step.comment(f"again, and it goes on from where it was: its position is kept in {POSITIONS}.")
        name = self._start()
        # A timeout of the whole loop would end it half-way; and a plan made without the last key reads all before it.
        self.step.set(lock_timeout=self._lock_timeout, statement_timeout="0")
        self.step.run("SET plan_cache_mode = force_custom_plan")
        self.step.run(lambda: op.execute(text(self._loop(name))))
        self.step.run("RESET plan_cache_mode")
        self.step.reset_timeouts()

    def run(self) -> None:
        from safestep.steps.progress import BackfillProgress  # a progress bar that `import safestep` shouldn't load

        types = [self._type(key) for key in self.keys]
        name = self._start()
        position = self.step.one_row(POSITION, name=name)
        self.step.set(lock_timeout=self._lock_timeout)
        typed = ", ".join(f"CAST(CAST(:last_{n} AS text) AS {kind})" for n, kind in enumerate(types))
        with BackfillProgress(self.step, self.table) as progress:
            while not position.is_done:
                began, last = monotonic(), {f"last_{n}": value for n, value in enumerate(position.last_key or [])}
                after = f"WHERE ({self._columns}) > ({typed})" if last else ""
                batch = f"{self._batch(after, ':name')} RETURNING last_key, seen, changed, is_done"
                position = self.step.one_row(batch, name=name, **last)
                self.step.migration_run.completed += 1
                progress.update(position.seen)
                self._throttle(0 if position.is_done else max(self.pause, monotonic() - began))
        self.step.reset_timeouts()
        self.step.migration_run.announce(
            f"backfill of {self.table}: {position.changed} of {position.seen} rows changed"
        )

    def _start(self) -> str:
        """The name of its position. A second backfill that says the same in one revision has one of its own."""
        what = (self.table, self.values, self.where, self.keys)
        name = sha256(repr((what, self.step.count(POSITIONS, repr(what)))).encode()).hexdigest()
        self.step.run(CREATE_POSITIONS)
        self.step.run(lambda: op.execute(text(START).bindparams(name=name)))
        return name

    def _batch(self, after: str, position: str) -> str:
        """One batch and the new position in one statement: neither is there without the other.

        For `text()`, as all of the following.
        """
        names = [f"safestep_key_{n}" for n in range(len(self.keys))]
        pairs = list(zip(self._keys, names, strict=True))
        table = verbatim(self.table)
        return f"""
            WITH safestep_batch AS MATERIALIZED (
                SELECT {", ".join(f"{key} AS {name}" for key, name in pairs)} FROM {table} {after}
                ORDER BY {self._columns} LIMIT {self.size}
            ), safestep_changed AS (
                UPDATE {table} SET {", ".join(f"{column} = {value}" for column, value in self._assigned)}
                FROM (SELECT * FROM safestep_batch LIMIT {self.size}) AS safestep_batch
                WHERE {" AND ".join(f"{table}.{key} = {name}" for key, name in pairs)} AND ({verbatim(self.where)})
                RETURNING 1
            ), safestep_last AS (
                SELECT ARRAY[{", ".join(f"{name}::text" for name in names)}] AS last_key FROM safestep_batch
                ORDER BY {", ".join(f"{name} DESC" for name in names)} LIMIT 1
            )
            UPDATE {POSITIONS} SET
                last_key = coalesce((SELECT last_key FROM safestep_last), last_key),
                seen = seen + (SELECT count(*) FROM safestep_batch),
                changed = changed + (SELECT count(*) FROM safestep_changed),
                is_done = (SELECT count(*) FROM safestep_batch) < {self.size}
            WHERE name = {position}
        """  # noqa: S608 - the author of a revision writes SQL

    def _loop(self, name: str) -> str:
        limits = self.step.limits
        last = [f"safestep_at.{key}" for key in self._keys]
        after = f"WHERE {last[0]} IS NULL OR ({self._columns}) > ({', '.join(last)})"
        return f"""DO $safestep_backfill$
#variable_conflict use_column
DECLARE
    safestep_at {verbatim(self.table)}; -- of which only the key is used, for the types of its columns
    safestep_is_done boolean;
    safestep_began timestamptz;
    safestep_failed integer = 0;
BEGIN
    LOOP
        SELECT {", ".join(f"last_key[{n + 1}]" for n in range(len(last)))}, is_done
            INTO STRICT {", ".join(last)}, safestep_is_done FROM {POSITIONS} WHERE name = '{name}';
        EXIT WHEN safestep_is_done;
        safestep_began = clock_timestamp();
        BEGIN {self._batch(after, f"'{name}'")};
            safestep_failed = 0;
        EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
            safestep_failed = safestep_failed + 1;
            IF safestep_failed >= {limits.attempts} THEN RAISE; END IF;
        END;
        COMMIT;
        PERFORM pg_sleep(greatest({self.pause}, extract(epoch FROM clock_timestamp() - safestep_began))
                         + {limits.retry_delay} * safestep_failed);
        WHILE ({" ".join(LAG.split())}) > {limits.max_replication_lag_mb} LOOP
            COMMIT;
            PERFORM pg_sleep(1);
        END LOOP;
    END LOOP;
END $safestep_backfill$"""  # noqa: S608 - the author of a revision writes SQL

    def _throttle(self, pause: float) -> None:
        limits = self.step.limits
        self.step.sleep(pause)
        deadline = monotonic() + limits.concurrent_timeout
        while self.step.one_row(LAG).mb > limits.max_replication_lag_mb:
            if monotonic() > deadline:
                raise CommandError(f"the backfill of {self.table} stopped: a replica stays too far behind")
            self.step.sleep(1.0)

    def _type(self, key: str) -> str:
        found = self.step.first_row(KEY_TYPE, table=self.table, key=key)
        if found is None:
            raise CommandError(f"{self.table} has no column {key} for its backfill to go along")
        if not self.step.first_row(NOT_NULL, table=self.table, column=key):
            raise CommandError(
                f"a backfill of {self.table} can't go along {key}: rows where that is null would be missed"
            )
        return str(found.type)

    @property
    def _lock_timeout(self) -> str:
        return milliseconds(min(BATCH_LOCK_TIMEOUT, self.step.limits.lock_timeout))

    @property
    def _keys(self) -> list[str]:
        return [verbatim(self.step.quote(key)) for key in self.keys]

    @property
    def _columns(self) -> str:
        return ", ".join(self._keys)

    @property
    def _assigned(self) -> list[tuple[str, str]]:
        return [(verbatim(column), verbatim(value)) for column, value in self.values.items()]
