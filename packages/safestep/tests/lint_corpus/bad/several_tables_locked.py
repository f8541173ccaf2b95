from alembic import op

revision = "bad_several_tables_locked"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.execute("ALTER TABLE posts ADD COLUMN a text")
    op.execute("ALTER TABLE users ADD COLUMN a text")
