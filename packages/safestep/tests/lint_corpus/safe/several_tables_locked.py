from alembic import op

revision = "safe_several_tables_locked"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = '2s'")
        op.execute("ALTER TABLE posts ADD COLUMN a text")
        op.execute("ALTER TABLE users ADD COLUMN a text")
