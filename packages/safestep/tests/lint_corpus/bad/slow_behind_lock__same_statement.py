from alembic import op

revision = "bad_slow_behind_lock__same_statement"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.execute("ALTER TABLE members ADD COLUMN language text, VALIDATE CONSTRAINT ck_members_name")
