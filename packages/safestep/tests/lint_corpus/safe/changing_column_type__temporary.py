from alembic import op

revision = "safe_changing_column_type__temporary"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("CREATE TEMPORARY TABLE batch (LIKE public.posts)")
    op.execute("ALTER TABLE batch ALTER COLUMN views TYPE bigint")
