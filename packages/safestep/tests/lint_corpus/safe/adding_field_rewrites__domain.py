from alembic import op

revision = "safe_adding_field_rewrites__domain"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.execute("ALTER TABLE posts ADD COLUMN token short")
