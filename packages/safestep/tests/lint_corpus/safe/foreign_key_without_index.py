import safestep
from alembic import op

revision = "safe_foreign_key_without_index"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    safestep.add_index_concurrently("ix_posts_author", "posts", ["author_id", "created_at"])
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.execute("ALTER TABLE posts ADD FOREIGN KEY (author_id) REFERENCES users (id) NOT VALID")
    op.execute(
        "CREATE TABLE likes (post_id uuid REFERENCES posts, by uuid REFERENCES users, PRIMARY KEY (post_id, by))"
    )
    op.execute("CREATE INDEX ix_likes_by ON likes (by) WHERE by IS NOT NULL")
