from alembic import op

revision = "bad_triggers_disabled__role"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("ALTER ROLE importer SET session_replication_role = 'replica'")
