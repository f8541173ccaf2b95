from alembic import op

revision = "bad_constraint_enforced"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.execute("ALTER TABLE posts ALTER CONSTRAINT fk_posts_author ENFORCED")
