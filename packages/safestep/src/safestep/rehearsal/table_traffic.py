"""Which tables requests touch, by the server's own counters."""

from collections.abc import Mapping

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

# A partition counts for its table. Scans for a foreign key's check count too: they need the table as a query does.
COUNTERS = text("""
    SELECT root.relname AS name,
           sum(COALESCE(seq_scan, 0) + COALESCE(idx_scan, 0) + n_tup_ins + n_tup_upd + n_tup_del)::bigint AS touched
    FROM pg_stat_user_tables AS stat JOIN pg_class AS root ON root.oid = COALESCE(pg_partition_root(relid), relid)
    WHERE root.relname <> 'alembic_version' AND root.relnamespace = ANY (current_schemas(false)::regnamespace[])
    GROUP BY root.relname
""")

type Counters = Mapping[str, int]


async def read_counters(connection: AsyncConnection) -> Counters:
    """By table, how often it was read or written. A session reports what it did within a second of its next query."""
    return {row.name: row.touched for row in await connection.execute(COUNTERS)}


def untouched(before: Counters, after: Counters) -> list[str]:
    return sorted(name for name, touched in after.items() if touched == before.get(name, touched))
