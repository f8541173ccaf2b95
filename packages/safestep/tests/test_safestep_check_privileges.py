"""`check` and privileges: what the roles' SQL grants is wanted, anything more or less is named."""

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from uuid import uuid4

import pytest
from safestep.cli import make_app
from safestep.project import DatabaseRoles
from safestep_support.databases import ask
from safestep_support.revisions import Revisions
from sqlalchemy.engine import URL
from typer.testing import CliRunner, Result

SQL = """
DO $$ BEGIN
    IF to_regrole('OWNER') IS NULL THEN CREATE ROLE OWNER LOGIN CREATEDB; END IF;
    IF to_regrole('SERVICE') IS NULL THEN CREATE ROLE SERVICE LOGIN; END IF;
END $$;
GRANT CREATE ON SCHEMA public TO OWNER;
GRANT USAGE ON SCHEMA public TO SERVICE;
ALTER DEFAULT PRIVILEGES FOR ROLE OWNER IN SCHEMA public GRANT SELECT ON TABLES TO SERVICE;
GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO SERVICE;
REVOKE UPDATE ON events FROM SERVICE;
REVOKE INSERT, UPDATE ON alembic_version FROM SERVICE;
DROP POLICY IF EXISTS readable ON posts;
CREATE POLICY readable ON posts FOR SELECT TO SERVICE USING (published_at IS NOT NULL);
ALTER TABLE posts ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
"""

type Check = Callable[..., Result]


@pytest.fixture
def roles(server: URL) -> Iterator[DatabaseRoles]:
    """Roles that no other test knows; the server has them when the SQL has been run."""
    owner, service = (f"{name}_{uuid4().hex[:12]}" for name in ("owner", "service"))
    yield DatabaseRoles(names=(owner, service), sql=SQL.replace("OWNER", owner).replace("SERVICE", service))
    for name in (owner, service):
        ask(server, f"DROP ROLE IF EXISTS {name}")


@pytest.fixture
def database(roles: DatabaseRoles, url: URL) -> Iterator[URL]:
    """A migrated database in which the roles are set up."""
    ask(url, roles.sql)
    yield url
    for name in roles.names:
        ask(url, f"DO $$ BEGIN IF to_regrole('{name}') IS NOT NULL THEN DROP OWNED BY {name}; END IF; END $$")


@pytest.fixture
def check(revisions: Revisions, roles: DatabaseRoles, url: URL, server: URL) -> Check:
    """Runs the command on the test's database, with scratch databases of this role."""
    project = replace(revisions.project, database=lambda: nullcontext(url), roles=lambda: roles)

    def run(username: str | None = None) -> Result:
        scratch = server.set(username=username) if username else server
        text = scratch.render_as_string(hide_password=False)
        return CliRunner().invoke(make_app(project), ["check", "--server", text])

    return run


def printed(result: Result) -> str:
    return result.output.partition("to the models:\n")[2]


def test_what_the_roles_are_granted_is_no_drift(database: URL, check: Check) -> None:
    result = check()

    assert (result.exit_code, result.output) == (0, "open: models and database agree\n")


def test_the_roles_of_a_check_are_gone_afterwards(database: URL, check: Check) -> None:
    check()

    assert ask(database, "SELECT FROM pg_roles WHERE rolname LIKE 'safestep_scratch%'") == []


def test_roles_that_nobody_set_up_miss_nothing(url: URL, check: Check) -> None:
    assert check().exit_code == 0


# What each does to the database, and the statements that undo it.
READABLE = "CREATE POLICY readable ON public.posts FOR SELECT TO SERVICE USING ((published_at IS NOT NULL));"
IN_PUBLIC = "ALTER DEFAULT PRIVILEGES FOR ROLE OWNER IN SCHEMA public"
LOST = {
    "REVOKE SELECT, INSERT ON posts FROM SERVICE": "GRANT INSERT, SELECT ON TABLE public.posts TO SERVICE;",
    "REVOKE USAGE ON SCHEMA public FROM SERVICE": "GRANT USAGE ON SCHEMA public TO SERVICE;",
    "REVOKE EXECUTE ON FUNCTION events_append_only FROM PUBLIC": (
        "GRANT EXECUTE ON ROUTINE public.events_append_only() TO PUBLIC;"
    ),
    f"{IN_PUBLIC} REVOKE SELECT ON TABLES FROM SERVICE": f"{IN_PUBLIC} GRANT SELECT ON TABLES TO SERVICE;",
    "ALTER TABLE posts NO FORCE ROW LEVEL SECURITY": "ALTER TABLE ONLY public.posts FORCE ROW LEVEL SECURITY;",
    "ALTER TABLE posts DISABLE ROW LEVEL SECURITY": "ALTER TABLE public.posts ENABLE ROW LEVEL SECURITY;",
    "DROP POLICY readable ON posts": READABLE,
}
ADDED = {
    "GRANT UPDATE ON events TO SERVICE": "REVOKE UPDATE ON TABLE public.events FROM SERVICE;",
    "GRANT DELETE ON alembic_version TO SERVICE": "REVOKE DELETE ON TABLE public.alembic_version FROM SERVICE;",
    "GRANT SELECT ON posts TO PUBLIC": "REVOKE SELECT ON TABLE public.posts FROM PUBLIC;",
    "GRANT SELECT (email) ON users TO PUBLIC": "REVOKE SELECT (email) ON TABLE public.users FROM PUBLIC;",
    "GRANT SELECT ON users TO SERVICE WITH GRANT OPTION": (
        "REVOKE GRANT OPTION FOR SELECT ON TABLE public.users FROM SERVICE;"
    ),
    f"{IN_PUBLIC} GRANT DELETE ON TABLES TO SERVICE": f"{IN_PUBLIC} REVOKE DELETE ON TABLES FROM SERVICE;",
    f"{IN_PUBLIC} GRANT SELECT ON SEQUENCES TO PUBLIC": f"{IN_PUBLIC} REVOKE SELECT ON SEQUENCES FROM PUBLIC;",
    "ALTER DEFAULT PRIVILEGES FOR ROLE OWNER GRANT EXECUTE ON ROUTINES TO SERVICE": (
        "ALTER DEFAULT PRIVILEGES FOR ROLE OWNER REVOKE EXECUTE ON ROUTINES FROM SERVICE;"
    ),
    "ALTER TABLE users FORCE ROW LEVEL SECURITY": "ALTER TABLE ONLY public.users NO FORCE ROW LEVEL SECURITY;",
    "ALTER TABLE counters ENABLE ROW LEVEL SECURITY": "ALTER TABLE public.counters DISABLE ROW LEVEL SECURITY;",
    "CREATE POLICY stray ON users USING (true)": "DROP POLICY stray ON public.users;",
    "ALTER POLICY readable ON posts TO PUBLIC": f"DROP POLICY readable ON public.posts;\n{READABLE}",
}


@pytest.mark.parametrize("drifts", [LOST, ADDED], ids=["lost", "added"])
def test_what_drifted_is_all_that_is_printed_and_can_be_run(
    drifts: dict[str, str], database: URL, roles: DatabaseRoles, check: Check
) -> None:
    owner, service = roles.names
    named = {drift: remedy.replace("OWNER", owner).replace("SERVICE", service) for drift, remedy in drifts.items()}
    for drift in named:
        ask(database, drift.replace("OWNER", owner).replace("SERVICE", service))

    result = check()

    assert result.exit_code == 1
    assert sorted(printed(result).splitlines()) == sorted("\n".join(named.values()).splitlines())
    ask(database, printed(result))
    assert check().exit_code == 0


def test_a_lost_table_comes_back_with_its_privileges(database: URL, check: Check) -> None:
    ask(database, "DROP TABLE counters")

    ask(database, printed(check()))

    assert check().exit_code == 0


def test_a_table_too_many_needs_no_revoke(database: URL, roles: DatabaseRoles, check: Check) -> None:
    ask(database, f"CREATE TABLE stray (id int); GRANT SELECT ON stray TO {roles.names[1]}")

    assert printed(check()).strip() == "DROP TABLE public.stray;"


def test_what_an_owner_may_do_is_not_missing(database: URL, roles: DatabaseRoles, check: Check) -> None:
    ask(database, f"ALTER TABLE counters OWNER TO {roles.names[1]}")

    assert check().exit_code == 0


def test_a_role_that_is_gone_is_named(database: URL, roles: DatabaseRoles, check: Check) -> None:
    service = roles.names[1]
    ask(database, f"DROP OWNED BY {service}; DROP ROLE {service}")

    first, *others = printed(check()).splitlines()
    ask(database, f"CREATE ROLE {service}; {'\n'.join(others)}")

    assert first == f"-- the role {service} doesn't exist: make it first"
    assert check().exit_code == 0


def test_without_the_right_to_make_roles_the_rest_is_compared(database: URL, server: URL, check: Check) -> None:
    ask(database, "DROP POLICY readable ON posts; ALTER TABLE posts NO FORCE ROW LEVEL SECURITY")
    ask(database, "ALTER TABLE posts DISABLE ROW LEVEL SECURITY; REVOKE SELECT ON posts FROM PUBLIC")
    name = f"maker_{uuid4().hex[:12]}"
    ask(server, f"CREATE ROLE {name} LOGIN CREATEDB")
    result = check(username=name)
    ask(server, f"DROP ROLE {name}")

    assert (result.exit_code, "privileges weren't compared" in result.output) == (0, True)
