from alembic import op

revision = "safe_slow_behind_lock__same_statement"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("ALTER TABLE members VALIDATE CONSTRAINT ck_members_name, ALTER COLUMN name SET STATISTICS 500")
