from alembic import op

revision = "safe_row_security_without_policy__force"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.execute("CREATE POLICY all_rows ON posts USING (true)")
    op.execute("ALTER TABLE posts ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
