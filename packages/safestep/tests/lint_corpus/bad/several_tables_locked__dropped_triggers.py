from alembic import op

revision = "bad_several_tables_locked__dropped_triggers"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.execute("DROP TRIGGER posts_touch ON posts")
    op.execute("DROP TRIGGER users_touch ON users")
