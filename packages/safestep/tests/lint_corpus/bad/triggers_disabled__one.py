from alembic import op

revision = "bad_triggers_disabled__one"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.execute("ALTER TABLE posts DISABLE TRIGGER posts_touch")
