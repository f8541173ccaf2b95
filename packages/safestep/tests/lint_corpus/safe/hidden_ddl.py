from alembic import op

revision = "safe_hidden_ddl"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.execute("DO $$ BEGIN PERFORM 1; RAISE NOTICE 'nothing hides here'; END $$")
    op.execute("ALTER TABLE posts ADD COLUMN rank integer")
