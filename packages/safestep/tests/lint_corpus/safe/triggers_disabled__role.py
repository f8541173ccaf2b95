from alembic import op

revision = "safe_triggers_disabled__role"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("ALTER ROLE importer RESET session_replication_role")
