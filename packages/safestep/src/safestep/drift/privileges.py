"""Who may do what with the objects of a database, and the GRANT and REVOKE between two of them."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from sqlalchemy.engine import URL

from safestep.drift.schema import FindProgram, Rewrite, query


class Privilege(NamedTuple):
    """What a role may do with an object, or is to be granted for each new object of a role."""

    scope: str
    """`ALTER DEFAULT PRIVILEGES …` with a blank behind it, or empty."""
    target: str
    """Such as `TABLE public.posts`; in default privileges such as `TABLES`."""
    name: str
    """Such as `SELECT`, or `SELECT (title)` for one column."""
    grantee: str
    may_grant: bool


class Privileges(NamedTuple):
    granted: frozenset[Privilege]
    of_owners: frozenset[Privilege]
    """What the owners of objects have; nobody has to grant it."""
    objects: frozenset[str]
    """The objects that are there, as in `Privilege.target`."""


_QUERY = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
_ROLES = """
    SELECT json_build_array(rolname, EXISTS (
        SELECT FROM pg_shdepend JOIN pg_database ON pg_database.oid = dbid
        WHERE datname = current_database() AND refclassid = 'pg_authid'::regclass AND refobjid = pg_roles.oid
    )) FROM pg_roles
"""


def roles_of(url: URL, client_program: FindProgram) -> dict[str, bool]:
    """The server's roles, and whether each owns something in this database, or is granted something."""
    return dict(json.loads(line) for line in query(url, _ROLES, client_program))


def privileges_of(url: URL, client_program: FindProgram, rewrite: Rewrite = str) -> Privileges:
    """Those of tables, columns, sequences, routines, types and schemas, and default privileges.

    Objects of extensions are left out. The parameters are those of `schema_of`. Raises SchemaUnreadable.
    """
    rows = [json.loads(rewrite(line)) for line in query(url, _QUERY, client_program)]
    return Privileges(
        granted=frozenset(Privilege(*row[:5]) for row in rows if not row[5]),
        of_owners=frozenset(Privilege(*row[:5]) for row in rows if row[5]),
        objects=frozenset(row[1] for row in rows),
    )


def privilege_changes(wanted: Privileges, found: Privileges) -> list[str]:
    """Statements that revoke what is too much and grant what is missing, for objects that are wanted."""
    held = {one._replace(may_grant=False) for one in (*found.granted, *found.of_owners)}
    lost = {one for one in wanted.granted - found.granted if one.may_grant or one not in held}
    unwanted = {one for one in found.granted - wanted.granted if one.target in wanted.objects or one.scope}
    only_option = {one for one in unwanted if one.may_grant and one._replace(may_grant=False) in wanted.granted}
    with_option = {one for one in lost if one.may_grant}
    return [
        *_statements("REVOKE {names} ON {target} FROM {grantee};", unwanted - only_option),
        *_statements("REVOKE GRANT OPTION FOR {names} ON {target} FROM {grantee};", only_option),
        *_statements("GRANT {names} ON {target} TO {grantee};", lost - with_option),
        *_statements("GRANT {names} ON {target} TO {grantee} WITH GRANT OPTION;", with_option),
    ]


def _statements(form: str, privileges: Iterable[Privilege]) -> Iterator[str]:
    """One statement for each object and role."""
    together: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for one in privileges:
        together[one.scope, one.target, one.grantee].add(one.name)
    for (scope, target, grantee), names in sorted(together.items()):
        yield scope + form.format(names=", ".join(sorted(names)), target=target, grantee=grantee)
