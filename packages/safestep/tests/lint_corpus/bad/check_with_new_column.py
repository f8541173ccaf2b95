from alembic import op

revision = "bad_check_with_new_column"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.execute("ALTER TABLE posts ADD COLUMN rank integer CHECK (rank > 0)")
