from alembic import op

revision = "safe_destructive_not_marked"
down_revision = "tables"
phase = "contract"
destructive = True


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.drop_table("tags")
    op.drop_column("posts", "views")
