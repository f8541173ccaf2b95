from alembic import op

revision = "safe_index_rebuilt_with_column__condition"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.execute("ALTER TABLE posts ALTER COLUMN slug TYPE text")
