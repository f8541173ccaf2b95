from alembic import op

revision = "safe_refresh_blocks_reads"
down_revision = "tables"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("CREATE UNIQUE INDEX CONCURRENTLY uq_counts ON counts (author_id)")
        op.execute("REFRESH MATERIALIZED VIEW CONCURRENTLY counts")
