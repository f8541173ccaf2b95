from alembic import op

revision = "safe_ban_alter_identity"
down_revision = "tables"
phase = "contract"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.execute("ALTER TABLE posts ALTER COLUMN views ADD GENERATED ALWAYS AS IDENTITY")
