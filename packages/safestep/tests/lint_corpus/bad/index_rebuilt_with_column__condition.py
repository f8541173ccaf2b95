from alembic import op

revision = "bad_index_rebuilt_with_column__condition"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.execute("ALTER TABLE users ALTER COLUMN email TYPE text")
