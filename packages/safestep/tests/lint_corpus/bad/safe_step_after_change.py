import safestep
from alembic import op

revision = "bad_safe_step_after_change"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("COMMENT ON TABLE posts IS 'what users write'")
    safestep.reindex_concurrently("ix_posts_slug")
