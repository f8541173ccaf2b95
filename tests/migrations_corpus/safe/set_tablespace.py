from alembic import op

revision = "safe_set_tablespace"
down_revision = "tables"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("CREATE INDEX CONCURRENTLY ix_posts_fast ON posts (title) TABLESPACE fast")
