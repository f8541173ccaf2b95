from alembic import op

revision = "bad_not_in_transaction__block"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("DO $$ BEGIN DELETE FROM tags WHERE id = '1'; COMMIT; END $$")
