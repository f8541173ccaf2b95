from alembic import op

revision = "safe_published_without_identity__nothing"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.execute("ALTER TABLE tags REPLICA IDENTITY FULL")
    op.execute("ALTER PUBLICATION abroad ADD TABLE tags")
