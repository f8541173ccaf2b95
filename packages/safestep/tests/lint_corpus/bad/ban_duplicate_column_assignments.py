from alembic import op

revision = "bad_ban_duplicate_column_assignments"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("UPDATE posts SET views = 0, views = 1 WHERE id = '018c2b52-0000-7000-8000-000000000000'")
