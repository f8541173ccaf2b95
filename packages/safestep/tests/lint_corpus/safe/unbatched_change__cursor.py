from alembic import op

revision = "safe_unbatched_change__cursor"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("DECLARE resets CURSOR FOR SELECT id FROM posts")
