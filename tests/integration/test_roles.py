"""The roles that the command prints: the service can do its work, and neither change tables nor the audit log."""

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace

import psycopg
import pytest
from anyio import to_thread
from safestep.cli import make_app
from safestep.migrations import commands
from safestep.scratch import ScratchDatabase
from sqlalchemy.engine import URL
from typer.testing import CliRunner

from app.cli.main import app as command
from app.db.migrations import project
from app.db.roles import OWNER, SERVICE
from tests.support.accounts import API
from tests.support.application import client_of, running
from tests.support.database import ask

NEW = {"email": "ada@example.com", "name": "Ada", "password": "a quiet green harbour"}


@pytest.fixture(scope="module")
def service(template: URL) -> Iterator[URL]:
    """A database that the owner migrated, as the service sees it."""
    printed = CliRunner().invoke(command, ["db", "roles"]).stdout
    with ScratchDatabase(template.set(database="postgres")) as superuser:
        ask(superuser, printed)
        commands.upgrade(project, superuser.set(username=OWNER))
        ask(superuser, printed)
        yield superuser.set(username=SERVICE)


async def test_the_service_works_without_owning_anything(service: URL) -> None:
    async with running(service) as app, client_of(app, headers={}) as client:
        created = await client.post(f"{API}/users", json=NEW)
        signed_in = await client.post(f"{API}/auth/token", data={"username": NEW["email"], "password": NEW["password"]})

    assert (created.status_code, signed_in.status_code) == (201, 200)
    assert ask(service, "SELECT action FROM audit_events ORDER BY id")[0] == ("user.created",)
    assert await to_thread.run_sync(commands.missing_migration, project, service) is None


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_events SET action = 'nothing'",
        "DELETE FROM audit_events",
        "TRUNCATE audit_events",
        "ALTER TABLE audit_events DISABLE TRIGGER ALL",
        "DROP TRIGGER audit_events_append_only ON audit_events",
        "SET session_replication_role = replica",
        "ALTER TABLE users ADD COLUMN spare text",
        "CREATE TABLE mine (id int)",
        "DROP TABLE users CASCADE",
        "UPDATE alembic_version SET version_num = 'none'",
        "DELETE FROM alembic_version",
        f"SET ROLE {OWNER}",
    ],
)
def test_the_service_is_refused(service: URL, statement: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        ask(service, statement)


def test_a_grant_that_was_lost_is_named_and_nothing_else(service: URL, template: URL) -> None:
    database = service.set(username=OWNER)
    checked = make_app(replace(project, database=lambda: nullcontext(database)))
    server = template.set(database="postgres").render_as_string(hide_password=False)
    check = ["check", "--server", server]
    whole = CliRunner().invoke(checked, check)
    assert whole.exit_code == 0, whole.output

    ask(database, f"REVOKE INSERT ON posts FROM {SERVICE}")
    lacking = CliRunner().invoke(checked, check)
    remedy = f"GRANT INSERT ON TABLE public.posts TO {SERVICE};"
    ask(database, remedy)

    assert lacking.output.partition("to the models:\n")[2].strip() == remedy
