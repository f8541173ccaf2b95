from alembic import op

revision = "safe_adding_not_nullable_field"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = '2s'")
        op.execute("ALTER TABLE posts ADD CONSTRAINT ck_posts_slug CHECK (slug IS NOT NULL) NOT VALID")
        op.execute("ALTER TABLE posts VALIDATE CONSTRAINT ck_posts_slug")
        op.execute("ALTER TABLE posts ALTER COLUMN slug SET NOT NULL")
        op.execute("ALTER TABLE posts DROP CONSTRAINT ck_posts_slug")
