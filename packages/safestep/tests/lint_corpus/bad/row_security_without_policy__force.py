from alembic import op

revision = "bad_row_security_without_policy__force"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.execute("ALTER TABLE posts FORCE ROW LEVEL SECURITY")
