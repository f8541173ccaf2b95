from alembic import op

revision = "safe_adding_serial_primary_key_field"
down_revision = "tables"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("CREATE UNIQUE INDEX CONCURRENTLY pk_tags ON tags (id)")
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.execute("ALTER TABLE tags ADD CONSTRAINT pk_tags PRIMARY KEY USING INDEX pk_tags")
