from alembic import op

revision = "bad_disallowed_unique_constraint"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.create_unique_constraint("uq_posts_slug", "posts", ["slug"])
