from alembic import op

revision = "safe_triggers_disabled"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.execute("ALTER TABLE posts ENABLE TRIGGER posts_touch")
