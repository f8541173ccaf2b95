import safestep
from alembic import op

revision = "safe_index_rebuilt_with_column"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    safestep.drop_index_concurrently("ix_users_name_lower", "users")
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.execute("ALTER TABLE users ALTER COLUMN name TYPE varchar(400)")
