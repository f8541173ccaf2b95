import safestep
from alembic import op

revision = "safe_safe_step_after_change"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    safestep.reindex_concurrently("ix_posts_slug")
    op.execute("COMMENT ON TABLE posts IS 'what users write'")
