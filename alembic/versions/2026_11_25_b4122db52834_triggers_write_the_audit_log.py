"""triggers write the audit log

Revision ID: b4122db52834
Revises: f052642d5e52
Create Date: 2026-11-25 02:11:23.699360+00:00
"""

from collections.abc import Sequence

import safestep
from alembic import op

revision: str = "b4122db52834"
down_revision: str | None = "f052642d5e52"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# "contract" when the code that is running can't live with it; then also `destructive = True` if it drops data.
phase: str = "expand"

# Parents first, as requests lock them. Each table: what its triggers are told.
TABLES = {
    "users": "'user', 'id', '{email,name,password_hash}', '{id,created_at,updated_at}'",
    "auth_sessions": "'auth_session', 'id', '{user_agent}', '{id,created_at,updated_at}'",
    "api_keys": "'api_key', 'id', '{key_hash}', '{id,last_used_at,created_at,updated_at}'",
    "posts": "'post', 'id', '{body}', '{id,created_at,updated_at}'",
    "co_authorships": "'post', 'post_id', '{}', '{post_id}', 'part'",
}
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


def upgrade() -> None:
    for table, arguments in TABLES.items():
        for name, statement in TRIGGERS.items():
            safestep.add_trigger(name, table, statement.format(table=table, arguments=arguments))


def downgrade() -> None:
    for table in TABLES:
        for name in TRIGGERS:
            op.execute(f"DROP TRIGGER {name} ON {table}")
