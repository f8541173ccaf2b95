from alembic import op

revision = "bad_require_concurrent_index_creation__if_not_exists"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.execute("CREATE TABLE IF NOT EXISTS tags (id uuid, name text)")
    op.execute("CREATE INDEX ix_tags_name ON tags (name)")
