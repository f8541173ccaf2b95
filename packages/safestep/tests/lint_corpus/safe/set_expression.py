from alembic import op

revision = "safe_set_expression"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.execute("ALTER TABLE posts ADD COLUMN doubled integer GENERATED ALWAYS AS (views + views) VIRTUAL")
    op.execute("ALTER TABLE posts ALTER COLUMN doubled SET EXPRESSION AS (views * 2)")
