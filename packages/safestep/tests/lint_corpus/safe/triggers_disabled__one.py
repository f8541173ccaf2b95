from alembic import op

revision = "safe_triggers_disabled__one"
down_revision = "tables"
phase = "contract"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.execute("DROP TRIGGER posts_touch ON posts")
