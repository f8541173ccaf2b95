from alembic import op

revision = "safe_unbatched_change__locked_rows"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("SELECT id FROM users ORDER BY id LIMIT 100 FOR UPDATE")
