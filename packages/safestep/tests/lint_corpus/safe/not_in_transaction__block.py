from alembic import op

revision = "safe_not_in_transaction__block"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("DO $$ BEGIN DELETE FROM tags WHERE id = '1'; COMMIT; END $$")
