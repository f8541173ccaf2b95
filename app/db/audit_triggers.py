"""What writes the audit log: triggers on the table of every audited model, and the function that they call.

A change and its record are one transaction, whoever makes the change and however: an object, a statement, a CASCADE,
COPY, psql. app/db/audit.py tells the database who acts.
"""

from typing import Any

from sqlalchemy import Column, Connection, MetaData, Uuid, event, text
from sqlalchemy.orm import Mapper

from app.db.base import PRIVATE, UNRECORDED, Base

# A UUIDv7: milliseconds, version and the fraction of the millisecond, then chance. PostgreSQL has uuidv7() from 18 on.
EVENT_ID = """\
CREATE FUNCTION audit_event_id() RETURNS uuid LANGUAGE plpgsql AS $$
DECLARE
    micros bigint := extract(epoch FROM clock_timestamp()) * 1000000;
BEGIN
    RETURN encode(
        int8send(micros / 1000 << 16 | 28672 | micros % 1000 * 4096 / 1000)
        || substring(uuid_send(gen_random_uuid()) FROM 9), 'hex');
END $$"""

# It runs as its owner, so that the service needs no right to write whole records.
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

# Whoever doesn't say who acts is told at COMMIT, when an older version of the service has written its own record.
TRIGGERS = {
    "record_change": """\
CREATE TRIGGER record_change AFTER INSERT OR UPDATE OR DELETE ON {table}
FOR EACH ROW WHEN (current_setting('audit.actor_kind', true) <> '')
EXECUTE FUNCTION record_change({arguments})""",
    "record_unnamed_change": """\
CREATE CONSTRAINT TRIGGER record_unnamed_change AFTER INSERT OR UPDATE OR DELETE ON {table}
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (coalesce(current_setting('audit.actor_kind', true), '') = '')
EXECUTE FUNCTION record_change({arguments})""",
}
_NEVER_RECORDED = frozenset({"created_at", "updated_at"})

type Arguments = tuple[str, ...]
type Triggers = dict[str, Arguments]
"""The triggers of a table, by name, with what they are told."""


def audited() -> dict[str, Triggers]:
    """Every audited table with its triggers."""
    models = (mapper for mapper in Base.registry.mappers if mapper.class_.__audited__)
    return {str(model.local_table): dict.fromkeys(TRIGGERS, _arguments(model)) for model in models}


def creation(table: str, triggers: Triggers) -> list[str]:
    """The statements that create the triggers."""
    return [
        TRIGGERS[name].format(table=table, arguments=", ".join(f"'{argument}'" for argument in arguments))
        for name, arguments in triggers.items()
    ]


def _arguments(model: Mapper[Base]) -> Arguments:
    columns: list[Column[Any]] = [column for column in model.local_table.columns if isinstance(column, Column)]
    key = next(column for column in columns if column.primary_key)
    private = [column.name for column in columns if PRIVATE.items() <= column.info.items()]
    unrecorded = [
        column.name
        for column in columns
        if column is key or column.name in _NEVER_RECORDED or UNRECORDED.items() <= column.info.items()
    ]
    entity, *part = (model.class_.__part_of__, "part") if model.class_.__part_of__ else (_entity(model),)
    if part and private:
        raise TypeError(f"{model.local_table}: its rows are told as they are, so no column can be private: {private}")
    id_column = key.name if isinstance(key.type, Uuid) else ""
    return entity, id_column, _array(private), _array(unrecorded), *part


def _entity(model: Mapper[Base]) -> str:
    return str(model.local_table).removesuffix("s")


def _array(names: list[str]) -> str:
    return f"{{{','.join(names)}}}"


@event.listens_for(Base.metadata, "before_create")
def _create_functions(_metadata: MetaData, connection: Connection, **_: object) -> None:
    for statement in (EVENT_ID, RECORD_CHANGE):
        connection.execute(text(statement))


@event.listens_for(Base.metadata, "after_create")
def _create_triggers(_metadata: MetaData, connection: Connection, **_: object) -> None:
    for table, triggers in audited().items():
        for statement in creation(table, triggers):
            connection.execute(text(statement))
