from alembic import op

revision = "safe_constraint_missing_not_valid"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.create_check_constraint("ck_posts_title", "posts", "char_length(title) <= 200", postgresql_not_valid=True)
    with op.get_context().autocommit_block():
        op.execute("ALTER TABLE posts VALIDATE CONSTRAINT ck_posts_title")
