from alembic import op

revision = "safe_changing_column_type__same_rows"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = '2s'")
        op.execute("ALTER TABLE members ALTER COLUMN price TYPE numeric(12, 2)")
        op.execute("ALTER TABLE members ALTER COLUMN network TYPE inet")
        op.execute("ALTER TABLE tags ALTER COLUMN name TYPE varchar")
