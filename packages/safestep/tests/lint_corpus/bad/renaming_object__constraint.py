from alembic import op

revision = "bad_renaming_object__constraint"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.execute("ALTER VIEW slugs RENAME TO names")
