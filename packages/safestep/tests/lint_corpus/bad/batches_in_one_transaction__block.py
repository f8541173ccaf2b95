from alembic import op

revision = "bad_batches_in_one_transaction__block"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("""
        DO $$ BEGIN
            FOR n IN 1..9 LOOP
                DELETE FROM posts WHERE id IN (SELECT id FROM posts LIMIT 1000);
            END LOOP;
        END $$
    """)
