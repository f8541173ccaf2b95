from alembic import op

revision = "bad_triggers_disabled__session"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("SET session_replication_role = replica")
