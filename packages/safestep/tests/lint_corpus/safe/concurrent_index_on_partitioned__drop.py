from alembic import op

revision = "safe_concurrent_index_on_partitioned__drop"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = '2s'")
        op.execute("CREATE INDEX ix_visits_at ON ONLY visits (at)")
        op.execute("DROP INDEX CONCURRENTLY ix_posts_slug")
