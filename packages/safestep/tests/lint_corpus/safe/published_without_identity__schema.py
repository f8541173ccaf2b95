from alembic import op

revision = "safe_published_without_identity__schema"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("CREATE PUBLICATION abroad FOR TABLES IN SCHEMA statistics")
    op.execute("ALTER PUBLICATION home DROP TABLE tags")
