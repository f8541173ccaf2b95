from alembic import op

revision = "safe_slow_behind_lock__validate"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = '2s'")
        op.execute("ALTER TABLE posts VALIDATE CONSTRAINT body_check")
        op.execute("ALTER TABLE posts ADD COLUMN language text")
