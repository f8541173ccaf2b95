"""Each way of changing rows leaves one record for each changed row, with whoever did it; nothing else leaves any."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import delete, event, insert, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from app.core.context import Actor, act_as, request_context
from app.db.models.user import User
from app.db.session import Database
from tests.support.application import make_settings
from tests.support.database import ask, audit_log_of, plain

ADA, GRACE, MARY = (uuid7() for _ in range(3))
ACTOR = Actor("api_key", uuid7(), uuid7())
REQUEST = "o'clock-request"
USERS: list[dict[str, Any]] = [{"id": ADA, "name": "Ada"}, {"id": GRACE, "name": "Grace"}]

type Write = Callable[[AsyncSession], Awaitable[Any]]


async def by_objects(session: AsyncSession) -> None:
    session.add_all([User(**values) for values in USERS])
    await session.flush()
    (await session.get_one(User, ADA)).is_active = False
    await session.delete(await session.get_one(User, GRACE))
    await session.flush()


async def by_statements(session: AsyncSession) -> None:
    await session.execute(insert(User).values(USERS))
    await session.execute(update(User).where(User.id == ADA).values(is_active=False))
    await session.execute(delete(User).where(User.id == GRACE))


async def by_bulk_objects(session: AsyncSession) -> None:
    await session.run_sync(lambda sync: sync.bulk_save_objects([User(**values) for values in USERS]))
    await session.run_sync(lambda sync: sync.bulk_update_mappings(User, [{"id": ADA, "is_active": False}]))
    await session.execute(text("DELETE FROM users WHERE id = :id"), {"id": GRACE})


async def by_text(session: AsyncSession) -> None:
    await session.execute(text("INSERT INTO users (id, name) VALUES (:id, :name)"), USERS)
    await session.execute(text("UPDATE users SET is_active = false WHERE id = :id"), {"id": ADA})
    await session.execute(text("DELETE FROM users WHERE id = :id"), {"id": GRACE})


async def by_upsert(session: AsyncSession) -> None:
    statement = upsert(User)
    change = statement.on_conflict_do_update(index_elements=["id"], set_={"is_active": statement.excluded.is_active})
    await session.execute(change, USERS)
    await session.execute(change, [USERS[0] | {"is_active": False}])
    await session.execute(delete(User).where(User.id == GRACE))


@pytest.fixture
async def database(live_url: URL) -> Any:
    opened = Database(live_url, make_settings(live_url, db_pool_size=1, db_max_overflow=0))
    yield opened
    await opened.close()


async def write(database: Database, change: Write, *, who: Actor = ACTOR, request_id: str = REQUEST) -> None:
    with request_context(request_id, who):
        async with database.transaction() as session:
            await change(session)


def told(url: URL) -> list[tuple[str, UUID]]:
    """Action and entity of each record, those of one moment in any order."""
    return sorted(ask(url, "SELECT action, entity_id FROM audit_events"))


def actors(url: URL) -> Sequence[tuple[Any, ...]]:
    return ask(url, "SELECT DISTINCT actor_kind, actor_id, actor_key_id, request_id, actor_role FROM audit_events")


@pytest.mark.parametrize("change", [by_objects, by_statements, by_bulk_objects, by_text, by_upsert])
async def test_every_way_of_the_service_leaves_one_record_a_row(
    database: Database, live_url: URL, change: Write
) -> None:
    await write(database, change)

    assert told(live_url) == sorted(
        [("user.created", ADA), ("user.created", GRACE), ("user.updated", ADA), ("user.deleted", GRACE)]
    )
    assert actors(live_url) == [(ACTOR.kind, ACTOR.id, ACTOR.key_id, REQUEST, None)]


def test_what_is_typed_in_psql_is_on_record_with_the_role(url: URL) -> None:
    with psycopg.connect(plain(url)) as connection:
        role = connection.execute("SELECT session_user").fetchall()[0][0]
        connection.execute("INSERT INTO users (id, name) VALUES (%s, 'Ada')", (ADA,))
        connection.execute("UPDATE users SET is_active = false")
        connection.execute("UPDATE users SET is_active = true")
        with connection.cursor().copy("COPY users (id, name) FROM STDIN") as copy:
            copy.write_row((GRACE, "Grace"))
            copy.write_row((MARY, "Mary"))
    ask(url, "DELETE FROM users WHERE name = 'Mary'")

    assert told(url) == sorted(
        [
            *(("user.created", each) for each in (ADA, GRACE, MARY)),
            *[("user.updated", ADA)] * 2,
            ("user.deleted", MARY),
        ]
    )
    assert actors(url) == [("database_role", None, None, None, role)]


async def test_copy_within_a_transaction_of_the_service_is_the_actors(database: Database, live_url: URL) -> None:
    async def copy(session: AsyncSession) -> None:
        driver: Any = (await (await session.connection()).get_raw_connection()).driver_connection
        await session.execute(text("SELECT 1"))
        if live_url.get_driver_name() == "asyncpg":
            await driver.copy_records_to_table("users", records=[(ADA, "Ada")], columns=("id", "name"))
            return
        async with driver.cursor().copy("COPY users (id, name) FROM STDIN") as into:
            await into.write_row((ADA, "Ada"))

    await write(database, copy)

    assert told(live_url) == [("user.created", ADA)]
    assert [kind for kind, *_ in actors(live_url)] == [ACTOR.kind]


async def test_what_cascade_deletes_is_on_record(database: Database, live_url: URL) -> None:
    key = uuid7()
    ask(live_url, "INSERT INTO users (id, name) VALUES (%s, 'Ada')", ADA)
    ask(
        live_url,
        "INSERT INTO api_keys (id, user_id, name, prefix, key_hash, scopes) VALUES (%s, %s, 'key', 'p', '', '{}')",
        key,
        ADA,
    )
    known = len(audit_log_of(live_url))

    await write(database, lambda session: session.execute(delete(User).where(User.id == ADA)))

    assert audit_log_of(live_url)[known:] == [
        (ACTOR.kind, "user.deleted", str(ADA), {}),
        (ACTOR.kind, "api_key.deleted", str(key), {}),
    ]


async def test_a_transaction_that_is_rolled_back_leaves_no_record(database: Database, live_url: URL) -> None:
    class Refused(Exception):
        pass

    async def refused(session: AsyncSession) -> None:
        await by_statements(session)
        raise Refused

    with pytest.raises(Refused):
        await write(database, refused)
    with psycopg.connect(plain(live_url)) as connection:
        connection.execute("INSERT INTO users (id, name) VALUES (%s, 'Ada')", (ADA,))
        connection.rollback()

    assert told(live_url) == []


async def test_a_change_that_changes_nothing_leaves_no_record(database: Database, live_url: URL) -> None:
    ask(live_url, "INSERT INTO users (id, name) VALUES (%s, 'Ada')", ADA)

    await write(database, lambda session: session.execute(update(User).values(name="Ada")))

    assert told(live_url) == [("user.created", ADA)]


async def test_nobody_is_taken_for_whoever_had_the_connection_before(database: Database, live_url: URL) -> None:
    """The pool has one connection, so each of them gets it from the one before."""
    others = [Actor("user", uuid7()), Actor(), Actor("api_key", uuid7(), uuid7()), Actor("command")]
    for number, who in enumerate(others):
        new = {"id": uuid7(), "name": f"User {number}"}
        await write(
            database, lambda session, new=new: session.execute(insert(User).values(new)), who=who, request_id=""
        )
    kept = [(who.kind, who.id, who.key_id, None) for who in others]

    rows = ask(live_url, "SELECT actor_kind, actor_id, actor_key_id, request_id FROM audit_events ORDER BY at, id")

    assert rows == kept


async def test_through_asyncpg_the_actor_goes_with_begin(url: URL) -> None:
    statements: list[str] = []
    database = Database(url, make_settings(url))
    event.listen(database.write_engine.sync_engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
    await write(database, lambda session: session.execute(insert(User).values(USERS[0])))
    await database.close()

    assert actors(url) == [(ACTOR.kind, ACTOR.id, ACTOR.key_id, REQUEST, None)]
    assert [statement for statement in statements if "audit." in statement] == []


async def test_who_acts_may_become_known_within_the_transaction(database: Database, live_url: URL) -> None:
    async def sign_in(session: AsyncSession) -> None:
        await session.execute(insert(User).values(USERS[0]))
        act_as(ACTOR)
        await session.execute(insert(User).values(USERS[1]))

    await write(database, sign_in, who=Actor())

    rows = ask(live_url, "SELECT entity_id, actor_kind FROM audit_events ORDER BY id")
    assert rows == [(ADA, "anonymous"), (GRACE, ACTOR.kind)]


async def test_what_a_savepoint_undid_is_said_again(database: Database, live_url: URL) -> None:
    async def within(session: AsyncSession) -> None:
        savepoint = await session.begin_nested()
        await session.execute(text("SELECT 1"))  # the savepoint is there, before it is known who acts
        act_as(ACTOR)
        await session.execute(insert(User).values(USERS[0]))
        await savepoint.rollback()
        await session.execute(insert(User).values(USERS[1]))

    await write(database, within, who=Actor())

    assert told(live_url) == [("user.created", GRACE)]
    assert actors(live_url) == [(ACTOR.kind, ACTOR.id, ACTOR.key_id, REQUEST, None)]
