"""Page 1,000 costs what page 1 costs: shown by the rows that PostgreSQL reads, not by the clock."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import httpx2
import pytest
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.session import Database

AUTHOR = UUID(int=1)
LIMIT = 10
PAGES = 15

ROWS = """
INSERT INTO users (id, name, created_at)
SELECT lpad(to_hex(n), 32, '0')::uuid, 'Author ' || n, timestamptz '2020-01-01' + n * interval '1 minute'
FROM generate_series(1, 2000) n;

INSERT INTO posts (id, author_id, title, body, created_at, published_at)
SELECT lpad(to_hex(n), 32, '0')::uuid, lpad(to_hex(1 + n % 40 / 2), 32, '0')::uuid, 'Post ' || n, '', moment,
    CASE WHEN n % 2 = 0 THEN moment END
FROM generate_series(1, 8000) n, LATERAL (SELECT timestamptz '2020-01-01' + n / 7 * interval '1 minute' AS moment) m;

ANALYZE users, posts;

-- Which plan is cheapest for so few rows is a matter of luck, that an index gives the order is not.
SET LOCAL enable_sort = off;
SET LOCAL enable_bitmapscan = off
"""


@pytest.fixture
async def many_rows(connection: AsyncConnection) -> None:
    for statement in ROWS.split(";"):
        await connection.execute(text(statement))


@pytest.fixture
def reads(shared_database: Database) -> Iterator[list[tuple[str, Any]]]:
    """Each statement that the list routes run, with its parameters."""
    seen: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.startswith("SELECT"):
            seen.append((statement, parameters))

    engine = shared_database.write_engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    yield seen
    event.remove(engine, "before_cursor_execute", note)


def rows_read(node: dict[str, Any], table: str) -> int:
    """How many rows of the table were touched below this node of an analysed plan, those thrown away included."""
    touched = 0
    if node.get("Relation Name") == table:
        thrown_away = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
        touched = round((node["Actual Rows"] + thrown_away) * node["Actual Loops"])
    return touched + sum(rows_read(child, table) for child in node.get("Plans", []))


async def cost(connection: AsyncConnection, read: tuple[str, Any], table: str) -> int:
    statement, parameters = read
    explain = f"EXPLAIN (ANALYZE, BUFFERS OFF, FORMAT JSON) {statement}"
    plan = (await connection.exec_driver_sql(explain, parameters)).scalar_one()
    plan = json.loads(plan) if isinstance(plan, str) else plan
    return rows_read(plan[0]["Plan"], table)


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("posts", {"status": "published"}),
        ("posts", {"status": "draft"}),
        ("posts", {"status": "published", "author_id": str(AUTHOR)}),
        ("posts", {"status": "draft", "author_id": str(AUTHOR)}),
        ("users", {}),
    ],
    ids=["published", "drafts", "of one author", "drafts of one author", "users"],
)
async def test_a_deep_page_reads_as_many_rows_as_the_first(
    client: httpx2.AsyncClient,
    connection: AsyncConnection,
    many_rows: None,
    reads: list[tuple[str, Any]],
    path: str,
    query: dict[str, str],
) -> None:
    cursor: dict[str, str] = {}
    for _ in range(PAGES):
        page = (await client.get(f"/api/v1/{path}", params={"limit": LIMIT} | query | cursor)).json()
        cursor = {"cursor": page["next_cursor"]}

    first, deep = reads[0], reads[PAGES - 1]

    assert len(page["items"]) == LIMIT
    assert await cost(connection, first, path) == await cost(connection, deep, path) == LIMIT + 1
