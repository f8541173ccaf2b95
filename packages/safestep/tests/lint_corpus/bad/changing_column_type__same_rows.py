from alembic import op

revision = "bad_changing_column_type__same_rows"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.execute("ALTER TABLE members ALTER COLUMN price TYPE numeric(12, 3)")
