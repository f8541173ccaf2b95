from alembic import op

revision = "bad_published_without_identity"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("CREATE PUBLICATION abroad FOR TABLE posts, tags")
