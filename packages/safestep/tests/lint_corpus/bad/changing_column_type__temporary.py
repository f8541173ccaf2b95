from alembic import op

revision = "bad_changing_column_type__temporary"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.execute("CREATE TEMPORARY TABLE posts (LIKE public.posts)")
    op.execute("ALTER TABLE public.posts ALTER COLUMN views TYPE bigint")
