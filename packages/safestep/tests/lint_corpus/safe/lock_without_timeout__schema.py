from alembic import op

revision = "safe_lock_without_timeout__schema"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.execute("CREATE SCHEMA notes CREATE TABLE notes (post_id uuid PRIMARY KEY REFERENCES public.posts)")
