from alembic import op

revision = "safe_renaming_object__constraint"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.execute("ALTER TABLE members RENAME CONSTRAINT uq_members_name TO uq_members_full_name")
