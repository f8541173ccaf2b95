from alembic import op

revision = "bad_lock_without_timeout"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("CREATE TABLE likes (post_id uuid PRIMARY KEY REFERENCES posts)")
