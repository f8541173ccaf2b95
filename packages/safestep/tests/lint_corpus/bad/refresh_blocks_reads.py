from alembic import op

revision = "bad_refresh_blocks_reads"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.execute("REFRESH MATERIALIZED VIEW counts")
