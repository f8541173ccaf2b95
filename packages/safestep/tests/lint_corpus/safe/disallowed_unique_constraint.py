import safestep
from alembic import op

revision = "safe_disallowed_unique_constraint"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    safestep.add_index_concurrently("uq_posts_slug", "posts", ["slug"], unique=True)
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.execute("ALTER TABLE posts ADD CONSTRAINT uq_posts_slug UNIQUE USING INDEX uq_posts_slug")
