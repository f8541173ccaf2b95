"""The database's roles: one owns the tables and migrates them, the other serves and can change neither."""

from string import Template

from safestep.project import DatabaseRoles

from app.core.product import COMMAND, NAME

OWNER, SERVICE = f"{COMMAND}_owner".replace("-", "_"), f"{COMMAND}_service".replace("-", "_")

_SQL = Template("""\
-- Roles of $name. Run this as a superuser in its database, before the first migration and again after each.
-- Migrations connect as $owner, the service as $service. Give both a way to sign in, such as ALTER ROLE … PASSWORD.

DO $$$$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '$owner') THEN CREATE ROLE $owner LOGIN; END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '$service') THEN CREATE ROLE $service LOGIN; END IF;
END $$$$;

REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA public TO $owner;
GRANT USAGE ON SCHEMA public TO $service;

ALTER DEFAULT PRIVILEGES FOR ROLE $owner IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO $service;
ALTER DEFAULT PRIVILEGES FOR ROLE $owner IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO $service;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO $service;
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO $service;

-- The service adds to the audit log and to nothing of what migrations keep.
DO $$$$ DECLARE kept text; BEGIN
    FOREACH kept IN ARRAY ARRAY['audit_events', 'alembic_version'] LOOP
        IF to_regclass('public.' || kept) IS NOT NULL THEN
            EXECUTE format('REVOKE UPDATE, DELETE, TRUNCATE ON public.%I FROM $service', kept);
        END IF;
    END LOOP;
    IF to_regclass('public.alembic_version') IS NOT NULL THEN
        REVOKE INSERT ON public.alembic_version FROM $service;
    END IF;
END $$$$;
""")


def roles_sql() -> str:
    """SQL for psql that makes the two roles and grants each what it needs."""
    return _SQL.substitute(name=NAME, owner=OWNER, service=SERVICE)


def database_roles() -> DatabaseRoles:
    """What `check` compares a database's privileges with."""
    return DatabaseRoles(names=(OWNER, SERVICE), sql=roles_sql())
