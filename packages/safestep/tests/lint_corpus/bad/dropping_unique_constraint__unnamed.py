from alembic import op

revision = "bad_dropping_unique_constraint__unnamed"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.execute("ALTER TABLE posts DROP CONSTRAINT posts_pkey")
