from alembic import op

revision = "safe_ban_drop_default"
down_revision = "tables"
phase = "contract"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.alter_column("posts", "created_at", server_default=None)
