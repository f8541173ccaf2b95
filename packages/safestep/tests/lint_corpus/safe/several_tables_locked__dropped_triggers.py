from alembic import op

revision = "safe_several_tables_locked__dropped_triggers"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.execute("DROP TRIGGER posts_touch ON posts")
    op.execute("ALTER TABLE posts RENAME CONSTRAINT posts_body_check TO ck_posts_body")
