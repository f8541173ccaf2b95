from alembic import op

revision = "safe_row_security_without_policy"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.execute("CREATE POLICY everybody ON posts USING (true)")
    op.execute("ALTER TABLE posts ENABLE ROW LEVEL SECURITY")
