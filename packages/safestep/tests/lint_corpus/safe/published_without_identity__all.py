from alembic import op

revision = "safe_published_without_identity__all"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("CREATE PUBLICATION abroad FOR ALL TABLES WITH (publish = 'insert, truncate')")
