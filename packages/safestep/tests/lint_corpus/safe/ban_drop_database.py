from alembic import op

revision = "safe_ban_drop_database"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("COMMENT ON DATABASE old IS 'drop it when nobody is connected'")
