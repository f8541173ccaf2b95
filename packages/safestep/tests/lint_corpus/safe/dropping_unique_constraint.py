from alembic import op

revision = "safe_dropping_unique_constraint"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.execute("ALTER TABLE members DROP CONSTRAINT ck_members_name")
