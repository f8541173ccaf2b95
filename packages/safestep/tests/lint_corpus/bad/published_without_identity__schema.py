from alembic import op

revision = "bad_published_without_identity__schema"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("CREATE PUBLICATION abroad FOR TABLES IN SCHEMA public")
