from alembic import op

revision = "safe_ban_drop_table"
down_revision = "tables"
phase = "contract"
destructive = True


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.execute("DROP TABLE tags")
