"""what the database needs to write the audit log itself

Revision ID: f052642d5e52
Revises: cdefefb13393
Create Date: 2026-11-25 02:09:21.723643+00:00
"""

from collections.abc import Sequence

from alembic import op

revision: str = "f052642d5e52"
down_revision: str | None = "cdefefb13393"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# "contract" when the code that is running can't live with it; then also `destructive = True` if it drops data.
phase: str = "expand"

EVENT_ID = """\
CREATE FUNCTION audit_event_id() RETURNS uuid LANGUAGE plpgsql AS $$
DECLARE
    micros bigint := extract(epoch FROM clock_timestamp()) * 1000000;
BEGIN
    RETURN encode(
        int8send(micros / 1000 << 16 | 28672 | micros % 1000 * 4096 / 1000)
        || substring(uuid_send(gen_random_uuid()) FROM 9), 'hex');
END $$"""

RECORD_CHANGE = """\
CREATE FUNCTION record_change() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp SET timezone = 'UTC' AS $$
-- Arguments: the entity; the column with its id, if there is one; private columns; columns that aren't recorded;
-- 'part' when a row is a part of the entity, so that its change is one of the entity.
DECLARE
    before jsonb := to_jsonb(OLD);
    after jsonb := to_jsonb(NEW);
    changed_id uuid := coalesce(after, before) ->> TG_ARGV[1];
    verb text := CASE TG_OP WHEN 'INSERT' THEN 'created' WHEN 'UPDATE' THEN 'updated' ELSE 'deleted' END;
    told jsonb := '{}';
    role text;
BEGIN
    IF coalesce(current_setting('audit.actor_kind', true), '') = '' THEN
        -- A version of the service from before this trigger has written its own record by now.
        IF EXISTS (
            SELECT FROM audit_events
            WHERE entity_id = changed_id AND at = now() AND actor_kind <> 'database_role'
        ) THEN
            RETURN NULL;
        END IF;
        role := session_user;
    END IF;
    IF TG_ARGV[4] = 'part' THEN
        verb := 'updated';
        before := before - TG_ARGV[3]::text[];
        after := after - TG_ARGV[3]::text[];
        IF before IS DISTINCT FROM after THEN
            told := jsonb_build_object(TG_TABLE_NAME, jsonb_build_array(before, after));
        END IF;
    ELSIF TG_OP <> 'DELETE' THEN
        SELECT coalesce(jsonb_object_agg(key, CASE WHEN key = ANY (TG_ARGV[2]::text[])
            THEN jsonb_build_array(
                CASE WHEN before ->> key IS NOT NULL THEN '***' END,
                CASE WHEN after ->> key IS NOT NULL THEN '***' END)
            ELSE jsonb_build_array(before -> key, value)
        END), '{}') INTO told
        FROM jsonb_each(after - TG_ARGV[3]::text[])
        WHERE value <> coalesce(before -> key, 'null');
    END IF;
    IF told <> '{}' OR verb = 'deleted' THEN
        INSERT INTO audit_events (action, entity, entity_id, changes, actor_role)
        VALUES (TG_ARGV[0] || '.' || verb, TG_ARGV[0], changed_id, told, role);
    END IF;
    RETURN NULL;
END $$"""


DEFAULTS = """\
ALTER TABLE audit_events
    ADD COLUMN actor_role varchar(63),
    ALTER COLUMN id SET DEFAULT audit_event_id(),
    ALTER COLUMN actor_kind
        SET DEFAULT coalesce(nullif(current_setting('audit.actor_kind', true), ''), 'database_role'),
    ALTER COLUMN actor_id SET DEFAULT nullif(current_setting('audit.actor_id', true), '')::uuid,
    ALTER COLUMN actor_key_id SET DEFAULT nullif(current_setting('audit.actor_key_id', true), '')::uuid,
    ALTER COLUMN request_id SET DEFAULT nullif(current_setting('audit.request_id', true), ''),
    ALTER COLUMN changes SET DEFAULT '{}'"""

NO_DEFAULTS = """\
ALTER TABLE audit_events
    DROP COLUMN actor_role,
    ALTER COLUMN id DROP DEFAULT,
    ALTER COLUMN actor_kind DROP DEFAULT,
    ALTER COLUMN actor_id DROP DEFAULT,
    ALTER COLUMN actor_key_id DROP DEFAULT,
    ALTER COLUMN request_id DROP DEFAULT,
    ALTER COLUMN changes DROP DEFAULT"""


def upgrade() -> None:
    op.execute(EVENT_ID)
    op.execute(DEFAULTS)
    op.execute(RECORD_CHANGE)


def downgrade() -> None:
    op.execute("DROP FUNCTION record_change()")
    op.execute(NO_DEFAULTS)
    op.execute("DROP FUNCTION audit_event_id()")
