from alembic import op

revision = "bad_owned_objects"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("DROP OWNED BY importer")
