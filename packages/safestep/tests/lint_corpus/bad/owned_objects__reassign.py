from alembic import op

revision = "bad_owned_objects__reassign"
down_revision = "tables"
phase = "expand"


def upgrade() -> None:
    op.execute("REASSIGN OWNED BY importer TO shop_owner")
