from alembic import op

revision = "safe_ban_drop_column"
down_revision = "tables"
phase = "contract"
destructive = True


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.drop_column("posts", "views")
