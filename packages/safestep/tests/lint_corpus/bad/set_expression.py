from alembic import op

revision = "bad_set_expression"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.execute("ALTER TABLE posts ALTER COLUMN twice SET EXPRESSION AS (views * 3)")
