"""What a project's models and roles describe, and the SQL that makes a database so."""

import asyncio
from typing import NamedTuple

from sqlalchemy.engine import URL

from safestep.connections import engine
from safestep.drift.difference import difference
from safestep.drift.privileges import privilege_changes, privileges_of, roles_of
from safestep.drift.schema import query, schema_of
from safestep.project import DatabaseRoles, Project
from safestep.scratch import ScratchDatabase, ScratchRoles

NO_ROLES = DatabaseRoles(names=(), sql="")
NOT_COMPARED = "privileges weren't compared: the role on the scratch server may not create roles"
_MAY_CREATE_ROLES = "SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user"
# The models don't know Alembic's table; what roles may do with it is described all the same.
_VERSION_TABLE = "CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY);\n"


class Drift(NamedTuple):
    statements: list[str]
    """From the database to what is described; none when it is so."""
    note: str | None
    """What wasn't compared."""


def drift(project: Project, url: URL, server: URL) -> Drift:
    """Builds what is described in a scratch database on the server. Raises SchemaUnreadable.

    Privileges are compared in a database that one of the project's roles uses. In another one nobody has set the roles
    up, so that nothing is missing.
    """
    known = roles_of(url, project.client_program)
    roles = project.roles() if project.roles else NO_ROLES
    if not any(known.get(name) for name in roles.names):
        roles = NO_ROLES
    may_compare = not roles.names or query(server, _MAY_CREATE_ROLES, project.client_program) == ["t"]
    if not may_compare:
        roles = NO_ROLES
    gone = [f"-- the role {name} doesn't exist: make it first" for name in roles.names if name not in known]
    return Drift(gone + _changes(project, roles, url, server), None if may_compare else NOT_COMPARED)


def _changes(project: Project, roles: DatabaseRoles, url: URL, server: URL) -> list[str]:
    find = project.client_program
    with ScratchRoles(server, roles.names) as scratch_roles, ScratchDatabase(server) as described:
        asyncio.run(_create_all(project, described))
        if not roles.names:
            return difference(schema_of(described, find), schema_of(url, find))
        query(described, _VERSION_TABLE + scratch_roles.disguised(roles.sql), find)
        schema = schema_of(described, find, scratch_roles.restored)
        wanted = privileges_of(described, find, scratch_roles.restored)
    return [*difference(schema, schema_of(url, find)), *privilege_changes(wanted, privileges_of(url, find))]


async def _create_all(project: Project, url: URL) -> None:
    async with engine(url) as opened, opened.begin() as connection:
        await connection.run_sync(project.metadata().create_all)
