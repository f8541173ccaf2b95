from alembic import op

revision = "bad_hidden_ddl"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.execute("DO $$ BEGIN EXECUTE 'ALTER TABLE posts ADD COLUMN rank integer'; END $$")
