from alembic import op

revision = "bad_cluster"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = '2s'")
        op.execute("CLUSTER posts USING ix_posts_slug")
