from alembic import op

revision = "safe_require_concurrent_index_creation__if_not_exists"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.execute("CREATE TABLE labels (id uuid, name text)")
    op.execute("CREATE INDEX ix_labels_name ON labels (name)")
    op.execute("ALTER TABLE labels RENAME COLUMN name TO label")
    op.execute("ALTER TABLE labels RENAME TO marks")
    op.execute("CREATE INDEX ix_marks_label ON marks (label)")
