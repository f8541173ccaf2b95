from alembic import op

revision = "bad_syntax_error"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("ALTER TABEL posts ADD COLUMN rank integer")
