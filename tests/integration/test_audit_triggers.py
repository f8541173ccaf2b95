"""The triggers of the audit log: they are what the models describe, and Alembic notices when they aren't."""

import httpx2
import psycopg
import pytest
from alembic.autogenerate import produce_migrations, render_python_code
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, text
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncConnection
from uuid_utils.compat import uuid7

from app.db.audit_revisions import differences
from app.db.audit_triggers import creation
from app.db.base import PRIVATE, UNRECORDED, Base
from app.db.models.user import User
from tests.support.database import ask, audit_log_of, plain

SUBJECT = uuid7()
CANARY = "canary"


async def missing(connection: AsyncConnection) -> dict[str, list[str]]:
    """Table -> the statements that it lacks."""
    found = await connection.run_sync(differences)
    return {operation.table: creation(operation.table, operation.new) for operation in found}


async def test_every_audited_table_has_its_triggers_and_no_other(connection: AsyncConnection) -> None:
    assert await missing(connection) == {}


@pytest.mark.parametrize("mark", [PRIVATE, UNRECORDED], ids=["private", "unrecorded"])
async def test_a_column_that_is_marked_without_a_revision_is_noticed(
    connection: AsyncConnection, monkeypatch: pytest.MonkeyPatch, mark: dict[str, bool]
) -> None:
    monkeypatch.setattr(User.__table__.c.is_admin, "info", mark)

    (table, statements), *others = (await missing(connection)).items()

    assert (table, others) == ("users", [])
    assert all("is_admin" in statement for statement in statements)


@pytest.mark.parametrize("name", ["record_change", "record_unnamed_change"])
async def test_a_trigger_that_was_dropped_is_noticed(connection: AsyncConnection, name: str) -> None:
    await connection.execute(text(f"DROP TRIGGER {name} ON users"))

    assert (await missing(connection)).keys() == {"users"}


async def test_a_table_that_is_audited_no_longer_loses_its_triggers(
    connection: AsyncConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(User, "__audited__", False)

    assert await missing(connection) == {"users": []}


async def test_a_revision_that_alembic_writes_brings_the_triggers(
    connection: AsyncConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    await connection.execute(text("DROP TRIGGER record_change ON api_keys"))
    await connection.execute(text("DROP TRIGGER record_unnamed_change ON api_keys"))
    monkeypatch.setattr(User, "__audited__", False)

    def written(sync: Connection) -> tuple[str, str]:
        script = produce_migrations(MigrationContext.configure(sync), Base.metadata)
        assert script.upgrade_ops
        assert script.downgrade_ops
        return render_python_code(script.upgrade_ops), render_python_code(script.downgrade_ops)

    upgrade, downgrade = await connection.run_sync(written)

    assert 'op.execute("""DROP TRIGGER record_change ON users""")' in upgrade
    assert 'op.execute("""CREATE TRIGGER record_change AFTER INSERT OR UPDATE OR DELETE ON api_keys' in upgrade
    assert 'op.execute("""CREATE TRIGGER record_change AFTER INSERT OR UPDATE OR DELETE ON users' in downgrade


def test_private_values_never_appear_whoever_writes(url: URL) -> None:
    everything = {"email": f"{CANARY}@example.com", "name": CANARY, "password_hash": CANARY}
    with psycopg.connect(plain(url)) as connection:
        connection.execute(
            "INSERT INTO users (id, email, name, password_hash) VALUES (%s, %s, %s, %s)",
            (SUBJECT, *everything.values()),
        )
    ask(url, "UPDATE users SET email = 'second-' || email, name = NULL, password_hash = ''")
    ask(url, "DELETE FROM users")

    (_, created, _, first), (_, updated, _, second), (_, deleted, _, third) = audit_log_of(url)

    assert CANARY not in str(ask(url, "SELECT * FROM audit_events"))
    assert (created, updated, deleted) == ("user.created", "user.updated", "user.deleted")
    assert first == {column: [None, "***"] for column in everything} | {
        "is_active": [None, True],
        "is_admin": [None, False],
    }
    assert second == {"email": ["***", "***"], "name": ["***", None], "password_hash": ["***", "***"]}
    assert third == {}


OLD_RECORD = """
    INSERT INTO audit_events (id, actor_kind, actor_id, actor_key_id, action, entity, entity_id, request_id, changes)
    VALUES (gen_random_uuid(), 'user', gen_random_uuid(), NULL, %s, 'user', %s, 'a request', '{}')
"""


def test_a_version_that_writes_its_own_records_doubles_none_and_loses_none(url: URL) -> None:
    """The hook of older versions wrote after the change, in the same transaction, and knew of no settings."""
    unseen = uuid7()
    for action, change in (
        ("user.created", "INSERT INTO users (id, name) VALUES (%s, 'Ada')"),
        ("user.updated", "UPDATE users SET name = 'Grace' WHERE id = %s"),
        ("user.deleted", "DELETE FROM users WHERE id = %s"),
    ):
        with psycopg.connect(plain(url)) as connection:
            connection.execute(change, (SUBJECT,))
            connection.execute(OLD_RECORD, (action, SUBJECT))
    ask(url, "INSERT INTO users (id, name) VALUES (%s, 'Mary')", unseen)  # as its bulk statements did

    assert sorted(ask(url, "SELECT actor_kind, action FROM audit_events")) == [
        ("database_role", "user.created"),
        ("user", "user.created"),
        ("user", "user.deleted"),
        ("user", "user.updated"),
    ]


async def test_the_log_shows_the_role_behind_psql(client: httpx2.AsyncClient, connection: AsyncConnection) -> None:
    values = "'database_role', 'dba', 'user.updated', 'user'"
    await connection.execute(
        text(f"INSERT INTO audit_events (actor_kind, actor_role, action, entity) VALUES ({values})")
    )

    (shown,) = (await client.get("/api/v1/audit-events")).json()["items"]

    assert (shown["actor_kind"], shown["actor_role"], shown["actor_id"]) == ("database_role", "dba", None)
