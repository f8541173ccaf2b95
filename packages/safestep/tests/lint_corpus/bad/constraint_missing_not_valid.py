from alembic import op

revision = "bad_constraint_missing_not_valid"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.create_check_constraint("ck_posts_title", "posts", "char_length(title) <= 200")
