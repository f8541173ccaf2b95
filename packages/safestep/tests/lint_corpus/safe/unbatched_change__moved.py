from alembic import op

revision = "safe_unbatched_change__moved"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("CREATE TABLE old_posts AS SELECT * FROM posts")
