from alembic import op

revision = "bad_batches_in_one_transaction"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    for _ in range(3):
        op.execute("UPDATE posts SET views = 0 WHERE id IN (SELECT id FROM posts WHERE views IS NULL LIMIT 1000)")
