from alembic import op

revision = "safe_owned_objects"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("REVOKE ALL ON posts FROM importer")
