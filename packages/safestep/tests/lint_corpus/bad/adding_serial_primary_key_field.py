from alembic import op

revision = "bad_adding_serial_primary_key_field"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.create_primary_key("pk_tags", "tags", ["id"])
