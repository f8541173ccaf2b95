from alembic import op

revision = "bad_unbatched_change__locked_rows"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("SELECT id FROM users FOR UPDATE")
