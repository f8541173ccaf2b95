-- Roles of Postern. Run this as a superuser in its database, before the first migration, and again when a release
-- is complete: an older version of the service may still need the rights that this takes away.
-- Migrations connect as postern_owner, the service as postern_service. Give both a way to sign in, such as ALTER ROLE … PASSWORD.

DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'postern_owner') THEN CREATE ROLE postern_owner LOGIN; END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'postern_service') THEN CREATE ROLE postern_service LOGIN; END IF;
END $$;

REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA public TO postern_owner;
GRANT USAGE ON SCHEMA public TO postern_service;

ALTER DEFAULT PRIVILEGES FOR ROLE postern_owner IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO postern_service;
ALTER DEFAULT PRIVILEGES FOR ROLE postern_owner IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO postern_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO postern_service;
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO postern_service;

-- Triggers write the audit log. The service adds what changed no row, without the columns that say who and when; to
-- what migrations keep it adds nothing.
DO $$ DECLARE kept text; BEGIN
    FOREACH kept IN ARRAY ARRAY['audit_events', 'alembic_version'] LOOP
        IF to_regclass('public.' || kept) IS NOT NULL THEN
            EXECUTE format('REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON public.%I FROM postern_service', kept);
        END IF;
    END LOOP;
    IF to_regclass('public.audit_events') IS NOT NULL THEN
        GRANT INSERT (action, entity, entity_id) ON public.audit_events TO postern_service;
    END IF;
END $$;
