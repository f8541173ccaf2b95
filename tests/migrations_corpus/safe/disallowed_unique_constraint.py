from alembic import op

revision = "safe_disallowed_unique_constraint"
down_revision = "tables"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("CREATE UNIQUE INDEX CONCURRENTLY uq_posts_slug ON posts (slug)")
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.execute("ALTER TABLE posts ADD CONSTRAINT uq_posts_slug UNIQUE USING INDEX uq_posts_slug")
