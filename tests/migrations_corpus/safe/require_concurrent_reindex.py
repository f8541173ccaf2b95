from alembic import op

revision = "safe_require_concurrent_reindex"
down_revision = "tables"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("REINDEX TABLE CONCURRENTLY posts")
