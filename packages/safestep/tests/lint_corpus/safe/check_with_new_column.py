from alembic import op

revision = "safe_check_with_new_column"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.execute("ALTER TABLE posts ADD COLUMN rank integer")
    op.execute("ALTER TABLE posts ADD CONSTRAINT ck_posts_rank CHECK (rank > 0) NOT VALID")
