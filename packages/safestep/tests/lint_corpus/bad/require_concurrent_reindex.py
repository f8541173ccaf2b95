from alembic import op

revision = "bad_require_concurrent_reindex"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.execute("REINDEX TABLE posts")
