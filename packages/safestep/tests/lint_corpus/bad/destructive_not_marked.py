from alembic import op

revision = "bad_destructive_not_marked"
down_revision = "tables"
phase = "contract"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.drop_table("tags")
