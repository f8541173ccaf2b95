from alembic import op

revision = "safe_published_without_identity"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("CREATE PUBLICATION abroad FOR TABLE posts")
    op.execute("CREATE PUBLICATION additions FOR TABLE tags WITH (publish = 'insert')")
