"""Page 1,000 costs what page 1 costs: shown by the rows that PostgreSQL reads, not by the clock."""

from collections.abc import Iterator

import httpx2
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.db.session import Database
from tests.support.plans import Query, cost, queries
from tests.support.resources import Many, Route, Values, lists

LIMIT = 10
PAGES = 15

# Which plan is cheapest for so few rows is a matter of luck, that an index gives the order is not, nor which plan reads
# the fewest rows: that is the one to choose when rows are what costs.
PLANNER = ("SET LOCAL enable_sort = off", "SET LOCAL enable_bitmapscan = off", "SET LOCAL cpu_tuple_cost = 10")

PAGED = [route for route in lists() if "cursor" in route.query]
QUERIES = [(route, query) for route in PAGED if route.many for query in route.many.queries]


@pytest.fixture
def reads(shared_database: Database) -> Iterator[list[Query]]:
    with queries(shared_database.write_engine) as seen:
        yield seen


async def store_many(connection: AsyncConnection, many: Many) -> None:
    for statement in (*many.statements, f"ANALYZE {many.table}", *PLANNER):
        await connection.execute(text(statement))


def test_every_list_in_pages_says_how_it_gets_long() -> None:
    assert [str(route) for route in PAGED if not route.many] == [], "say it in `many`"


@pytest.mark.parametrize(("route", "query"), QUERIES, ids=str)
async def test_a_deep_page_reads_as_many_rows_as_the_first(
    client: httpx2.AsyncClient,
    connection: AsyncConnection,
    reads: list[Query],
    route: Route,
    query: Values,
) -> None:
    assert route.many
    await store_many(connection, route.many)
    reads.clear()
    cursor: dict[str, str] = {}
    for _ in range(PAGES):
        page = (await client.get(route.many.at or route.path, params={"limit": LIMIT, **query, **cursor})).json()
        cursor = {"cursor": page["next_cursor"]}

    table = route.many.table
    pages = [read for read in reads if f"FROM {table}" in read[0]]  # who may see it can take another
    assert (len(pages), len(page["items"])) == (PAGES, LIMIT)
    first, deep = pages[0], pages[-1]
    assert await cost(connection, first, table) == await cost(connection, deep, table) == LIMIT + 1
