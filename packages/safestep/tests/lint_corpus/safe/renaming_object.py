from alembic import op

revision = "safe_renaming_object"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("CREATE VIEW names AS SELECT slug FROM posts")
    op.execute("ALTER INDEX ix_posts_slug RENAME TO ix_posts_by_slug")
